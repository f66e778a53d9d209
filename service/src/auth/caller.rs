//! The guards of every operation on a user's data.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::lookup::IdentityLookup;
use crate::auth::store::Identity;
use crate::auth::tokens::{Claims, TokenKeys};
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::http::request::{state, username_in_path};
use crate::model::user::{UserId, Username};

/// The user whose access token was sent and whose name is in the path.
///
/// Only this file creates it, after it has checked that the token is valid, the user still exists and is not
/// suspended, and the token's epoch is current. Every function that reads or writes a user's data takes a `&Caller`,
/// so that none can be called without the check, or returns the data [`Sealed`] until it is made.
#[derive(Clone)]
pub(crate) struct Caller {
    id: UserId,
    username: Username,
    token_epoch: u32,
}

impl Caller {
    pub(crate) fn id(&self) -> UserId {
        self.id
    }

    pub(crate) fn username(&self) -> &Username {
        &self.username
    }

    /// The epoch of the caller's token.
    pub(crate) fn token_epoch(&self) -> u32 {
        self.token_epoch
    }

    async fn identify(request: &Request<'_>) -> Result<Self, Problem> {
        let claim = Claim::of(request)?;
        claim.look_up(state::<IdentityLookup>(request)?).await
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::identify(request).await {
            Ok(caller) => {
                late_check::register(request, |request| Box::pin(check(request)));
                Outcome::Success(caller)
            }
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

async fn check(request: &Request<'_>) -> Result<(), Problem> {
    Caller::identify(request).await.map(drop)
}

/// A valid access token whose user is yet to be looked up. A request that takes it instead of a [`Caller`] reads the
/// user's identity by the same statement as the data, which saves a round trip.
pub(crate) struct Claim<'r> {
    claims: Claims,
    username_in_path: &'r str,
}

impl<'r> Claim<'r> {
    /// The user that the token is for.
    pub(crate) fn user(&self) -> UserId {
        self.claims.user
    }

    /// Looks the user up by a statement of its own.
    pub(crate) async fn look_up(&self, lookup: &IdentityLookup) -> Result<Caller, Problem> {
        self.check(lookup.find(self.claims.user).await?)
    }

    /// That of a request.
    pub(crate) fn of(request: &'r Request<'_>) -> Result<Self, Problem> {
        let token = bearer_token(request).ok_or(Problem::MissingToken)?;
        let claims = state::<TokenKeys>(request)?
            .verify(token)
            .map_err(|_| Problem::InvalidToken)?;
        Ok(Self {
            claims,
            username_in_path: username_in_path(request).unwrap_or_default(),
        })
    }

    /// The caller, if this is the identity that the token was issued for; `None` is that of a deleted user.
    fn check(&self, identity: Option<Identity>) -> Result<Caller, Problem> {
        let identity = identity
            .filter(|identity| identity.id == self.claims.user)
            .ok_or(Problem::InvalidToken)?;
        // First, because a suspension revokes the tokens as well.
        if identity.is_suspended {
            return Err(Problem::AccountSuspended);
        }
        if identity.token_epoch != self.claims.epoch {
            return Err(Problem::InvalidToken);
        }
        if !identity.username.matches(self.username_in_path) {
            return Err(Problem::OtherUser);
        }
        Ok(Caller {
            id: identity.id,
            username: identity.username,
            token_epoch: identity.token_epoch,
        })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Claim<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::of(request) {
            Ok(claim) => Outcome::Success(claim),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

/// A user's data, with the user's identity from the same statement. Only the user's current token opens it.
#[derive(Clone)]
pub(crate) struct Sealed<T> {
    identity: Option<Identity>,
    data: T,
}

impl<T> Sealed<T> {
    /// Seals what was read for a user; `None` is the identity of a user who does not exist any more.
    pub(crate) fn new(identity: Option<Identity>, data: T) -> Self {
        Self { identity, data }
    }

    /// The caller and the data.
    ///
    /// # Errors
    /// Those of the [`Caller`] guard.
    pub(crate) fn open(self, claim: &Claim<'_>) -> Result<(Caller, T), Problem> {
        Ok((claim.check(self.identity)?, self.data))
    }
}

/// The expiry of the request's access token.
pub(crate) struct TokenExpiry {
    remaining: Duration,
}

impl TokenExpiry {
    /// The time from the arrival of the request until the expiry.
    pub(crate) fn remaining(&self) -> Duration {
        self.remaining
    }

    fn of(request: &Request<'_>) -> Result<Self, Problem> {
        let token = bearer_token(request).ok_or(Problem::MissingToken)?;
        let remaining = state::<TokenKeys>(request)?.remaining(token);
        let remaining = remaining.map_err(|_| Problem::InvalidToken)?;
        Ok(Self { remaining })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for TokenExpiry {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::of(request) {
            Ok(expiry) => Outcome::Success(expiry),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

fn bearer_token<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    token_in(request.headers().get_one("Authorization")?)
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
pub(crate) fn token_in(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

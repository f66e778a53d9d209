//! The guard of every operation on a user's data.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::lookup::IdentityLookup;
use crate::auth::tokens::TokenKeys;
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::http::request::{state, username_in_path};
use crate::model::user::{UserId, Username};

/// The user whose access token was sent and whose name is in the path.
///
/// Only this guard creates it, after it has checked that the token is valid, the user still exists and is not
/// suspended, and the token's epoch is current. Every function that reads or writes a user's data takes a `&Caller`,
/// so that none can be called without the check.
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
        let token = bearer_token(request).ok_or(Problem::MissingToken)?;
        let claims = state::<TokenKeys>(request)?
            .verify(token)
            .map_err(|_| Problem::InvalidToken)?;
        let identity = state::<IdentityLookup>(request)?
            .find(claims.user)
            .await?
            .ok_or(Problem::InvalidToken)?;
        // First, because a suspension revokes the tokens as well.
        if identity.is_suspended {
            return Err(Problem::AccountSuspended);
        }
        if identity.token_epoch != claims.epoch {
            return Err(Problem::InvalidToken);
        }
        if !username_in_path(request).is_some_and(|name| identity.username.matches(name)) {
            return Err(Problem::OtherUser);
        }
        Ok(Self {
            id: claims.user,
            username: identity.username,
            token_epoch: claims.epoch,
        })
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

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
fn bearer_token<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let (scheme, token) = request
        .headers()
        .get_one("Authorization")?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

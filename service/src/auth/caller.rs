//! The guard of every operation on a user's data.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::lookup::Identities;
use crate::auth::tokens::TokenKeys;
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::http::request::{state, username_in_path};
use crate::model::user::{UserId, Username};

/// The user whose access token was sent and whose name is in the path.
///
/// Only this guard makes one, after it has checked the token, and that the user still exists and the token's epoch is
/// the user's. Every function that reads or writes a user's data asks for a `&Caller`, so that none can be called
/// without the check.
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
        let identity = state::<Identities>(request)?
            .of(claims.user)
            .await?
            .ok_or(Problem::InvalidToken)?;
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
                late_check::leave(request, |request| Box::pin(check(request)));
                Outcome::Success(caller)
            }
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

async fn check(request: &Request<'_>) -> Result<(), Problem> {
    Caller::identify(request).await.map(drop)
}

/// When the access token of the request expires.
pub(crate) struct TokenExpiry {
    remaining: Duration,
}

impl TokenExpiry {
    /// The time from the arrival of the request until then.
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

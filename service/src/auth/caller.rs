//! The guard of everything that belongs to a user.

use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::{Identities, TokenKeys};
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::model::user::{UserId, Username};

/// The user whose token came with the request and whose name stands in its path.
///
/// Only this guard makes one, after it checked the token and that the user still exists in the token's epoch. Every
/// function that reads or writes a user's data asks for a `&Caller`, so that none can be called without the check.
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
        if !names(request, &identity.username) {
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

/// The moment when the access token of the request is over.
pub(crate) struct TokenEnd {
    remaining: Duration,
}

impl TokenEnd {
    /// How long it is until then.
    pub(crate) fn remaining(&self) -> Duration {
        self.remaining
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for TokenEnd {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let remaining = bearer_token(request)
            .ok_or(Problem::MissingToken)
            .and_then(|token| {
                let keys = state::<TokenKeys>(request)?;
                keys.remaining(token).map_err(|_| Problem::InvalidToken)
            });
        match remaining {
            Ok(remaining) => Outcome::Success(Self { remaining }),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
fn bearer_token<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let mut headers = request.headers().get("Authorization");
    let (scheme, token) = headers.next()?.split_once(' ')?;
    let only_one = headers.next().is_none();
    (only_one && scheme.eq_ignore_ascii_case("Bearer")).then(|| token.trim())
}

/// Whether the `<username>` of the path `/users/<username>/...` is this one.
fn names(request: &Request<'_>, username: &Username) -> bool {
    request
        .param::<&str>(1)
        .and_then(Result::ok)
        .is_some_and(|named| username.is_named(named))
}

fn state<'r, T: Send + Sync + 'static>(request: &'r Request<'_>) -> Result<&'r T, Problem> {
    request
        .rocket()
        .state::<T>()
        .ok_or_else(|| Problem::internal("the service was built without a part"))
}

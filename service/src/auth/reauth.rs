//! The password asked for again, where having the access token must not be enough.

use crate::auth::{Caller, Passwords, Verdict, store};
use crate::db::Database;
use crate::http::problem::Problem;
use crate::model::password::ClaimedPassword;
use crate::model::user::UserId;

/// A caller who has just shown that they know the password as well. Functions that change or delete an account ask for
/// one, so that none can be called with a stolen token alone.
pub(crate) struct Confirmed {
    id: UserId,
    token_epoch: u32,
}

impl Confirmed {
    /// Checks the password as a login does.
    pub(crate) async fn by(
        password: ClaimedPassword,
        caller: &Caller,
        passwords: &Passwords,
        database: &Database,
    ) -> Result<Self, Problem> {
        let place = passwords.queue_up()?;
        let user = store::credentials(database, caller.username())
            .await?
            .filter(|user| user.id == caller.id() && user.token_epoch == caller.token_epoch())
            // The account was deleted or the token revoked a moment ago.
            .ok_or(Problem::InvalidToken)?;
        match place.verify(password, Some(user.password_hash)).await? {
            Verdict::Right { .. } => Ok(Self {
                id: user.id,
                token_epoch: user.token_epoch,
            }),
            Verdict::Wrong => Err(Problem::WrongPassword),
        }
    }

    pub(crate) fn id(&self) -> UserId {
        self.id
    }

    /// The epoch in which the password was right: a change of the password ends it.
    pub(crate) fn token_epoch(&self) -> u32 {
        self.token_epoch
    }
}

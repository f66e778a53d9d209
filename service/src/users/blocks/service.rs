//! The blocks of accounts, as handlers use them.

use crate::auth::Caller;
use crate::db::Database;
use crate::http::problem::Problem;
use crate::model::block::Block;
use crate::model::user::Username;
use crate::users::blocks::store;
use crate::users::blocks::store::Outcome;

/// Blocks, unblocks and lists users.
pub(crate) struct Blocks {
    database: Database,
}

impl Blocks {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Blocks a user for the caller; without effect if the user is blocked.
    pub(super) async fn block(&self, caller: &Caller, name: &Username) -> Result<(), Problem> {
        if name == caller.username() {
            return Err(Problem::OwnAccount);
        }
        match store::block(&self.database, caller, name).await? {
            Outcome::Blocked => Ok(()),
            Outcome::NoSuchUser => Err(Problem::NoSuchUser),
            Outcome::LimitReached => Err(Problem::TooManyBlocks),
            Outcome::TokenRevoked => Err(Problem::InvalidToken),
        }
    }

    /// Unblocks a user for the caller; without effect if the user is not blocked or does not exist.
    pub(super) async fn unblock(&self, caller: &Caller, name: &Username) -> Result<(), Problem> {
        Ok(store::unblock(&self.database, caller, name).await?)
    }

    /// The users that the caller blocks, the most recently blocked first.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<Block>, Problem> {
        Ok(store::blocks(&self.database, caller).await?)
    }
}

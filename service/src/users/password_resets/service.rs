//! Forgotten passwords, as handlers use them.

use std::sync::Arc;

use crate::auth::PasswordHasher;
use crate::db::Database;
use crate::http::problem::Problem;
use crate::mail::{Kind, Outbox, codes};
use crate::model::user::Username;
use crate::users::password_resets::requests::PasswordReset;
use crate::users::password_resets::store;
use crate::users::requests::refused_password;

/// Has codes sent, and replaces passwords with them.
pub(crate) struct PasswordResets {
    database: Database,
    hasher: Arc<PasswordHasher>,
    outbox: Outbox,
}

impl PasswordResets {
    pub(super) fn new(database: Database, hasher: Arc<PasswordHasher>, outbox: Outbox) -> Self {
        Self {
            database,
            hasher,
            outbox,
        }
    }

    /// Has a code sent to the owner of the account with this name or address, if there is one.
    pub(super) async fn request(&self, account: &str) -> Result<(), Problem> {
        let kind = Kind::PasswordReset;
        self.outbox
            .add_requested(&self.database, kind, account)
            .await?;
        self.outbox.announce();
        Ok(())
    }

    /// Replaces the password of the account that the code was sent to, and returns its name.
    pub(super) async fn complete(&self, reset: PasswordReset) -> Result<Username, Problem> {
        let code = reset.code.hash();
        let owner = codes::owner(&self.database, Kind::PasswordReset, &code).await?;
        let owner = owner.ok_or(Problem::CodeInvalid)?;
        let password = reset
            .new_password
            .for_user(&owner.username)
            .and_then(|password| password.for_mailbox(&owner.email))
            .map_err(refused_password)?;
        let hash = self
            .hasher
            .try_reserve()?
            .hash(password.into_secret())
            .await?;
        if !store::complete(&self.database, &self.outbox, &owner, &code, &hash).await? {
            return Err(Problem::CodeInvalid);
        }
        self.outbox.announce();
        Ok(owner.username)
    }
}

//! The accounts, as handlers use them.

use std::sync::Arc;

use crate::auth::{Caller, PasswordHasher, Reauthenticated};
use crate::db::{Database, Error};
use crate::http::problem::Problem;
use crate::mail::Outbox;
use crate::model::account::Account;
use crate::model::invalid::{FieldError, Invalid};
use crate::model::password::NewPassword;
use crate::model::reserved::ReservedUsernames;
use crate::model::secret_code::SecretCode;
use crate::users::invitations;
use crate::users::requests::{NewUser, refused_password};
use crate::users::responses::User;
use crate::users::store;
use crate::users::store::{NewAccount, Taken};

/// Creates, reads, changes and deletes accounts.
pub(crate) struct Users {
    database: Database,
    hasher: Arc<PasswordHasher>,
    outbox: Outbox,
    reserved: ReservedUsernames,
}

impl Users {
    pub(crate) fn new(
        database: Database,
        hasher: Arc<PasswordHasher>,
        outbox: Outbox,
        reserved: ReservedUsernames,
    ) -> Self {
        Self {
            database,
            hasher,
            outbox,
            reserved,
        }
    }

    pub(super) async fn create(&self, new: NewUser) -> Result<User, Problem> {
        let NewUser {
            username,
            email,
            password,
            invitation,
        } = new;
        let code = invitation.as_ref().map(SecretCode::hash);
        let reserved = self.reserved.refuse(&username);
        reserved.map_err(|Invalid(detail)| {
            Problem::Invalid(vec![FieldError::field("username", detail)])
        })?;
        if let Some(code) = &code
            && !invitations::store::is_open(&self.database, code).await?
        {
            return Err(Problem::InvitationInvalid);
        }
        let hash = self.hash(password).await?;
        let account = NewAccount {
            username: &username,
            email: &email,
            password_hash: &hash,
        };
        match store::insert(&self.database, &self.outbox, &account, code.as_ref()).await {
            Ok(false) => Err(Problem::InvitationInvalid),
            Err(Error::Duplicate) => {
                let taken = store::taken(&self.database, &username, &email).await?;
                Err(conflict(taken))
            }
            outcome => {
                outcome?;
                self.outbox.announce();
                Ok(User::new(username, email))
            }
        }
    }

    /// The caller's account.
    pub(crate) async fn account(&self, caller: &Caller) -> Result<Account, Problem> {
        let account = store::account(&self.database, caller).await?;
        // The account may have been deleted after the guard checked the token.
        account.ok_or(Problem::InvalidToken)
    }

    pub(super) async fn revoke_tokens(&self, caller: &Caller) -> Result<(), Problem> {
        Ok(store::revoke_tokens(&self.database, caller).await?)
    }

    /// Revokes the owner's tokens as well.
    pub(super) async fn change_password(
        &self,
        owner: &Reauthenticated<'_>,
        new_password: NewPassword,
    ) -> Result<(), Problem> {
        let new_password = new_password
            .for_mailbox(owner.email())
            .map_err(refused_password)?;
        let hash = self.hash(new_password).await?;
        if !store::change_password(&self.database, &self.outbox, owner, &hash).await? {
            return Err(Problem::InvalidToken);
        }
        self.outbox.announce();
        Ok(())
    }

    pub(super) async fn delete(&self, owner: &Reauthenticated<'_>) -> Result<(), Problem> {
        let is_deleted = store::delete(&self.database, owner).await?;
        is_deleted.then_some(()).ok_or(Problem::InvalidToken)
    }

    async fn hash(&self, password: NewPassword) -> Result<String, Problem> {
        let permit = self.hasher.try_reserve()?;
        Ok(permit.hash(password.into_secret()).await?)
    }
}

fn conflict(taken: Taken) -> Problem {
    let is_taken = |name| FieldError::field(name, "is taken");
    let errors = [
        taken.username.then(|| is_taken("username")),
        taken.email.then(|| is_taken("email")),
    ];
    Problem::Conflict(errors.into_iter().flatten().collect())
}

//! Checks passwords: at login, and again before operations for which an access token alone must not suffice.

use std::sync::Arc;

use crate::auth::argon2id::Verification;
use crate::auth::caller::Caller;
use crate::auth::hasher::{HashPermit, PasswordHasher};
use crate::auth::store;
use crate::auth::store::Credentials;
use crate::auth::tokens::Claims;
use crate::db::Database;
use crate::http::problem::Problem;
use crate::model::email::Email;
use crate::model::password::SubmittedPassword;
use crate::model::user::{UserId, Username};

/// Compares passwords with those of the accounts.
pub(crate) struct Authenticator {
    database: Database,
    hasher: Arc<PasswordHasher>,
}

/// A caller whose password was checked within this request. Functions that change or delete an account require it, so
/// that none can be called with a stolen token alone. Only [`Authenticator::reauthenticate`] creates it.
pub(crate) struct Reauthenticated<'a> {
    caller: &'a Caller,
    email: Email,
}

impl Reauthenticated<'_> {
    pub(crate) fn id(&self) -> UserId {
        self.caller.id()
    }

    pub(crate) fn username(&self) -> &Username {
        self.caller.username()
    }

    /// The address of the account when the password was checked.
    pub(crate) fn email(&self) -> &Email {
        &self.email
    }

    /// The epoch in which the password was correct. A change of the password ends it.
    pub(crate) fn token_epoch(&self) -> u32 {
        self.caller.token_epoch()
    }
}

impl Authenticator {
    pub(crate) fn new(database: Database, hasher: Arc<PasswordHasher>) -> Self {
        Self { database, hasher }
    }

    /// The claims of a token for the user with this name and password. An unknown name takes the same time and has the
    /// same result as a wrong password.
    pub(crate) async fn log_in(
        &self,
        username: &str,
        password: SubmittedPassword,
    ) -> Result<Claims, Problem> {
        let permit = self.hasher.try_reserve()?;
        let account = match Username::parse(username.to_owned()) {
            Ok(username) => store::credentials(&self.database, &username).await?,
            Err(_) => None,
        };
        let account = self.check(permit, password, account).await?;
        let account = account.ok_or(Problem::WrongCredentials)?;
        // Only the right password reveals it.
        if account.is_suspended {
            return Err(Problem::AccountSuspended);
        }
        Ok(Claims {
            user: account.id,
            epoch: account.token_epoch,
        })
    }

    /// Checks the password of a caller.
    pub(crate) async fn reauthenticate<'a>(
        &self,
        caller: &'a Caller,
        password: SubmittedPassword,
    ) -> Result<Reauthenticated<'a>, Problem> {
        let permit = self.hasher.try_reserve()?;
        let account = store::credentials(&self.database, caller.username()).await?;
        if account.as_ref().is_some_and(|account| account.is_suspended) {
            return Err(Problem::AccountSuspended);
        }
        let is_current = |account: &Credentials| {
            account.id == caller.id() && account.token_epoch == caller.token_epoch()
        };
        // Otherwise the account was deleted or the token revoked after the guard had checked it.
        let account = account.filter(is_current).ok_or(Problem::InvalidToken)?;
        let account = self.check(permit, password, Some(account)).await?;
        let account = account.ok_or(Problem::WrongPassword)?;
        Ok(Reauthenticated {
            caller,
            email: account.email,
        })
    }

    /// The account, if the password is correct.
    async fn check(
        &self,
        permit: HashPermit<'_>,
        password: SubmittedPassword,
        account: Option<Credentials>,
    ) -> Result<Option<Credentials>, Problem> {
        let stored = account
            .as_ref()
            .map(|account| account.password_hash.clone());
        let Verification::Correct { new_hash } = permit.verify(password, stored).await? else {
            return Ok(None);
        };
        if let (Some(account), Some(new_hash)) = (&account, new_hash) {
            self.replace_hash(account, &new_hash).await;
        }
        Ok(account)
    }

    /// The password was correct, so the request succeeds even if the new hash cannot be stored; the next one tries
    /// again.
    async fn replace_hash(&self, account: &Credentials, new_hash: &str) {
        let old_hash = &account.password_hash;
        let outcome = store::replace_hash(&self.database, account.id, old_hash, new_hash).await;
        if let Err(error) = outcome {
            tracing::warn!("an outdated password hash could not be replaced: {error}");
        }
    }
}

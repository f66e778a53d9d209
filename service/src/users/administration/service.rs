//! The operator's work on accounts, as the commands use it.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::Serialize;

use crate::auth::PasswordHasher;
use crate::db::{Database, Error, with_connection};
use crate::mail::Outbox;
use crate::model::email::Email;
use crate::model::invalid::Invalid;
use crate::model::password::NewPassword;
use crate::model::secret_code::SecretCode;
use crate::model::timestamp;
use crate::model::user::Username;
use crate::users::administration::store;
use crate::users::administration::store::{AccountRecord, Change};
use crate::users::invitations;
use crate::users::store::{NewAccount, insert, taken};

/// The reason why a command failed, for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdministrationError {
    #[error("there is no user '{0}'")]
    UnknownUser(Username),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Database(#[from] Error),
}

/// A new account, with the password that was generated for it, if any.
#[derive(Debug, Serialize)]
pub(crate) struct CreatedAccount {
    pub(crate) username: Username,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
}

/// A new invitation of the operator.
#[derive(Debug, Serialize)]
pub(crate) struct OperatorInvitation {
    pub(crate) code: String,
    #[serde(serialize_with = "timestamp::rfc3339")]
    pub(crate) expires_at: DateTime<Utc>,
}

/// Reads and changes accounts without their owners' passwords.
pub(crate) struct Administration {
    database: Database,
}

impl Administration {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Accounts in the order of their names, after this one.
    pub(crate) async fn list(
        &self,
        after: &str,
        limit: u32,
        only_suspended: bool,
    ) -> Result<Vec<AccountRecord>, AdministrationError> {
        Ok(store::accounts(&self.database, after, limit, only_suspended).await?)
    }

    pub(crate) async fn show(
        &self,
        username: Username,
    ) -> Result<AccountRecord, AdministrationError> {
        let account = store::account(&self.database, &username).await?;
        account.ok_or(AdministrationError::UnknownUser(username))
    }

    /// Creates an account with this password or a generated one. The operator may use reserved names.
    pub(crate) async fn create(
        &self,
        username: Username,
        email: Email,
        password: Option<String>,
    ) -> Result<CreatedAccount, AdministrationError> {
        let (password, generated) = chosen_or_generated(password, &username, &email)?;
        let hash = hash(password).await?;
        let new = NewAccount {
            username: &username,
            email: &email,
            password_hash: &hash,
        };
        // Without a mail, as all commands.
        match insert(&self.database, &Outbox::off(), &new, None).await {
            Err(Error::Duplicate) => {
                let taken = taken(&self.database, &username, &email).await?;
                let name = if taken.username {
                    "username"
                } else {
                    "e-mail address"
                };
                let reason = format!("another account has this {name}");
                Err(AdministrationError::Refused(reason))
            }
            outcome => {
                outcome?;
                Ok(CreatedAccount {
                    username,
                    password: generated,
                })
            }
        }
    }

    /// Makes an invitation that expires after so many days.
    pub(crate) async fn invite(
        &self,
        days: u16,
    ) -> Result<OperatorInvitation, AdministrationError> {
        let (code, now) = (SecretCode::random(), Utc::now().trunc_subsecs(3));
        let lifetime = TimeDelta::days(days.into());
        with_connection!(self.database, |connection| {
            invitations::store::insert(connection, None, &code, now, lifetime).await
        })?;
        Ok(OperatorInvitation {
            code: code.expose().to_owned(),
            expires_at: now + lifetime,
        })
    }

    /// Suspends an account: its requests are refused, and its event streams end.
    pub(crate) async fn suspend(&self, username: Username) -> Result<(), AdministrationError> {
        self.change(username, Change::Suspend).await
    }

    /// Ends the suspension of an account.
    pub(crate) async fn resume(&self, username: Username) -> Result<(), AdministrationError> {
        self.change(username, Change::Resume).await
    }

    /// Replaces the password by this one or a generated one, and revokes all tokens.
    pub(crate) async fn reset_password(
        &self,
        username: Username,
        password: Option<String>,
    ) -> Result<CreatedAccount, AdministrationError> {
        let account = self.show(username).await?;
        let (password, generated) =
            chosen_or_generated(password, &account.username, &account.email)?;
        let hash = hash(password).await?;
        let change = Change::ResetPassword(&hash);
        self.change(account.username.clone(), change).await?;
        Ok(CreatedAccount {
            username: account.username,
            password: generated,
        })
    }

    /// Revokes all tokens of an account.
    pub(crate) async fn revoke_tokens(
        &self,
        username: Username,
    ) -> Result<(), AdministrationError> {
        self.change(username, Change::RevokeTokens).await
    }

    /// Deletes an account, and in the background the messages that it sent.
    pub(crate) async fn delete(&self, username: Username) -> Result<(), AdministrationError> {
        self.change(username, Change::Delete).await
    }

    async fn change(
        &self,
        username: Username,
        change: Change<'_>,
    ) -> Result<(), AdministrationError> {
        if store::change(&self.database, &username, change).await? {
            return Ok(());
        }
        Err(AdministrationError::UnknownUser(username))
    }
}

/// A password that the operator chose, or a generated one with its text.
fn chosen_or_generated(
    chosen: Option<String>,
    username: &Username,
    email: &Email,
) -> Result<(NewPassword, Option<String>), AdministrationError> {
    let generated = match chosen {
        Some(_) => None,
        None => Some(SecretCode::random().expose().to_owned()),
    };
    let text = chosen.or_else(|| generated.clone()).unwrap_or_default();
    NewPassword::parse(text)
        .and_then(|password| password.for_user(username))
        .and_then(|password| password.for_mailbox(email))
        .map(|password| (password, generated))
        .map_err(|Invalid(reason)| AdministrationError::Refused(format!("the password {reason}")))
}

async fn hash(password: NewPassword) -> Result<String, AdministrationError> {
    let failed = |_| AdministrationError::Refused("the password cannot be hashed".to_owned());
    let hasher = PasswordHasher::start();
    let permit = hasher
        .try_reserve()
        .map_err(|_| AdministrationError::Refused("too many passwords at once".to_owned()))?;
    permit.hash(password.into_secret()).await.map_err(failed)
}

//! Addresses, as handlers use them.

use crate::auth::{Caller, Reauthenticated};
use crate::db::{Database, Error};
use crate::http::problem::Problem;
use crate::mail::{Kind, Outbox, codes};
use crate::model::email::Email;
use crate::model::invalid::FieldError;
use crate::model::secret_code::SecretCode;
use crate::users::emails::store;
use crate::users::emails::store::EmailChanged;
use crate::users::responses::User;

/// Changes addresses, and verifies them.
pub(crate) struct Emails {
    database: Database,
    outbox: Outbox,
}

impl Emails {
    pub(super) fn new(database: Database, outbox: Outbox) -> Self {
        Self { database, outbox }
    }

    /// Changes the address at once or, if the service sends mails, has a code sent to the new one.
    pub(super) async fn change(
        &self,
        owner: &Reauthenticated<'_>,
        email: Email,
    ) -> Result<User, Problem> {
        let username = owner.username().clone();
        match store::change(&self.database, &self.outbox, owner, &email).await {
            Err(Error::Duplicate) => Err(taken("email", "is taken")),
            outcome => match outcome? {
                EmailChanged::AtOnce => Ok(User::new(username, email)),
                EmailChanged::Pending { current } => {
                    self.outbox.announce();
                    Ok(User::with_pending(username, current, email))
                }
                EmailChanged::TokenRevoked => Err(Problem::InvalidToken),
            },
        }
    }

    /// Has a code sent to the address that is to be verified, if there is one.
    pub(super) async fn request_verification(&self, caller: &Caller) -> Result<(), Problem> {
        store::request_verification(&self.database, &self.outbox, caller).await?;
        self.outbox.announce();
        Ok(())
    }

    /// Verifies the address that the code was sent to.
    pub(super) async fn complete_verification(&self, code: &SecretCode) -> Result<User, Problem> {
        let code = code.hash();
        let owner = codes::owner(&self.database, Kind::EmailVerification, &code).await?;
        let owner = owner.ok_or(Problem::CodeInvalid)?;
        match store::verify(&self.database, &self.outbox, &owner, &code).await {
            // Only the owner of the mailbox learns it.
            Err(Error::Duplicate) => {
                let detail = "is for an address that another account has";
                Err(taken("code", detail))
            }
            outcome => {
                let verified = outcome?.ok_or(Problem::CodeInvalid)?;
                self.outbox.announce();
                Ok(User {
                    pending_email: verified.pending,
                    ..User::new(owner.username, verified.email)
                })
            }
        }
    }
}

fn taken(field: &'static str, detail: &'static str) -> Problem {
    Problem::Conflict(vec![FieldError::field(field, detail)])
}

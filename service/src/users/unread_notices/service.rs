//! Notices of unread messages, as handlers use them.

use crate::auth::Caller;
use crate::db::Database;
use crate::http::problem::Problem;
use crate::mail::{Kind, Outbox, codes};
use crate::model::secret_code::SecretCode;
use crate::model::unread_notices::UnreadNotices as Setting;
use crate::model::user::UserId;
use crate::users::unread_notices::store;

/// Turns notices on and off.
pub(crate) struct UnreadNotices {
    database: Database,
    outbox: Outbox,
}

impl UnreadNotices {
    pub(super) fn new(database: Database, outbox: Outbox) -> Self {
        Self { database, outbox }
    }

    /// Has the caller told of messages that arrive from now on.
    pub(super) async fn turn_on(&self, caller: &Caller, setting: Setting) -> Result<(), Problem> {
        let is_on = store::turn_on(&self.database, caller, setting).await?;
        is_on.then_some(()).ok_or(Problem::InvalidToken)
    }

    /// Has the caller told no more.
    pub(super) async fn turn_off(&self, caller: &Caller) -> Result<(), Problem> {
        Ok(store::turn_off(&self.database, caller.id()).await?)
    }

    /// Has the account told no more that a code was sent to. The code stays valid, since mail programs may repeat the
    /// request.
    pub(super) async fn stop(&self, code: &SecretCode) -> Result<(), Problem> {
        let owner = codes::owner(&self.database, Kind::UnreadMessages, &code.hash()).await?;
        let owner = owner.ok_or(Problem::CodeInvalid)?;
        Ok(store::turn_off(&self.database, owner.user).await?)
    }

    /// Records that a user has signed in, so that later messages cause a mail again. The sign-in succeeds even if that
    /// cannot be stored.
    pub(in crate::users) async fn record_return(&self, user: UserId) {
        if !self.outbox.is_on() {
            return;
        }
        if let Err(error) = store::record_return(&self.database, user).await {
            tracing::warn!("the return of a user could not be recorded: {error}");
        }
    }
}

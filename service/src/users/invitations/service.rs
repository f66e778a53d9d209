//! The invitations of accounts, as handlers use them.

use std::time::Duration;

use chrono::Utc;

use crate::auth::Caller;
use crate::db::Database;
use crate::http::problem::Problem;
use crate::model::invitation::{Invitation, InvitationId, NewInvitation};
use crate::users::invitations::store;
use crate::users::invitations::store::Invited;

/// Makes, lists and withdraws invitations.
pub(crate) struct Invitations {
    database: Database,
    /// The invitations that an account may make in their lifetime; 0 if only the operator invites.
    quota: u32,
}

impl Invitations {
    pub(super) fn new(database: Database, quota: u32) -> Self {
        Self { database, quota }
    }

    pub(super) async fn invite(&self, caller: &Caller) -> Result<NewInvitation, Problem> {
        if self.quota == 0 {
            return Err(Problem::InvitationsOff);
        }
        match store::invite(&self.database, caller, self.quota).await? {
            Invited::New(invitation) => Ok(invitation),
            Invited::QuotaUsed(until) => {
                let wait = (until - Utc::now()).to_std().unwrap_or(Duration::ZERO);
                Err(Problem::TooManyInvitations(wait))
            }
            Invited::TokenRevoked => Err(Problem::InvalidToken),
        }
    }

    /// The caller's open invitations, the newest first.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<Invitation>, Problem> {
        Ok(store::open_invitations(&self.database, caller).await?)
    }

    pub(super) async fn withdraw(&self, caller: &Caller, id: InvitationId) -> Result<(), Problem> {
        let existed = store::withdraw(&self.database, caller, id).await?;
        existed.then_some(()).ok_or(Problem::NotFound)
    }
}

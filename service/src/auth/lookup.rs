//! The batched token lookup: every request with a token needs the current state of the token's user.

use std::sync::Arc;

use crate::auth::store;
use crate::auth::store::Identity;
use crate::db::{Batch, BatchLimits, BatchOutcome, Batcher, Database, Error};
use crate::model::user::UserId;

/// The lookup of one user.
struct LookupRequest(UserId);

impl Batch for LookupRequest {
    type Context = Database;
    type Output = Option<Identity>;

    /// One statement at a time, stragglers aside: it is short, and the same for one user as for many.
    const LIMITS: BatchLimits = BatchLimits {
        concurrency: 1,
        max_in_flight: 16,
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, database: &Database) -> Result<Option<Identity>, Error> {
        Ok(store::identities(database, &[self.0]).await?.pop())
    }

    async fn run_batch(
        database: &Database,
        lookups: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Option<Identity>>>, Error> {
        let users: Vec<_> = lookups.iter().map(|lookup| lookup.0).collect();
        let found = store::identities(database, &users).await?;
        let identity = |user: &UserId| found.iter().find(|one| one.id == *user).cloned();
        Ok(users.iter().map(identity).map(BatchOutcome::Done).collect())
    }
}

/// Looks users up, with one statement for concurrent requests. Nothing is cached: the result is never older than the
/// request.
pub(crate) struct IdentityLookup(Batcher<LookupRequest>);

impl IdentityLookup {
    pub(crate) fn new(database: Database) -> Self {
        Self(Batcher::new(database))
    }

    /// The user's current identity, which tokens are checked against; `None` if the user does not exist any more.
    pub(crate) async fn find(&self, user: UserId) -> Result<Option<Identity>, Error> {
        self.0.submit(LookupRequest(user)).await
    }
}

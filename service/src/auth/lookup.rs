//! The batched token lookup: every request with a token needs the user that the token names.

use std::sync::Arc;

use crate::auth::store;
use crate::auth::store::Identity;
use crate::db::{Batch, BatchLimits, BatchOutcome, Batcher, Database, Error};
use crate::model::user::UserId;

/// The lookup of one user.
struct Lookup(UserId);

impl Batch for Lookup {
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

/// Looks users up for concurrent requests, with one statement for all of them. Nothing is cached: each request sees its
/// user as of after its arrival.
pub(crate) struct Identities(Batcher<Lookup>);

impl Identities {
    pub(crate) fn new(database: Database) -> Self {
        Self(Batcher::new(database))
    }

    /// The user's current identity, which tokens are checked against; `None` if there is no such user any more.
    pub(crate) async fn of(&self, user: UserId) -> Result<Option<Identity>, Error> {
        self.0.submit(Lookup(user)).await
    }
}

//! Work of several callers that is done in one transaction or statement, because they came at the same time.

use std::sync::Arc;

use rocket::tokio::sync::Semaphore;
use rocket::tokio::time::timeout;

use crate::db::{DEADLINE, Database, Error, Gather, LARGEST_ROUND, Rounds, is_lock_wait};

/// A piece of work that can be done together with others of its kind.
pub(crate) trait Work: Send + Sync + Sized + 'static {
    /// How much of it is done together. MySQL takes less time for each piece of work the more of them share a
    /// transaction; a second transaction works while the first waits for the disk. Of sends this also bounds how many ids
    /// of messages are given out and not yet committed, which listeners count on (`live::WINDOW`).
    const ROUNDS: Rounds = Rounds {
        lanes: 2,
        most_lanes: 4,
        least: LARGEST_ROUND,
        largest: LARGEST_ROUND,
    };

    /// How many pieces that could not be done with others are done alone at the same time. Each may wait for a lock, and
    /// keeps a connection meanwhile, which others need.
    const MOST_HELD: usize = Semaphore::MAX_PERMITS;

    /// What came of it.
    type Outcome: Send + 'static;

    /// Does it in a transaction or a statement of its own.
    fn alone(
        &self,
        database: &Database,
    ) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;

    /// Does all of it in one transaction; one outcome for each, in their order. `None` for each that was not done and has
    /// to be done alone: because another transaction holds a lock for long, or who comes first decides about it. At most
    /// as many pieces as [`ROUNDS`](Self::ROUNDS) says.
    fn together(
        database: &Database,
        all: &[Arc<Self>],
    ) -> impl Future<Output = Result<Vec<Option<Self::Outcome>>, Error>> + Send;
}

/// The outcomes where each piece has to be done alone.
pub(crate) fn each_alone<W: Work>(all: &[Arc<W>]) -> Vec<Option<W::Outcome>> {
    all.iter().map(|_| None).collect()
}

/// What [`Work::together`] says where another transaction holds a lock for long: the others must not wait for that.
pub(crate) fn unless_locked<W: Work>(
    all: &[Arc<W>],
    outcomes: sqlx::Result<Vec<Option<W::Outcome>>>,
) -> sqlx::Result<Vec<Option<W::Outcome>>> {
    match outcomes {
        Err(fault) if is_lock_wait(&fault) => Ok(each_alone(all)),
        outcomes => outcomes,
    }
}

/// Does work of one kind, and what comes together in one transaction. A change is acknowledged when it is committed; what else
/// was done with it nobody can tell.
pub(crate) struct Shared<W: Work> {
    database: Database,
    gather: Gather<Arc<W>, Option<W::Outcome>>,
    held: Semaphore,
}

impl<W: Work> Shared<W> {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            gather: Gather::new(W::ROUNDS),
            held: Semaphore::new(W::MOST_HELD),
        }
    }

    /// Does one piece of work, alone or with others.
    pub(crate) async fn carry_out(&self, work: Arc<W>) -> Result<W::Outcome, Error> {
        let database = self.database.clone();
        let all_of_them = move |all: Vec<Arc<W>>| {
            let database = database.clone();
            async move { carry_out_all(&database, &all).await }
        };
        if let Some(outcome) = self.gather.ask(Arc::clone(&work), all_of_them).await? {
            return Ok(outcome);
        }
        let place = timeout(DEADLINE, self.held.acquire()).await;
        let _place =
            place.map_err(|_| Error::Unavailable("others wait for the same locks".to_owned()))?;
        work.alone(&self.database).await
    }
}

/// `None` for each that has to be done alone, within its own time, so that none fails because of another. One that came
/// alone takes the shortest way.
async fn carry_out_all<W: Work>(
    database: &Database,
    all: &[Arc<W>],
) -> Result<Vec<Option<W::Outcome>>, Error> {
    if let [one] = all {
        return Ok(vec![Some(one.alone(database).await?)]);
    }
    match W::together(database, all).await {
        Err(Error::Broken(fault)) => {
            tracing::warn!("{} pieces of work are done one by one: {fault}", all.len());
            Ok(each_alone(all))
        }
        outcomes => outcomes,
    }
}

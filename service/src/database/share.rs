//! Work of several callers that is done in one transaction or statement, because they came at the same time.

use std::sync::Arc;

use super::{Database, Error, Gather, LARGEST_ROUND, Rounds, is_lock_wait};

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

    /// What came of it.
    type Outcome: Send + 'static;

    /// Does it in a transaction or a statement of its own.
    fn alone(
        &self,
        database: &Database,
    ) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;

    /// Does all of it in one transaction; one outcome for each, in their order. `None` if nothing was done and each has to be
    /// done alone: because somebody holds a lock for long, or who comes first decides about one of them. At most as many
    /// pieces as [`ROUNDS`](Self::ROUNDS) says.
    fn together(
        database: &Database,
        all: &[Arc<Self>],
    ) -> impl Future<Output = Result<Option<Vec<Self::Outcome>>, Error>> + Send;
}

/// What [`Work::together`] says where somebody holds a lock for long: the others must not wait for that.
pub(crate) fn unless_locked<T>(outcome: sqlx::Result<Option<T>>) -> sqlx::Result<Option<T>> {
    match outcome {
        Err(fault) if is_lock_wait(&fault) => Ok(None),
        outcome => outcome,
    }
}

/// Does work of one kind, and what comes together in one transaction. A change is acknowledged when it is committed; what else
/// was done with it nobody can tell.
pub(crate) struct Shared<W: Work> {
    database: Database,
    gather: Gather<Arc<W>, Option<W::Outcome>>,
}

impl<W: Work> Shared<W> {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            gather: Gather::new(W::ROUNDS),
        }
    }

    /// Does one piece of work, alone or with others.
    pub(crate) async fn carry_out(&self, work: Arc<W>) -> Result<W::Outcome, Error> {
        let database = self.database.clone();
        let all_of_them = move |all: Vec<Arc<W>>| {
            let database = database.clone();
            async move { carry_out_all(&database, &all).await }
        };
        match self.gather.ask(Arc::clone(&work), all_of_them).await? {
            Some(outcome) => Ok(outcome),
            None => work.alone(&self.database).await,
        }
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
    let outcomes = match W::together(database, all).await {
        Ok(outcomes) => outcomes,
        Err(Error::Broken(fault)) => {
            tracing::warn!("{} pieces of work are done one by one: {fault}", all.len());
            None
        }
        Err(fault) => return Err(fault),
    };
    Ok(match outcomes {
        Some(outcomes) => outcomes.into_iter().map(Some).collect(),
        None => all.iter().map(|_| None).collect(),
    })
}

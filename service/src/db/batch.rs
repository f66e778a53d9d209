//! Batching: requests that arrive while others of their kind are running share the next statement or transaction.
//! For changes this is a group commit.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::futures::FutureExt as _;
use rocket::tokio::pin;
use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use rocket::tokio::time::{timeout, timeout_at};

use crate::db::error::Error;
use crate::db::error_codes::is_conflict;
use crate::db::time_budget::{DatabaseWait, spent};

/// The largest batch of any kind.
pub(crate) const MAX_BATCH: usize = 64;
/// A batch that runs longer frees its slot for the next one, so that a single connection that hangs does not stop all.
const STRAGGLER_TIMEOUT: Duration = Duration::from_millis(50);

/// The limits on the size and number of batches.
#[derive(Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Batches that run at once, stragglers aside. The more there are, the smaller they are.
    pub(crate) concurrency: usize,
    /// The same with stragglers. An item that runs alone does not count, since it delays only its own request.
    pub(crate) max_in_flight: usize,
    /// A batch takes at least this many of the queued items, if there are as many.
    pub(crate) min_batch: usize,
    /// Up to [`MAX_BATCH`].
    pub(crate) max_batch: usize,
    /// Items that run concurrently outside of batches: those that arrive alone, and those that their batch could not
    /// run. Each may wait for a lock, and occupies a connection meanwhile.
    pub(crate) max_individual: usize,
}

impl BatchLimits {
    /// The larger the batch, the less a commit costs per item; a second batch runs while the first waits for the disk.
    /// This also bounds how many ids of messages and changes are allocated and not yet committed; see
    /// `live::followed_table`.
    pub(crate) const GROUP_COMMIT: Self = Self {
        concurrency: 2,
        max_in_flight: 4,
        min_batch: MAX_BATCH,
        max_batch: MAX_BATCH,
        max_individual: Semaphore::MAX_PERMITS,
    };

    /// The size of the next batch: an even share of the queue.
    fn batch_size(&self, queued: usize) -> usize {
        let share = queued.div_ceil(self.concurrency);
        share.clamp(self.min_batch, self.max_batch).min(queued)
    }
}

/// The result of one item of a batch.
#[derive(Debug)]
pub(crate) enum BatchOutcome<T> {
    /// The batch completed the item.
    Done(T),
    /// The batch had no effect on the item, which must run individually: another transaction holds a lock that the rest
    /// of the batch must not wait for, or the result depends on the order of the items.
    RunIndividually,
}

/// An item that can run in a batch with others of its type.
pub(crate) trait Batch: Send + Sync + Sized + 'static {
    /// The database and other resources that all items share.
    type Context: Send + Sync + 'static;
    /// The result of an item.
    type Output: Send + 'static;

    const LIMITS: BatchLimits;

    /// Runs the item in a statement or transaction of its own.
    fn run_one(
        &self,
        context: &Self::Context,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Runs items in one statement or transaction. Returns an outcome for each item, in their order.
    fn run_batch(
        context: &Self::Context,
        items: &[Arc<Self>],
    ) -> impl Future<Output = Result<Vec<BatchOutcome<Self::Output>>, Error>> + Send;
}

/// The outcomes of a batch that had no effect.
pub(crate) fn run_individually<T, U>(items: &[T]) -> Vec<BatchOutcome<U>> {
    items
        .iter()
        .map(|_| BatchOutcome::RunIndividually)
        .collect()
}

/// Lets the items run individually if the batch timed out waiting for a lock, so that only the item that needs it
/// waits; or if another transaction has meanwhile inserted a row that one of them inserts, too.
pub(crate) fn unless_in_conflict<T, U>(
    items: &[T],
    outcomes: sqlx::Result<Vec<BatchOutcome<U>>>,
) -> sqlx::Result<Vec<BatchOutcome<U>>> {
    match outcomes {
        Err(error) if is_conflict(&error) => Ok(run_individually(items)),
        outcomes => outcomes,
    }
}

/// Runs items of one type. An item that arrives alone runs at once; items that arrive while batches run wait for the
/// next one. A batch contains only items that were already queued, so no result predates its request.
pub(crate) struct Batcher<B: Batch> {
    inner: Arc<Inner<B>>,
}

struct Inner<B: Batch> {
    context: B::Context,
    queue: Mutex<VecDeque<Queued<B>>>,
    /// One permit for each of the [`concurrency`](BatchLimits::concurrency) runners; stragglers hold none.
    slots: Arc<Semaphore>,
    /// One permit for each batch, stragglers included.
    in_flight: Semaphore,
    /// One permit for each item that runs outside of batches. Without one, an item that arrives alone is a batch.
    individual: Semaphore,
}

type Outcome<B> = Result<BatchOutcome<<B as Batch>::Output>, Error>;
type Queued<B> = (Arc<B>, oneshot::Sender<Outcome<B>>);

impl<B: Batch> Batcher<B> {
    pub(crate) fn new(context: B::Context) -> Self {
        let inner = Inner {
            context,
            queue: Mutex::default(),
            slots: Arc::new(Semaphore::new(B::LIMITS.concurrency)),
            in_flight: Semaphore::new(B::LIMITS.max_in_flight),
            individual: Semaphore::new(B::LIMITS.max_individual),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Runs an item, in a batch if others are running. A batch that has begun runs to its end, whether or not its
    /// waiters are cancelled; a queued item is dropped with its waiter.
    pub(crate) async fn submit(&self, item: impl Into<Arc<B>>) -> Result<B::Output, Error> {
        let wait = DatabaseWait::begin();
        if wait.is_over() {
            return Err(spent());
        }
        let item = item.into();
        let (sender, receiver) = oneshot::channel();
        self.inner.queue().push_back((Arc::clone(&item), sender));
        self.inner.start_runner();
        let Ok(Ok(outcome)) = timeout_at(wait.deadline(), receiver).await else {
            return Err(Error::Unavailable("no batch ran in time".to_owned()));
        };
        drop(wait);
        match outcome? {
            BatchOutcome::Done(output) => Ok(output),
            BatchOutcome::RunIndividually => {
                let wait = DatabaseWait::begin();
                let permit = timeout_at(wait.deadline(), self.inner.individual.acquire()).await;
                let _permit = permit
                    .map_err(|_| Error::Unavailable("others wait for the same locks".to_owned()))?;
                drop(wait);
                item.run_one(&self.inner.context).await
            }
        }
    }
}

impl<B: Batch> Inner<B> {
    /// A poisoned lock is usable, because no code panics while it changes the queue.
    fn queue(&self) -> MutexGuard<'_, VecDeque<Queued<B>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a runner if items are queued and a slot is free.
    fn start_runner(self: &Arc<Self>) {
        if self.queue().is_empty() {
            return;
        }
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            rocket::tokio::spawn(Arc::clone(self).run_batches(slot));
        }
    }

    /// Runs batches until the queue is empty, or one of them is a straggler and hands the slot to another runner.
    async fn run_batches(self: Arc<Self>, slot: OwnedSemaphorePermit) {
        loop {
            // Never closed, and each batch in flight is bounded by its unit of work.
            let permit = self.in_flight.acquire().await;
            let batch = self.next_batch();
            if batch.is_empty() {
                break;
            }
            let alone = self
                .individual
                .try_acquire()
                .ok()
                .filter(|_| batch.len() == 1);
            let _in_flight = permit.ok().filter(|_| alone.is_none());
            // A panic drops the senders of its batch only.
            let run = AssertUnwindSafe(self.run(batch, alone.is_some())).catch_unwind();
            pin!(run);
            if timeout(STRAGGLER_TIMEOUT, &mut run).await.is_err() {
                drop(slot);
                self.start_runner();
                let _ = run.await;
                return;
            }
        }
        drop(slot);
        // An item may have been queued after the queue was found empty and before the slot became free.
        self.start_runner();
    }

    /// Takes the next batch from the queue, without the items whose waiters are gone.
    fn next_batch(&self) -> Vec<Queued<B>> {
        let mut queue = self.queue();
        queue.retain(|(_, sender)| !sender.is_closed());
        let size = B::LIMITS.batch_size(queue.len());
        queue.drain(..size).collect()
    }

    /// Runs one batch and hands out its outcomes. A waiter that is gone misses none.
    async fn run(&self, batch: Vec<Queued<B>>, is_alone: bool) {
        let (items, senders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match self.outcomes(&items, is_alone).await {
            Ok(outcomes) => senders
                .into_iter()
                .zip(outcomes)
                .for_each(|(sender, outcome)| {
                    let _ = sender.send(Ok(outcome));
                }),
            Err(error) => senders.into_iter().for_each(|sender| {
                let _ = sender.send(Err(error.duplicate_for_waiter()));
            }),
        }
    }

    async fn outcomes(
        &self,
        items: &[Arc<B>],
        is_alone: bool,
    ) -> Result<Vec<BatchOutcome<B::Output>>, Error> {
        if let ([item], true) = (items, is_alone) {
            return Ok(vec![BatchOutcome::Done(item.run_one(&self.context).await?)]);
        }
        match B::run_batch(&self.context, items).await {
            // A statement that fails because of one item must not fail the others.
            Err(Error::Broken(error)) => {
                tracing::warn!(
                    "the {} items of a batch run individually: {error}",
                    items.len()
                );
                Ok(run_individually(items))
            }
            outcomes => outcomes,
        }
    }
}

#[cfg(test)]
mod tests;

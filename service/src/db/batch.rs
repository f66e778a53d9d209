//! Batching: requests that arrive while others of their kind are running share the next statement or transaction.
//! For changes this is a group commit.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::futures::FutureExt as _;
use rocket::tokio::pin;
use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use rocket::tokio::time::timeout;

use crate::db::{DEADLINE, Error, is_lock_wait};

/// The largest batch of any kind.
pub(crate) const MAX_BATCH: usize = 64;
/// A batch that runs longer frees its slot for the next one, so that a single connection that hangs does not stop all.
const STRAGGLER_TIMEOUT: Duration = Duration::from_millis(50);

/// How items are shared out among batches.
#[derive(Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Batches that run at once, stragglers aside. The more there are, the smaller they are.
    pub(crate) concurrency: usize,
    /// The same with stragglers. Batches of one item do not count, since each holds only its own request up.
    pub(crate) max_in_flight: usize,
    /// A batch takes this many of the queued items before it leaves any to a concurrent one.
    pub(crate) min_batch: usize,
    /// Up to [`MAX_BATCH`].
    pub(crate) max_batch: usize,
    /// Items that run at once after their batch left them to run individually. Each may wait for a lock, and keeps a
    /// connection meanwhile.
    pub(crate) max_individual: usize,
}

impl BatchLimits {
    /// A commit costs less per item the larger the batch is, and a second one works while the first waits for the disk.
    /// For sends, this also bounds how many message ids are allocated and not yet committed; see `live::WINDOW`.
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
    /// The database, and whatever else all items share.
    type Context: Send + Sync + 'static;
    /// The result of an item.
    type Output: Send + 'static;

    const LIMITS: BatchLimits;

    /// Runs the item in a statement or transaction of its own.
    fn run_one(
        &self,
        context: &Self::Context,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Runs two or more items in one statement or transaction. Returns an outcome for each item, in their order.
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

/// Lets the items run individually if the batch gave up waiting for a lock, so that only the item that needs it waits.
pub(crate) fn unless_locked<T, U>(
    items: &[T],
    outcomes: sqlx::Result<Vec<BatchOutcome<U>>>,
) -> sqlx::Result<Vec<BatchOutcome<U>>> {
    match outcomes {
        Err(fault) if is_lock_wait(&fault) => Ok(run_individually(items)),
        outcomes => outcomes,
    }
}

/// Runs items of one type. An item that arrives alone runs at once; items that arrive while batches run wait for the
/// next one. A batch contains only items that were already queued, so no result predates its request.
pub(crate) struct Batcher<B: Batch> {
    inner: Arc<Inner<B>>,
    individual: Semaphore,
}

struct Inner<B: Batch> {
    context: B::Context,
    queue: Mutex<VecDeque<Queued<B>>>,
    /// One permit for each of the [`concurrency`](BatchLimits::concurrency) runners; stragglers hold none.
    slots: Arc<Semaphore>,
    /// One permit for each batch of several items, stragglers included.
    in_flight: Semaphore,
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
        };
        Self {
            inner: Arc::new(inner),
            individual: Semaphore::new(B::LIMITS.max_individual),
        }
    }

    /// Runs an item, in a batch if others are running. A batch that has begun runs to its end, whether or not its
    /// waiters are cancelled; a queued item is dropped with its waiter.
    pub(crate) async fn submit(&self, item: impl Into<Arc<B>>) -> Result<B::Output, Error> {
        let item = item.into();
        let (sender, receiver) = oneshot::channel();
        self.inner.queue().push_back((Arc::clone(&item), sender));
        self.inner.start_runner();
        let Ok(Ok(outcome)) = timeout(DEADLINE, receiver).await else {
            return Err(Error::Unavailable("no batch ran in time".to_owned()));
        };
        match outcome? {
            BatchOutcome::Done(output) => Ok(output),
            BatchOutcome::RunIndividually => {
                let permit = timeout(DEADLINE, self.individual.acquire()).await;
                let _permit = permit
                    .map_err(|_| Error::Unavailable("others wait for the same locks".to_owned()))?;
                item.run_one(&self.inner.context).await
            }
        }
    }
}

impl<B: Batch> Inner<B> {
    /// A panic elsewhere leaves the queue intact.
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
            let _permit = permit.ok().filter(|_| batch.len() > 1);
            // A panic drops the senders of its batch; the queue goes on.
            let run = AssertUnwindSafe(self.run(batch)).catch_unwind();
            pin!(run);
            if timeout(STRAGGLER_TIMEOUT, &mut run).await.is_err() {
                drop(slot);
                self.start_runner();
                let _ = run.await;
                return;
            }
        }
        drop(slot);
        // For an item that was queued after the last look at the queue and before the slot became free.
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
    async fn run(&self, batch: Vec<Queued<B>>) {
        let (items, senders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match self.outcomes(&items).await {
            Ok(outcomes) => senders
                .into_iter()
                .zip(outcomes)
                .for_each(|(sender, outcome)| {
                    let _ = sender.send(Ok(outcome));
                }),
            Err(fault) => senders.into_iter().for_each(|sender| {
                let _ = sender.send(Err(fault.duplicate_for_waiter()));
            }),
        }
    }

    async fn outcomes(&self, items: &[Arc<B>]) -> Result<Vec<BatchOutcome<B::Output>>, Error> {
        if let [item] = items {
            return Ok(vec![BatchOutcome::Done(item.run_one(&self.context).await?)]);
        }
        match B::run_batch(&self.context, items).await {
            // A statement that fails because of one item must not fail the others.
            Err(Error::Broken(fault)) => {
                tracing::warn!(
                    "the {} items of a batch run individually: {fault}",
                    items.len()
                );
                Ok(run_individually(items))
            }
            outcomes => outcomes,
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::future::{join, join_all};
    use rocket::tokio::runtime;
    use rocket::tokio::task::yield_now;

    use super::*;

    /// Doubles numbers, each batch when the gate lets it pass.
    pub(crate) struct Gate {
        open: Semaphore,
        batches: Mutex<Vec<Vec<u32>>>,
    }

    impl Gate {
        async fn pass(&self, items: Vec<u32>) -> Vec<u32> {
            self.batches.lock().unwrap().push(items.clone());
            self.open.acquire().await.unwrap().forget();
            items.iter().map(|item| 2 * item).collect()
        }
    }

    const PANICS: u32 = 13;
    const RUNS_INDIVIDUALLY: u32 = 14;

    impl Batch for u32 {
        type Context = Gate;
        type Output = u32;

        const LIMITS: BatchLimits = BatchLimits {
            concurrency: 1,
            max_in_flight: 2,
            ..BatchLimits::GROUP_COMMIT
        };

        async fn run_one(&self, gate: &Gate) -> Result<u32, Error> {
            let doubled = gate.pass(vec![*self]).await[0];
            assert_ne!(*self, PANICS);
            Ok(doubled)
        }

        async fn run_batch(
            gate: &Gate,
            items: &[Arc<u32>],
        ) -> Result<Vec<BatchOutcome<u32>>, Error> {
            let doubled = gate.pass(items.iter().map(|item| **item).collect()).await;
            let outcome = |double| match double / 2 {
                RUNS_INDIVIDUALLY => BatchOutcome::RunIndividually,
                _ => BatchOutcome::Done(double),
            };
            Ok(doubled.into_iter().map(outcome).collect())
        }
    }

    fn batcher(open: usize) -> Batcher<u32> {
        Batcher::new(Gate {
            open: Semaphore::new(open),
            batches: Mutex::default(),
        })
    }

    fn batches(batcher: &Batcher<u32>) -> Vec<Vec<u32>> {
        batcher.inner.context.batches.lock().unwrap().clone()
    }

    async fn results(batcher: &Batcher<u32>, items: &[u32]) -> Vec<u32> {
        let results = join_all(items.iter().map(|item| batcher.submit(*item))).await;
        results.into_iter().map(Result::unwrap).collect()
    }

    /// Submits items while a batch of the first one runs, which then ends.
    async fn submit_behind(
        batcher: &Batcher<u32>,
        first: u32,
        items: &[u32],
    ) -> (Result<u32, Error>, Vec<u32>) {
        let behind = async {
            while batches(batcher).is_empty() {
                yield_now().await;
            }
            let open = async { batcher.inner.context.open.add_permits(10) };
            join(results(batcher, items), open).await.0
        };
        join(batcher.submit(first), behind).await
    }

    /// On one thread, items that are submitted together are queued before any of them runs.
    fn on_one_thread(test: impl Future<Output = ()>) {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn a_batch_takes_its_share_of_the_queue() {
        let limits = BatchLimits {
            concurrency: 4,
            min_batch: 3,
            max_batch: 8,
            ..BatchLimits::GROUP_COMMIT
        };
        let sizes = [0, 2, 3, 12, 13, 20, 32, 100].map(|queued| limits.batch_size(queued));
        assert_eq!(sizes, [0, 2, 3, 3, 4, 5, 8, 8]);
    }

    #[test]
    fn a_lone_item_runs_at_once() {
        on_one_thread(async {
            let batcher = batcher(10);
            for item in [1, 2] {
                assert_eq!(results(&batcher, &[item]).await, [2 * item]);
            }
            assert_eq!(batches(&batcher), [[1], [2]]);
        });
    }

    #[test]
    fn items_queued_behind_a_batch_share_the_next() {
        on_one_thread(async {
            let batcher = batcher(0);
            assert_eq!(submit_behind(&batcher, 0, &[1, 2, 3]).await.1, [2, 4, 6]);
            assert_eq!(batches(&batcher), [vec![0], vec![1, 2, 3]]);
        });
    }

    #[test]
    fn an_item_that_a_batch_cannot_do_runs_individually() {
        on_one_thread(async {
            let batcher = batcher(0);
            let items = [1, RUNS_INDIVIDUALLY, 2];
            let (_, results) = submit_behind(&batcher, 0, &items).await;
            assert_eq!(results, [2, 2 * RUNS_INDIVIDUALLY, 4]);
            let expected = [vec![0], items.to_vec(), vec![RUNS_INDIVIDUALLY]];
            assert_eq!(batches(&batcher), expected);
        });
    }

    #[test]
    fn the_items_of_a_cancelled_waiter_leave_the_queue() {
        on_one_thread(async {
            let batcher = batcher(0);
            let running = timeout(Duration::from_millis(1), batcher.submit(1_u32)).await;
            let queued = timeout(Duration::from_millis(1), batcher.submit(2_u32)).await;
            assert!(running.is_err() && queued.is_err());
            batcher.inner.context.open.add_permits(2);
            assert_eq!(results(&batcher, &[3]).await, [6]);
            assert_eq!(batches(&batcher), [[1], [3]]);
        });
    }

    #[test]
    fn a_straggler_frees_its_slot_up_to_the_limit_in_flight() {
        on_one_thread(async {
            let batcher = batcher(0);
            // One item alone does not count; two batches of several items do.
            for items in [&[1][..], &[2, 3], &[4, 5]] {
                let hangs = timeout(2 * STRAGGLER_TIMEOUT, results(&batcher, items));
                assert!(hangs.await.is_err());
            }
            assert_eq!(batches(&batcher), [vec![1], vec![2, 3], vec![4, 5]]);
            let waits = timeout(2 * STRAGGLER_TIMEOUT, results(&batcher, &[6]));
            assert!(waits.await.is_err());
            assert_eq!(batches(&batcher).len(), 3);
            batcher.inner.context.open.add_permits(10);
            assert_eq!(results(&batcher, &[7]).await, [14]);
        });
    }

    #[test]
    fn a_batch_that_panics_stops_no_other() {
        on_one_thread(async {
            let batcher = batcher(0);
            let (failed, others) = submit_behind(&batcher, PANICS, &[1, 2]).await;
            assert!(matches!(failed, Err(Error::Unavailable(_))));
            assert_eq!(others, [2, 4]);
        });
    }
}

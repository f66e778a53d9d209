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

    async fn run_batch(gate: &Gate, items: &[Arc<u32>]) -> Result<Vec<BatchOutcome<u32>>, Error> {
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

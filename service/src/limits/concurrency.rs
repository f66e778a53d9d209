//! A limit of concurrent expensive operations: one at a time for each account, and few in all.
//!
//! A request first waits for other requests of its account, and then for other accounts, so each account is in the
//! shared queue at most once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use rocket::tokio::time::timeout;

use crate::http::problem::Problem;
use crate::model::user::UserId;

/// Operations that run at the same time in a replica.
const MAX_CONCURRENT: usize = 4;
/// Requests of an account that run or wait.
const MAX_PER_ACCOUNT: usize = 8;
/// The timeout of the wait for other requests of the account, and of the wait for other accounts.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// The concurrency limit of one replica.
pub(crate) struct ConcurrencyLimit {
    running: Semaphore,
    /// Contains only the accounts that have requests.
    accounts: Mutex<HashMap<UserId, AccountQueue>>,
}

/// The requests of one account.
struct AccountQueue {
    running: Arc<Semaphore>,
    length: usize,
}

/// The permission to run, until it is dropped.
pub(crate) struct ConcurrencyPermit<'a> {
    _running: SemaphorePermit<'a>,
    _of_account: OwnedSemaphorePermit,
    _queued: QueuedRequest<'a>,
}

/// A request in the queue of its account, until it is dropped.
struct QueuedRequest<'a> {
    limit: &'a ConcurrencyLimit,
    account: UserId,
}

impl ConcurrencyLimit {
    pub(crate) fn new() -> Self {
        Self {
            running: Semaphore::new(MAX_CONCURRENT),
            accounts: Mutex::default(),
        }
    }

    /// Waits until an operation of the account may run.
    ///
    /// # Errors
    /// A 429 if the account has too many requests, and a 503 if too many accounts have some.
    pub(crate) async fn acquire(&self, account: UserId) -> Result<ConcurrencyPermit<'_>, Problem> {
        let (queued, of_account) = self.enqueue(account).ok_or(Problem::TooManyAtOnce)?;
        let Ok(Ok(of_account)) = timeout(ACQUIRE_TIMEOUT, of_account.acquire_owned()).await else {
            return Err(Problem::TooManyAtOnce);
        };
        let Ok(Ok(running)) = timeout(ACQUIRE_TIMEOUT, self.running.acquire()).await else {
            return Err(Problem::Unavailable(
                "Too many accounts are searching; retry in a moment.",
            ));
        };
        Ok(ConcurrencyPermit {
            _running: running,
            _of_account: of_account,
            _queued: queued,
        })
    }

    /// Adds a request to the queue of its account; `None` if that is full.
    fn enqueue(&self, account: UserId) -> Option<(QueuedRequest<'_>, Arc<Semaphore>)> {
        let mut accounts = self.accounts();
        let queue = accounts.entry(account).or_insert_with(|| AccountQueue {
            running: Arc::new(Semaphore::new(1)),
            length: 0,
        });
        if queue.length == MAX_PER_ACCOUNT {
            return None;
        }
        queue.length += 1;
        let queued = QueuedRequest {
            limit: self,
            account,
        };
        Some((queued, Arc::clone(&queue.running)))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<UserId, AccountQueue>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut queue) = self.limit.accounts().entry(self.account) {
            queue.get_mut().length -= 1;
            if queue.get().length == 0 {
                queue.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::FutureExt as _;

    use super::*;

    fn account(id: usize) -> UserId {
        UserId::from(id as u64)
    }

    #[rocket::async_test]
    async fn an_account_runs_one_request_at_a_time_and_blocks_no_others() {
        let limit = ConcurrencyLimit::new();
        let first = limit.acquire(account(1)).await.expect("a permit");
        let mut waiting: Vec<_> = (1..MAX_PER_ACCOUNT)
            .map(|_| Box::pin(limit.acquire(account(1))))
            .collect();
        for request in &mut waiting {
            assert!(request.now_or_never().is_none(), "it waits");
        }
        let refused = limit.acquire(account(1)).await;
        assert!(matches!(refused, Err(Problem::TooManyAtOnce)));
        for other in 2..=MAX_CONCURRENT {
            let permit = limit.acquire(account(other)).now_or_never();
            assert!(permit.is_some(), "{other} has its own");
        }
        drop(first);
        let next = waiting.remove(0).await;
        assert!(next.is_ok());
        drop((next, waiting));
        assert!(limit.accounts().is_empty(), "nothing is kept");
    }
}

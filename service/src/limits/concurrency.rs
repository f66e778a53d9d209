//! Turns at work that is dear while it lasts: one at a time for each account, and few at a time in all.
//!
//! Whoever asks for more waits behind their own requests before they wait behind those of others, so that in the queue
//! of all each account stands once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use rocket::tokio::time::timeout;

use crate::http::problem::Problem;
use crate::model::user::UserId;

/// Pieces of work at a time in a replica.
const PLACES: usize = 4;
/// Requests of an account that have their turn or wait for it.
const OF_ACCOUNT: usize = 8;
/// How long a request waits behind others of its account, and then behind other accounts.
const PATIENCE: Duration = Duration::from_secs(2);

/// The turns of one replica.
pub(crate) struct Turns {
    places: Semaphore,
    /// Of those accounts alone that have requests here now.
    queues: Mutex<HashMap<UserId, Queue>>,
}

/// The requests of one account.
struct Queue {
    turn: Arc<Semaphore>,
    length: usize,
}

/// A turn, until it is dropped.
pub(crate) struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _own: OwnedSemaphorePermit,
    _request: Queued<'a>,
}

/// A request in the queue of its account, until it is dropped.
struct Queued<'a> {
    turns: &'a Turns,
    account: UserId,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            places: Semaphore::new(PLACES),
            queues: Mutex::default(),
        }
    }

    /// Waits for a turn of an account.
    ///
    /// # Errors
    /// A 429 where the account has too many requests here, and a 503 where too many accounts do.
    pub(crate) async fn take(&self, account: UserId) -> Result<Turn<'_>, Problem> {
        let (request, turn) = self.queue(account).ok_or(Problem::TooManyAtOnce)?;
        let Ok(Ok(own)) = timeout(PATIENCE, turn.acquire_owned()).await else {
            return Err(Problem::TooManyAtOnce);
        };
        let Ok(Ok(place)) = timeout(PATIENCE, self.places.acquire()).await else {
            return Err(Problem::Unavailable(
                "Too many accounts search right now; try again in a moment.",
            ));
        };
        Ok(Turn {
            _place: place,
            _own: own,
            _request: request,
        })
    }

    /// A place in the queue of the account; `None` if that is full.
    fn queue(&self, account: UserId) -> Option<(Queued<'_>, Arc<Semaphore>)> {
        let mut queues = self.queues();
        let queue = queues.entry(account).or_insert_with(|| Queue {
            turn: Arc::new(Semaphore::new(1)),
            length: 0,
        });
        if queue.length == OF_ACCOUNT {
            return None;
        }
        queue.length += 1;
        let request = Queued {
            turns: self,
            account,
        };
        Some((request, Arc::clone(&queue.turn)))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<UserId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut queue) = self.turns.queues().entry(self.account) {
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
    async fn an_account_has_one_turn_at_a_time_and_keeps_no_place_from_others() {
        let turns = Turns::new();
        let first = turns.take(account(1)).await.expect("a turn");
        let mut waiting: Vec<_> = (1..OF_ACCOUNT)
            .map(|_| Box::pin(turns.take(account(1))))
            .collect();
        for request in &mut waiting {
            assert!(request.now_or_never().is_none(), "it waits");
        }
        let refused = turns.take(account(1)).await;
        assert!(matches!(refused, Err(Problem::TooManyAtOnce)));
        for other in 2..=PLACES {
            let turn = turns.take(account(other)).now_or_never();
            assert!(turn.is_some(), "{other} has its own");
        }
        drop(first);
        let next = waiting.remove(0).await;
        assert!(next.is_ok());
        drop((next, waiting));
        assert!(turns.queues().is_empty(), "nothing is kept");
    }
}

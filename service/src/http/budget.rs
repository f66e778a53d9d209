//! The budget of bytes that a replica holds for responses that are not written to their clients yet.
//!
//! A client that requests much and reads slowly, or not at all, exhausts only the share of its account. The budget bounds
//! all shares together, so that a replica does not run out of memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore};
use rocket::tokio::time::{Instant, timeout_at};

use crate::http::problem::Problem;
use crate::model::user::UserId;

/// The bytes of all large responses of a replica.
const TOTAL_BYTES: usize = 64 * 1024 * 1024;
/// The bytes of the large responses to one account.
const ACCOUNT_BYTES: usize = 8 * 1024 * 1024;
/// A response of up to this size does not count.
pub(crate) const SMALL_RESPONSE: usize = 64 * 1024;
/// The time that a request waits for its reservation.
pub(crate) const RESERVATION_TIMEOUT: Duration = Duration::from_secs(2);

/// The available bytes in total and of each account with reservations. Clones share the budget.
#[derive(Clone)]
pub(crate) struct Budget {
    total: Arc<Semaphore>,
    shares: Arc<Mutex<HashMap<u64, Weak<Semaphore>>>>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            total: Arc::new(Semaphore::new(TOTAL_BYTES)),
            shares: Arc::default(),
        }
    }

    /// An empty reservation for a response to the account whose size is not known yet.
    pub(crate) fn reservation(&self, account: UserId) -> Reservation {
        Reservation {
            budget: self.clone(),
            account: u64::from(account),
            permits: None,
        }
    }

    /// The share of an account. It is dropped once none of it is in use.
    fn share(&self, account: u64) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&account).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(ACCOUNT_BYTES));
        shares.insert(account, Arc::downgrade(&share));
        share
    }
}

/// The bytes that one response holds of the budget. They are released when the response is written or dropped.
pub(crate) struct Reservation {
    budget: Budget,
    account: u64,
    permits: Option<Permits>,
}

/// The same number of bytes of the account's share and of the total.
struct Permits {
    share: OwnedSemaphorePermit,
    total: OwnedSemaphorePermit,
}

impl Reservation {
    fn bytes(&self) -> usize {
        self.permits
            .as_ref()
            .map_or(0, |permits| permits.total.num_permits())
    }

    /// Whether the reservation covers so many bytes, after it has grown if that is possible at once.
    pub(crate) fn covers(&mut self, bytes: usize) -> bool {
        if bytes <= SMALL_RESPONSE || bytes <= self.bytes() {
            return true;
        }
        // Grows in steps, so that a page that grows message by message seldom has to.
        let missing = permit_count(bytes.next_multiple_of(SMALL_RESPONSE) - self.bytes());
        let share = self.share();
        let Ok(share) = share.try_acquire_many_owned(missing) else {
            return false;
        };
        let total = Arc::clone(&self.budget.total);
        let Ok(total) = total.try_acquire_many_owned(missing) else {
            return false;
        };
        self.add(Permits { share, total });
        true
    }

    /// Waits until the reservation covers so many bytes.
    ///
    /// # Errors
    /// [`Problem::UnreadResponses`] if the account's other responses hold its share, [`Problem::Unavailable`] if the
    /// responses to all accounts hold the total.
    pub(crate) async fn wait(&mut self, bytes: usize, limit: Duration) -> Result<(), Problem> {
        if self.covers(bytes) {
            return Ok(());
        }
        // A waiting reservation holds nothing; otherwise reservations could wait for each other forever.
        self.permits = None;
        let (bytes, deadline) = (permit_count(bytes), Instant::now() + limit);
        let share = self.share().acquire_many_owned(bytes);
        let Ok(Ok(share)) = timeout_at(deadline, share).await else {
            return Err(Problem::UnreadResponses);
        };
        let total = Arc::clone(&self.budget.total).acquire_many_owned(bytes);
        let Ok(Ok(total)) = timeout_at(deadline, total).await else {
            return Err(Problem::Unavailable(
                "Too many large responses are being read; retry in a moment.",
            ));
        };
        self.add(Permits { share, total });
        Ok(())
    }

    /// Releases all but so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        if let Some(permits) = &mut self.permits {
            drop(permits.share.split(surplus));
            drop(permits.total.split(surplus));
        }
    }

    fn share(&self) -> Arc<Semaphore> {
        match &self.permits {
            Some(permits) => Arc::clone(permits.share.semaphore()),
            None => self.budget.share(self.account),
        }
    }

    fn add(&mut self, more: Permits) {
        match &mut self.permits {
            Some(permits) => {
                permits.share.merge(more.share);
                permits.total.merge(more.total);
            }
            permits @ None => *permits = Some(more),
        }
    }
}

/// The bytes as a number of permits: 32 bits are far more than any response needs.
fn permit_count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(budget: &Budget, account: u64) -> Reservation {
        Reservation {
            budget: budget.clone(),
            account,
            permits: None,
        }
    }

    #[test]
    fn an_account_has_its_share_and_all_have_the_total() {
        let budget = Budget::new();
        let mut all: Vec<_> = (0..8)
            .map(|account| reservation(&budget, account))
            .collect();
        for one in &mut all {
            assert!(one.covers(ACCOUNT_BYTES));
            assert!(!reservation(&budget, one.account).covers(SMALL_RESPONSE + 1));
            assert!(reservation(&budget, one.account).covers(SMALL_RESPONSE));
        }
        assert!(
            !reservation(&budget, 8).covers(SMALL_RESPONSE + 1),
            "the total is used up"
        );
        all[3].shrink_to(ACCOUNT_BYTES / 2);
        assert!(reservation(&budget, 8).covers(ACCOUNT_BYTES / 2));
        assert!(reservation(&budget, 3).covers(ACCOUNT_BYTES / 2));
        drop(all);
        assert_eq!(budget.total.available_permits(), TOTAL_BYTES);
        assert!(reservation(&budget, 9).covers(ACCOUNT_BYTES));
        let shares = budget.shares.lock().expect("no panic");
        assert!(shares.len() <= 1, "unused shares are dropped");
    }

    #[rocket::async_test]
    async fn a_waiting_reservation_gets_released_bytes() {
        let budget = Budget::new();
        let mut first = reservation(&budget, 1);
        assert!(first.covers(ACCOUNT_BYTES));
        let mut second = reservation(&budget, 1);
        let refused = second.wait(ACCOUNT_BYTES, Duration::from_millis(10)).await;
        assert!(matches!(refused, Err(Problem::UnreadResponses)));
        let waiting = rocket::tokio::spawn(async move {
            second
                .wait(ACCOUNT_BYTES, Duration::from_mins(1))
                .await
                .map(|()| second)
        });
        first.shrink_to(0);
        let second = waiting.await.expect("no panic").expect("it is free");
        assert_eq!(second.bytes(), ACCOUNT_BYTES);
    }
}

//! The bytes that a replica holds for answers that are not yet written to their clients.
//!
//! Whoever asks for much and reads slowly, or not at all, uses up a share of their own and no more; all shares together
//! use up a budget, beyond which a replica would need more memory than it has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore};
use rocket::tokio::time::{Instant, timeout_at};

use crate::http::problem::Problem;
use crate::model::user::UserId;

/// Bytes of all large answers of a replica.
const ALL: usize = 64 * 1024 * 1024;
/// Of those of one account.
const SHARE: usize = 8 * 1024 * 1024;
/// An answer up to this size needs no part of the budget.
pub(crate) const SMALL: usize = 64 * 1024;
/// How long a request waits for its part.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// What is left of the budget and of each share that is in use. Clones are the same budget.
#[derive(Clone)]
pub(crate) struct Budget {
    all: Arc<Semaphore>,
    shares: Arc<Mutex<HashMap<u64, Weak<Semaphore>>>>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            shares: Arc::default(),
        }
    }

    /// For an answer to the account, whose size is not yet known.
    pub(crate) fn reservation(&self, account: UserId) -> Reservation {
        Reservation {
            budget: self.clone(),
            account: u64::from(account),
            held: None,
        }
    }

    /// The share of an account. It is forgotten when nothing of it is in use.
    fn share(&self, account: u64) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&account).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(SHARE));
        shares.insert(account, Arc::downgrade(&share));
        share
    }
}

/// What one answer has of the budget, given back when it is dropped or the answer is written.
pub(crate) struct Reservation {
    budget: Budget,
    account: u64,
    held: Option<Held>,
}

/// The same number of bytes of the account's share and of the whole.
struct Held {
    share: OwnedSemaphorePermit,
    whole: OwnedSemaphorePermit,
}

impl Reservation {
    fn bytes(&self) -> usize {
        self.held
            .as_ref()
            .map_or(0, |held| held.whole.num_permits())
    }

    /// Whether so many bytes fit now: they are few, are held already, or could be had at once.
    pub(crate) fn covers(&mut self, bytes: usize) -> bool {
        if bytes <= SMALL || bytes <= self.bytes() {
            return true;
        }
        // In steps, so that a page that grows message by message asks seldom.
        let missing = permits(bytes.next_multiple_of(SMALL) - self.bytes());
        let share = self.share();
        let Ok(share) = share.try_acquire_many_owned(missing) else {
            return false;
        };
        let all = Arc::clone(&self.budget.all);
        let Ok(whole) = all.try_acquire_many_owned(missing) else {
            return false;
        };
        self.add(Held { share, whole });
        true
    }

    /// Waits until so many bytes are held.
    ///
    /// # Errors
    /// [`Problem::UnreadResponses`] if the account's other answers keep them, [`Problem::Unavailable`] if everybody's do.
    pub(crate) async fn wait(&mut self, bytes: usize, patience: Duration) -> Result<(), Problem> {
        if self.covers(bytes) {
            return Ok(());
        }
        // Who waits holds nothing, or those who wait for each other would all wait in vain.
        self.held = None;
        let (bytes, deadline) = (permits(bytes), Instant::now() + patience);
        let share = self.share().acquire_many_owned(bytes);
        let Ok(Ok(share)) = timeout_at(deadline, share).await else {
            return Err(Problem::UnreadResponses);
        };
        let whole = Arc::clone(&self.budget.all).acquire_many_owned(bytes);
        let Ok(Ok(whole)) = timeout_at(deadline, whole).await else {
            return Err(Problem::Unavailable(
                "Too many large answers are being read right now; try again in a moment.",
            ));
        };
        self.add(Held { share, whole });
        Ok(())
    }

    /// Gives back what is beyond so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        if let Some(held) = &mut self.held {
            drop(held.share.split(surplus));
            drop(held.whole.split(surplus));
        }
    }

    fn share(&self) -> Arc<Semaphore> {
        match &self.held {
            Some(held) => Arc::clone(held.share.semaphore()),
            None => self.budget.share(self.account),
        }
    }

    fn add(&mut self, more: Held) {
        match &mut self.held {
            Some(held) => {
                held.share.merge(more.share);
                held.whole.merge(more.whole);
            }
            held @ None => *held = Some(more),
        }
    }
}

/// A semaphore counts in 32 bits at a time, which is far more than any answer.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(budget: &Budget, account: u64) -> Reservation {
        Reservation {
            budget: budget.clone(),
            account,
            held: None,
        }
    }

    #[test]
    fn an_account_has_its_share_and_all_have_the_whole() {
        let budget = Budget::new();
        let mut all: Vec<_> = (0..8)
            .map(|account| reservation(&budget, account))
            .collect();
        for one in &mut all {
            assert!(one.covers(SHARE));
            assert!(!reservation(&budget, one.account).covers(SMALL + 1));
            assert!(reservation(&budget, one.account).covers(SMALL));
        }
        assert!(
            !reservation(&budget, 8).covers(SMALL + 1),
            "the whole is used up"
        );
        all[3].shrink_to(SHARE / 2);
        assert!(reservation(&budget, 8).covers(SHARE / 2));
        assert!(reservation(&budget, 3).covers(SHARE / 2));
        drop(all);
        assert_eq!(budget.all.available_permits(), ALL);
        assert!(reservation(&budget, 9).covers(SHARE));
        let shares = budget.shares.lock().expect("no panic");
        assert!(shares.len() <= 1, "shares that nobody uses are forgotten");
    }

    #[rocket::async_test]
    async fn who_waits_gets_what_is_given_back() {
        let budget = Budget::new();
        let mut first = reservation(&budget, 1);
        assert!(first.covers(SHARE));
        let mut second = reservation(&budget, 1);
        let refused = second.wait(SHARE, Duration::from_millis(10)).await;
        assert!(matches!(refused, Err(Problem::UnreadResponses)));
        let waiting = rocket::tokio::spawn(async move {
            second
                .wait(SHARE, Duration::from_mins(1))
                .await
                .map(|()| second)
        });
        first.shrink_to(0);
        let second = waiting.await.expect("no panic").expect("it is free");
        assert_eq!(second.bytes(), SHARE);
    }
}

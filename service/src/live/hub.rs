//! The hub: where event streams subscribe, and where the tailer delivers new messages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::tokio::sync::Notify;
use rocket::tokio::time::{Instant, sleep, timeout_at};

use crate::auth::Caller;
use crate::db::DatabaseWait;
use crate::http::problem::Problem;
use crate::live::cursor::StreamCursor;
use crate::live::memory_budget::MemoryBudget;
use crate::live::registry::SubscriberRegistry;
use crate::live::subscriber::Subscriber;

/// How long a new stream waits for a slot that a disconnected client of the same user still occupies.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// Interval of the writes that detect disconnected clients: the second write to a closed connection fails.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// The subscribers of this replica and the memory that they share; clones refer to the same ones.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    registry: Arc<Mutex<SubscriberRegistry>>,
    pub(super) budget: MemoryBudget,
    pub(super) subscriber_joined: Arc<Notify>,
}

/// Keeps a subscriber registered; dropping it unsubscribes.
pub(super) struct Subscription {
    pub(super) hub: Hub,
    pub(super) subscriber: Arc<Subscriber>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.registry().remove(&self.subscriber);
    }
}

impl Hub {
    pub(super) fn registry(&self) -> MutexGuard<'_, SubscriberRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes the caller until `expires_at` at the latest. Returns the subscription and the cursor after which it
    /// receives every message.
    ///
    /// # Errors
    /// If the token was revoked meanwhile, the database is unavailable, or a limit on streams is reached.
    pub(super) async fn subscribe(
        &self,
        caller: &Caller,
        expires_at: Instant,
    ) -> Result<(Subscription, StreamCursor), Problem> {
        let subscription = Subscription {
            hub: self.clone(),
            subscriber: self.register(caller, expires_at).await?,
        };
        self.subscriber_joined.notify_one();
        // The tailer, which activates it, waits for the database.
        let wait = DatabaseWait::begin();
        match timeout_at(wait.deadline(), subscription.subscriber.activation()).await {
            Ok(Some(cursor)) => Ok((subscription, cursor)),
            Ok(None) => Err(Problem::InvalidToken),
            Err(_) => Err(Problem::DatabaseUnavailable(
                "no event stream can start".to_owned(),
            )),
        }
    }

    /// Registers a subscriber. If the user has no slot left, some may belong to disconnected clients. Only a write
    /// detects these, so their slots become free a moment after all streams of the user were probed.
    async fn register(
        &self,
        caller: &Caller,
        expires_at: Instant,
    ) -> Result<Arc<Subscriber>, Problem> {
        let user = u64::from(caller.id());
        let deadline = Instant::now() + PROBE_DEADLINE;
        loop {
            let subscriber = Subscriber::new(user, caller.token_epoch(), expires_at);
            let added = self.registry().add(subscriber);
            if !matches!(added, Err(Problem::TooManyStreams(_))) || Instant::now() > deadline {
                return added;
            }
            self.registry().probe(user);
            sleep(PROBE_INTERVAL).await;
        }
    }

    /// Frees memory if all subscribers together exceed the budget.
    pub(super) fn enforce_budget(&self) {
        if self.budget.is_exceeded() {
            self.registry().enforce_budget(&self.budget);
        }
    }
}

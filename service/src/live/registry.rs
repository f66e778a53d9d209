//! The subscribers of this replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::http::problem::Problem;
use crate::live::cursor::StreamCursor;
use crate::live::memory_budget::MemoryBudget;
use crate::live::subscriber::{Delivery, HEARTBEAT, Subscriber};

/// Subscribers of one replica.
const MAX_SUBSCRIBERS: usize = 2_000;
/// Subscribers of one user at one replica. One more is refused: if it replaced another, two clients that reconnect
/// would replace each other for ever.
const MAX_PER_USER: usize = 16;
/// The `Retry-After` of a refused stream. A stream whose client has disconnected frees its slot with its next write.
const RETRY_AFTER: Duration = HEARTBEAT;

/// The subscribers by user. A closed one stays until its connection has ended, because it takes memory until then.
#[derive(Default)]
pub(super) struct SubscriberRegistry {
    subscribers: HashMap<u64, Vec<Arc<Subscriber>>>,
    count: usize,
    /// The cursor of the tailer, while there are subscribers and it runs.
    pub(super) cursor: Option<StreamCursor>,
}

impl SubscriberRegistry {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.subscribers.values().flatten()
    }

    pub(super) fn add(&mut self, subscriber: Subscriber) -> Result<Arc<Subscriber>, Problem> {
        if self.count >= MAX_SUBSCRIBERS {
            return Err(Problem::Unavailable(
                "This replica has too many event streams at the moment; retry shortly.",
            ));
        }
        let of_user = self.subscribers.entry(subscriber.user).or_default();
        if of_user.len() >= MAX_PER_USER {
            return Err(Problem::TooManyStreams(RETRY_AFTER));
        }
        let subscriber = Arc::new(subscriber);
        of_user.push(Arc::clone(&subscriber));
        self.count += 1;
        Ok(subscriber)
    }

    /// Makes each stream of a user write a comment, so that those with a disconnected client end.
    pub(super) fn probe(&self, user: u64) {
        let of_user = self.subscribers.get(&user);
        of_user
            .into_iter()
            .flatten()
            .for_each(|subscriber| subscriber.probe());
    }

    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) {
        subscriber.close();
        let Some(of_user) = self.subscribers.get_mut(&subscriber.user) else {
            return;
        };
        let before = of_user.len();
        of_user.retain(|other| !Arc::ptr_eq(other, subscriber));
        self.count -= before - of_user.len();
        if of_user.is_empty() {
            self.subscribers.remove(&subscriber.user);
        }
    }

    /// Activates all pending subscribers: between two polls, so that each active one receives all news of a poll.
    pub(super) fn activate(&mut self, cursor: &StreamCursor) {
        self.all()
            .for_each(|subscriber| subscriber.activate(cursor));
        self.cursor = Some(cursor.clone());
    }

    /// Resets all subscribers after the database was restored.
    pub(super) fn reset(&mut self, cursor: &StreamCursor) {
        self.all().for_each(|subscriber| subscriber.reset(cursor));
        self.cursor = Some(cursor.clone());
    }

    pub(super) fn has(&self, user: u64) -> bool {
        self.subscribers.contains_key(&user)
    }

    pub(super) fn users(&self) -> Vec<u64> {
        self.subscribers.keys().copied().collect()
    }

    pub(super) fn deliver(&self, user: u64, delivery: &Arc<Delivery>) {
        let of_user = self.subscribers.get(&user).into_iter().flatten();
        of_user.for_each(|subscriber| subscriber.deliver(delivery));
    }

    /// Closes the streams of tokens from before this epoch.
    pub(super) fn close_older_tokens(&self, user: u64, epoch: u32) {
        let of_user = self.subscribers.get(&user).into_iter().flatten();
        of_user
            .filter(|subscriber| subscriber.token_epoch < epoch)
            .for_each(|subscriber| subscriber.close());
    }

    pub(super) fn close_due(&self) {
        let now = Instant::now();
        self.all()
            .for_each(|subscriber| subscriber.close_if_due(now));
    }

    /// While all buffers together exceed the budget, the user with the largest ones loses them. So a user never loses
    /// messages because of others that buffer more.
    pub(super) fn enforce_budget(&self, budget: &MemoryBudget) {
        while budget.is_exceeded() {
            let buffered_bytes = |subscribers: &[Arc<Subscriber>]| {
                subscribers
                    .iter()
                    .map(|subscriber| subscriber.buffered_bytes())
                    .sum::<usize>()
            };
            let users = self
                .subscribers
                .values()
                .map(|subscribers| (buffered_bytes(subscribers), subscribers));
            let Some((1.., subscribers)) = users.max_by_key(|(buffered_bytes, _)| *buffered_bytes)
            else {
                return;
            };
            for subscriber in subscribers {
                subscriber.drop_buffers();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::live::store::NewMessage;
    use crate::live::subscriber::News;
    use crate::model::message::{Content, MessageId, Subject, Text};
    use crate::model::user::Username;

    const LONG: usize = 64 * 1024;

    fn delivery(budget: &MemoryBudget, id: u64) -> Arc<Delivery> {
        let content = Content {
            id: MessageId::stored(id).expect("not 0"),
            in_reply_to: None,
            sender: Username::stored("alice"),
            subject: Subject::stored("s".to_owned()),
            message: Text::stored("m".repeat(LONG)),
            created_at: Utc::now(),
        };
        let charge = budget.charge(content.memory_bytes());
        let message = NewMessage {
            content,
            reply_viewers: Vec::new(),
        };
        Arc::new(Delivery {
            news: News::Message(message),
            cursor: StreamCursor::default(),
            charge,
        })
    }

    fn add(registry: &mut SubscriberRegistry, user: u64, lifetime: Duration) -> Arc<Subscriber> {
        let subscriber = Subscriber::new(user, 1, Instant::now() + lifetime);
        registry
            .add(subscriber)
            .unwrap_or_else(|_| panic!("a slot is free"))
    }

    fn crowd(users: std::ops::Range<u64>) -> (SubscriberRegistry, Vec<Arc<Subscriber>>) {
        let mut registry = SubscriberRegistry::default();
        let subscribers = users.map(|user| add(&mut registry, user, Duration::from_mins(4)));
        let subscribers = subscribers.collect();
        registry.activate(&StreamCursor::default());
        (registry, subscribers)
    }

    #[test]
    fn a_stream_over_the_limit_is_refused_and_the_others_stay() {
        let (mut registry, mut subscribers) = crowd(0..0);
        for _ in 0..MAX_PER_USER {
            subscribers.push(add(&mut registry, 1, Duration::from_mins(4)));
        }
        let one_more = Subscriber::new(1, 1, Instant::now());
        assert!(matches!(
            registry.add(one_more),
            Err(Problem::TooManyStreams(_))
        ));
        // A closed stream keeps its slot until the connection has ended.
        subscribers[0].close();
        assert!(registry.add(Subscriber::new(1, 1, Instant::now())).is_err());
        registry.remove(&subscribers[0]);
        assert!(registry.add(Subscriber::new(1, 1, Instant::now())).is_ok());
    }

    #[test]
    fn a_slow_subscriber_buffers_at_most_its_queue() {
        let budget = MemoryBudget::default();
        let (registry, subscribers) = crowd(1..2);
        for id in 1..1_000 {
            registry.deliver(1, &delivery(&budget, id));
            assert!(
                budget.buffered_bytes() <= 512 * 1024
                    && subscribers[0].buffered_bytes() == budget.buffered_bytes()
            );
        }
        assert!(
            !subscribers[0].is_active() && budget.buffered_bytes() == 0,
            "it has overflowed"
        );
    }

    #[test]
    fn the_budget_holds_and_the_largest_buffers_are_dropped() {
        let budget = MemoryBudget::default();
        let (registry, subscribers) = crowd(1..200);
        registry.deliver(1, &delivery(&budget, 1));
        for id in 1..500_u64 {
            registry.deliver(2 + id % 150, &delivery(&budget, id));
            registry.deliver(2 + id % 150, &delivery(&budget, id));
            registry.enforce_budget(&budget);
            assert!(!budget.is_exceeded());
        }
        assert!(
            subscribers[0].is_active() && subscribers[0].buffered_bytes() > LONG,
            "the modest one"
        );
        assert!(
            subscribers[1..]
                .iter()
                .any(|subscriber| !subscriber.is_active())
        );
    }

    #[test]
    fn expired_and_revoked_streams_are_freed_without_a_read() {
        let budget = MemoryBudget::default();
        let mut registry = SubscriberRegistry::default();
        let late = add(&mut registry, 1, Duration::ZERO);
        let revoked = add(&mut registry, 2, Duration::from_mins(4));
        registry.activate(&StreamCursor::default());
        for subscriber in [&late, &revoked] {
            registry.deliver(subscriber.user, &delivery(&budget, 1));
            subscriber.write(vec![0; LONG], budget.charge(LONG));
            assert!(subscriber.buffered_bytes() > 2 * LONG);
        }
        registry.close_due();
        assert_eq!(late.buffered_bytes(), 0);
        registry.close_older_tokens(2, 1);
        assert!(revoked.buffered_bytes() > 0, "of this epoch");
        registry.close_older_tokens(2, 2);
        assert_eq!((revoked.buffered_bytes(), budget.buffered_bytes()), (0, 0));
    }
}

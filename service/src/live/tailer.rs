//! The tailer of a replica: follows the messages in the database and delivers new ones to subscribers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::db::{Database, Error};
use crate::live::cursor::{IN_FLIGHT_WINDOW, StreamCursor};
use crate::live::hub::Hub;
use crate::live::store::{self, NewMessage, ReceiptRow};
use crate::live::subscriber::Delivery;

/// After this time, an id without a lock is abandoned. The ids of messages in one group commit are assigned at once,
/// before the first of them is inserted and locked; this is longer than the whole commit may take.
const ABANDONED_AFTER: Duration = Duration::from_secs(4);
/// Polls in a row before subscribers are activated and revocations read again.
const MAX_POLLS_PER_ROUND: usize = 10;
/// Messages that are in memory at once before they are delivered, of up to 64 KiB each.
const MAX_CONTENTS: usize = 32;
/// Interval of the check whether the database was restored to an earlier state.
const RESTORE_CHECK_INTERVAL: Duration = Duration::from_secs(15);
/// After a longer gap between two reads of the revocations, the tokens of all subscribers are checked. Each read
/// covers more time than this.
const MAX_REVOCATION_GAP: Duration = Duration::from_secs(5);

/// Delivers new messages, and tracks which ones were delivered.
pub(super) struct Tailer<'a> {
    database: &'a Database,
    hub: &'a Hub,
    cursor: StreamCursor,
    /// The time at which each id was first found missing.
    missing_since: BTreeMap<u64, Instant>,
    /// The time of the last check for a restore.
    checked: Instant,
    /// The time at which revocations were last read.
    revocations_seen: Option<Instant>,
}

impl<'a> Tailer<'a> {
    /// Starts at the newest message, or resumes where an earlier tailer stopped.
    pub(super) async fn start(
        database: &'a Database,
        hub: &'a Hub,
        resume_at: Option<StreamCursor>,
    ) -> Result<Self, Error> {
        let cursor = match &resume_at {
            Some(cursor) => cursor.clone(),
            None => store::newest(database).await?,
        };
        let mut tailer = Self {
            database,
            hub,
            cursor,
            missing_since: BTreeMap::new(),
            checked: Instant::now(),
            revocations_seen: None,
        };
        if resume_at.is_some() {
            tailer.check_for_restore().await?;
        }
        tailer.track_missing();
        Ok(tailer)
    }

    /// One round: activates pending subscribers, closes streams of revoked tokens, and delivers new messages.
    pub(super) async fn run_round(&mut self) -> Result<(), Error> {
        if self.checked.elapsed() > RESTORE_CHECK_INTERVAL {
            self.check_for_restore().await?;
        }
        self.hub.registry().activate(&self.cursor);
        self.close_revoked().await?;
        for _ in 0..MAX_POLLS_PER_ROUND {
            if !self.poll().await? {
                break;
            }
        }
        self.drop_abandoned_ids().await
    }

    /// A database that was restored from a backup has not assigned the ids that the tailer knows, and will assign them
    /// to other messages.
    async fn check_for_restore(&mut self) -> Result<(), Error> {
        if !store::has_assigned(self.database, self.cursor.reached).await? {
            tracing::warn!(
                reached = self.cursor.reached,
                "the database was restored to an earlier state; resetting all event streams"
            );
            self.cursor = store::newest(self.database).await?;
            self.missing_since.clear();
            self.hub.registry().reset(&self.cursor);
            self.track_missing();
        }
        self.checked = Instant::now();
        Ok(())
    }

    /// Closes the streams of revoked tokens. After a gap in the reads of revocations, every token is checked.
    async fn close_revoked(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        let seen = self.revocations_seen;
        if seen.is_none_or(|seen| seen.elapsed() > MAX_REVOCATION_GAP) {
            let users = self.hub.registry().users();
            for (user, epoch) in store::epochs(self.database, &users).await? {
                self.hub.registry().close_older_tokens(user, epoch);
            }
        }
        for (user, epoch) in store::revocations(self.database).await? {
            self.hub.registry().close_older_tokens(user, epoch);
        }
        self.revocations_seen = Some(begin);
        Ok(())
    }

    fn track_missing(&mut self) {
        let missing: BTreeSet<_> = self.cursor.missing.iter().collect();
        self.missing_since.retain(|id, _| missing.contains(id));
        for id in missing {
            self.missing_since.entry(id).or_insert_with(Instant::now);
        }
    }

    /// Delivers new messages; returns whether there may be more.
    async fn poll(&mut self) -> Result<bool, Error> {
        // Bounded by the window.
        let missing: Vec<_> = self.cursor.missing.iter().collect();
        debug_assert!(missing.len() as u64 <= IN_FLIGHT_WINDOW);
        let mut receipts = Vec::new();
        for some in missing.chunks(store::MAX_IDS) {
            receipts.extend(store::receipts_of(self.database, some).await?);
        }
        let (new, has_more) = store::receipts_after(self.database, self.cursor.reached).await?;
        receipts.extend(new);
        self.deliver_all(&receipts).await?;
        self.track_missing();
        Ok(has_more)
    }

    /// Delivers in the order of ids, so that the cursor never passes an undelivered message; a few contents at a time.
    async fn deliver_all(&mut self, receipts: &[ReceiptRow]) -> Result<(), Error> {
        let mut receivers = BTreeMap::<_, Vec<_>>::new();
        for receipt in receipts {
            let of_message = receivers.entry(receipt.message).or_default();
            if !receipt.is_deleted && self.hub.registry().has(receipt.receiver) {
                of_message.push(receipt.receiver);
            }
        }
        while !receivers.is_empty() {
            let wanted = receivers
                .iter()
                .filter(|(_, subscribed)| !subscribed.is_empty());
            let wanted: Vec<_> = wanted.map(|(id, _)| *id).take(MAX_CONTENTS + 1).collect();
            let rest = match wanted.get(MAX_CONTENTS) {
                Some(beyond) => receivers.split_off(beyond),
                None => BTreeMap::new(),
            };
            let some = &wanted[..wanted.len().min(MAX_CONTENTS)];
            let contents = if some.is_empty() {
                Vec::new()
            } else {
                store::contents(self.database, some).await?
            };
            self.deliver_batch(receivers, contents);
            receivers = rest;
        }
        Ok(())
    }

    fn deliver_batch(&mut self, receivers: BTreeMap<u64, Vec<u64>>, contents: Vec<NewMessage>) {
        let mut contents: BTreeMap<_, _> = contents
            .into_iter()
            .map(|message| (message.content.id.get(), message))
            .collect();
        let mut registry = self.hub.registry();
        for (id, subscribed) in receivers {
            self.cursor.record(id);
            let Some(message) = contents.remove(&id) else {
                continue;
            };
            let delivery = self.delivery(message);
            for receiver in subscribed {
                registry.deliver(receiver, &delivery);
            }
            // From here on only the queues hold the message, so dropping those frees it.
            drop(delivery);
            registry.enforce_budget(&self.hub.budget);
        }
        registry.cursor = Some(self.cursor.clone());
    }

    fn delivery(&self, message: NewMessage) -> Arc<Delivery> {
        let NewMessage {
            content,
            reply_viewers,
        } = message;
        let viewers_bytes = size_of_val(&reply_viewers[..]);
        let bytes = content.memory_bytes() + viewers_bytes + self.cursor.bytes();
        Arc::new(Delivery {
            content,
            reply_viewers,
            cursor: self.cursor.clone(),
            charge: self.hub.budget.charge(bytes),
        })
    }

    /// Drops missing ids that no transaction can commit any more: sends that were rolled back, and deleted messages. If
    /// one of the ids is locked, all of them are tracked for another period, so that they do not delay others.
    async fn drop_abandoned_ids(&mut self) -> Result<(), Error> {
        let old = |since: &Instant| since.elapsed() > ABANDONED_AFTER;
        let old: Vec<_> = self
            .missing_since
            .iter()
            .filter(|(_, since)| old(since))
            .map(|(id, _)| *id)
            .take(store::MAX_IDS)
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        if store::are_in_flight(self.database, &old).await? {
            for id in old {
                self.missing_since.insert(id, Instant::now());
            }
            return Ok(());
        }
        // Committed after the last poll: the next one finds it.
        let committed = store::receipts_of(self.database, &old).await?;
        let committed: BTreeSet<_> = committed.iter().map(|receipt| receipt.message).collect();
        for id in old.iter().filter(|id| !committed.contains(id)) {
            self.cursor.missing.remove(*id);
        }
        self.track_missing();
        Ok(())
    }
}

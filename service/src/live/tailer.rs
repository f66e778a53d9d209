//! The tailer of a replica: follows the messages and changes in the database and delivers new ones to subscribers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::db::{Database, Error};
use crate::live::changes::{self, Change};
use crate::live::cursor::StreamCursor;
use crate::live::followed_table;
use crate::live::hub::Hub;
use crate::live::pace::Reading;
use crate::live::sequence::Sequence;
use crate::live::store::{self, NewMessage, ReceiptRow};
use crate::live::subscriber::{Delivery, News};

/// Polls in a row before subscribers are activated and revocations read again.
const MAX_POLLS: usize = 10;
/// Messages that are in memory at once before they are delivered, of up to 64 KiB each.
const MAX_CONTENTS: usize = 32;
/// Interval of the check whether the database was restored to an earlier state.
const RESTORE_CHECK_INTERVAL: Duration = Duration::from_secs(15);
/// After a longer gap between two reads of the revocations, the tokens of all subscribers are checked. Each read
/// covers more time than this.
const MAX_REVOCATION_GAP: Duration = Duration::from_secs(5);

/// Delivers new messages and changes, and tracks which ones were delivered.
pub(super) struct Tailer<'a> {
    database: &'a Database,
    hub: &'a Hub,
    messages: Sequence,
    changes: Sequence,
    /// The time of the last check for a restore.
    checked: Instant,
    /// The time at which revocations were last read.
    revocations_seen: Option<Instant>,
}

/// The result of a poll.
struct Poll {
    has_found: bool,
    /// Whether there may be more messages or changes than it has read.
    has_more: bool,
}

impl<'a> Tailer<'a> {
    /// Starts at the newest message and change, or resumes where an earlier tailer stopped.
    pub(super) async fn start(
        database: &'a Database,
        hub: &'a Hub,
        resume_at: Option<StreamCursor>,
    ) -> Result<Self, Error> {
        let is_resumed = resume_at.is_some();
        let StreamCursor { messages, changes } = resume_at.unwrap_or_default();
        let mut tailer = Self {
            database,
            hub,
            messages: Sequence::new(&followed_table::MESSAGES, messages),
            changes: Sequence::new(&followed_table::CHANGES, changes.unwrap_or_default()),
            checked: Instant::now(),
            revocations_seen: None,
        };
        if is_resumed {
            tailer.check_for_restore().await?;
        } else {
            tailer.restart().await?;
        }
        Ok(tailer)
    }

    /// Starts over at the newest change and message. The changes come first, so that no change precedes its message.
    async fn restart(&mut self) -> Result<(), Error> {
        self.changes.restart(self.database).await?;
        self.messages.restart(self.database).await
    }

    fn cursor(&self) -> StreamCursor {
        StreamCursor::new(self.messages.cursor.clone(), self.changes.cursor.clone())
    }

    /// Reads what is due; returns whether there was something new.
    pub(super) async fn read(&mut self, reading: Reading) -> Result<bool, Error> {
        match reading {
            Reading::Poll => self.deliver_news().await,
            Reading::Round => self.run_round().await,
        }
    }

    /// One round: activates pending subscribers, closes streams of revoked tokens, and delivers new messages and
    /// changes; returns whether there were some.
    async fn run_round(&mut self) -> Result<bool, Error> {
        if self.checked.elapsed() > RESTORE_CHECK_INTERVAL {
            self.check_for_restore().await?;
        }
        self.hub.registry().activate(&self.cursor());
        self.close_revoked().await?;
        let has_found = self.deliver_news().await?;
        self.drop_abandoned_ids().await?;
        Ok(has_found)
    }

    /// Delivers new messages and changes; returns whether there were some.
    async fn deliver_news(&mut self) -> Result<bool, Error> {
        let mut has_found = false;
        for _ in 0..MAX_POLLS {
            let poll = self.poll().await?;
            has_found |= poll.has_found;
            if !poll.has_more {
                break;
            }
        }
        Ok(has_found)
    }

    /// A database that was restored from a backup has not assigned the ids that the tailer knows, and will assign them
    /// to other messages and changes.
    async fn check_for_restore(&mut self) -> Result<(), Error> {
        let (messages, changes) = (&self.messages, &self.changes);
        if messages.is_ahead(self.database).await? || changes.is_ahead(self.database).await? {
            tracing::warn!(
                reached = messages.cursor.reached,
                "the database was restored to an earlier state; resetting all event streams"
            );
            self.restart().await?;
            self.hub.registry().reset(&self.cursor());
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

    /// Delivers new messages and changes, as many as one statement reads.
    ///
    /// The changes are read before the messages and delivered after them, so that every change follows its message.
    /// They wait until all messages are delivered.
    async fn poll(&mut self) -> Result<Poll, Error> {
        let (changes, has_more) = self.new_changes().await?;
        let messages = self.poll_messages().await?;
        if messages.has_more {
            return Ok(messages);
        }
        let has_found = messages.has_found || !changes.is_empty();
        self.deliver_changes(changes);
        Ok(Poll {
            has_found,
            has_more,
        })
    }

    /// Delivers new messages.
    async fn poll_messages(&mut self) -> Result<Poll, Error> {
        let mut receipts = Vec::new();
        for some in self.messages.missing().chunks(store::MAX_MISSING) {
            receipts.extend(store::receipts_of(self.database, some).await?);
        }
        let reached = self.messages.cursor.reached;
        let (new, has_more) = store::receipts_after(self.database, reached).await?;
        receipts.extend(new);
        self.deliver_all(&receipts).await?;
        self.messages.track_missing();
        Ok(Poll {
            has_found: !receipts.is_empty(),
            has_more,
        })
    }

    /// The new changes in the order of their ids, and whether there may be more. Missing ids are read last: a change
    /// that precedes another one of the same message, and was committed in between, must not be found after it.
    async fn new_changes(&self) -> Result<(Vec<Change>, bool), Error> {
        let reached = self.changes.cursor.reached;
        let (new, has_more) = changes::after(self.database, reached).await?;
        let mut found = Vec::new();
        for some in self.changes.missing().chunks(store::MAX_MISSING) {
            found.extend(changes::committed(self.database, some).await?);
        }
        found.sort_unstable_by_key(|change| change.id);
        found.extend(new);
        Ok((found, has_more))
    }

    fn deliver_changes(&mut self, changes: Vec<Change>) {
        let mut registry = self.hub.registry();
        for change in changes {
            self.changes.record(change.id);
            if !registry.has(change.user) {
                continue;
            }
            let (user, bytes) = (change.user, change.memory_bytes());
            let delivery = self.delivery(News::Change(change), bytes);
            registry.deliver(user, &delivery);
            // From here on only the queues hold the change, so dropping those frees it.
            drop(delivery);
            registry.enforce_budget(&self.hub.budget);
        }
        registry.cursor = Some(self.cursor());
        drop(registry);
        self.changes.track_missing();
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
            self.messages.record(id);
            let Some(message) = contents.remove(&id) else {
                continue;
            };
            let bytes = message.memory_bytes();
            let delivery = self.delivery(News::Message(message), bytes);
            for receiver in subscribed {
                registry.deliver(receiver, &delivery);
            }
            // From here on only the queues hold the message, so dropping those frees it.
            drop(delivery);
            registry.enforce_budget(&self.hub.budget);
        }
        registry.cursor = Some(self.cursor());
    }

    fn delivery(&self, news: News, bytes: usize) -> Arc<Delivery> {
        let cursor = self.cursor();
        Arc::new(Delivery {
            news,
            charge: self.hub.budget.charge(bytes + cursor.bytes()),
            cursor,
        })
    }

    /// Drops missing ids that no transaction can commit any more. The next poll finds those that were committed after
    /// the last one.
    async fn drop_abandoned_ids(&mut self) -> Result<(), Error> {
        let messages = self.messages.abandoned(self.database).await?;
        if !messages.is_empty() {
            let committed = store::receipts_of(self.database, &messages).await?;
            let committed = committed.iter().map(|receipt| receipt.message);
            self.messages.drop_abandoned(&messages, committed);
        }
        let changes = self.changes.abandoned(self.database).await?;
        if !changes.is_empty() {
            let committed = changes::committed(self.database, &changes).await?;
            let committed = committed.iter().map(|change| change.id);
            self.changes.drop_abandoned(&changes, committed);
        }
        Ok(())
    }
}

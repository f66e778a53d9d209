//! The event stream of one subscriber: first the messages that it missed, then the changes that it missed, then new
//! messages and changes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rocket::futures::Stream;
use rocket::response::stream::stream;
use rocket::tokio::time::{Instant, sleep};

use crate::auth::Caller;
use crate::db::{Database, Error};
use crate::live::changes::{self, Change};
use crate::live::cursor::StreamCursor;
use crate::live::followed_table::{CHANGES, MESSAGES};
use crate::live::hub::Subscription;
use crate::live::id_cursor::IdCursor;
use crate::live::store::{self, BacklogEntry};
use crate::live::subscriber::{Delivery, EventReader, HEARTBEAT, Missed, News, Notification};
use crate::model::message::Message;

/// The bytes that are passed to the network at once. The HTTP library buffers sixteen such chunks for a client that
/// does not read, and nothing can free those: with 2,000 streams, 32 MiB.
pub(super) const CHUNK_SIZE: usize = 1_024;
/// The bytes of backlog that are read at once: at least one message, however long.
const BATCH_BYTES: u64 = 128 * 1024;
/// Pause before a read of the backlog that failed is retried.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Delay in ms before a client reconnects after a `goodbye`: random, so that not all clients reconnect at once.
const RECONNECT_DELAY_MS: std::ops::Range<u64> = 100..2_000;

/// The event stream of one subscriber.
pub(super) struct SubscriberStream {
    database: Database,
    caller: Caller,
    subscription: Subscription,
    /// Messages and changes after this cursor are delivered by the tailer.
    start: StreamCursor,
    /// The messages and changes that the client has, which is the id of the events.
    cursor: StreamCursor,
    backlog: Backlog,
}

/// The messages and changes up to `start` that the client may not have.
enum Backlog {
    /// The subscription was just activated: whether the client is ahead of the database is not known yet.
    Unchecked,
    /// Entries of messages that were read, and the id from which further entries are to be read.
    Messages(VecDeque<BacklogEntry>, Option<u64>),
    /// The messages are read; and the id from which changes are to be read, if there may be more.
    Changes(Option<u64>),
    Empty,
}

const RESET: Step = Step::Event("reset", Cow::Borrowed("{}"));
const REFETCH: Step = Step::Event("refetch", Cow::Borrowed("{}"));

/// One step of a stream.
enum Step {
    Event(&'static str, Cow<'static, str>),
    /// Nothing is written.
    Quiet,
    /// A comment is written, which keeps the connection alive.
    Heartbeat,
    End,
}

impl SubscriberStream {
    /// A stream that starts with the subscription, or resumes after the last event that the client has.
    pub(super) fn new(
        database: Database,
        caller: Caller,
        (subscription, start): (Subscription, StreamCursor),
        last_event: Option<StreamCursor>,
    ) -> Self {
        Self {
            database,
            caller,
            subscription,
            cursor: last_event.unwrap_or_else(|| start.clone()),
            start,
            backlog: Backlog::Unchecked,
        }
    }

    /// Whether the client has ids that the database never assigned: they are forged, or from before a restore.
    async fn is_ahead(&self) -> Result<bool, Error> {
        // The replica that sent the id may have been a moment ahead of this one.
        let (message, change) = (self.cursor.messages.reached, self.cursor.reached_change());
        if message > self.start.messages.reached
            && !MESSAGES.has_assigned(&self.database, message).await?
        {
            return Ok(true);
        }
        Ok(change > self.start.reached_change()
            && !CHANGES.has_assigned(&self.database, change).await?)
    }

    fn reset(&mut self, cursor: StreamCursor) -> Step {
        self.start = cursor.clone();
        self.cursor = cursor;
        self.backlog = Backlog::Empty;
        RESET
    }

    /// The events for the client, in chunks that are buffered in the subscriber.
    ///
    /// `hello` has the id with which the client resumed, even where a `reset` follows: a client whose connection is
    /// lost between the two resumes with the same id, and is reset then.
    pub(super) fn into_events(
        mut self,
        closing: impl Future<Output = ()> + Send,
    ) -> impl Stream<Item = EventReader> + Send {
        stream! {
            rocket::tokio::pin!(closing);
            yield self.event("hello", "{}");
            let heartbeat = sleep(HEARTBEAT);
            rocket::tokio::pin!(heartbeat);
            loop {
                let step = rocket::tokio::select! {
                    step = self.next() => step,
                    () = &mut closing => Step::End,
                    () = &mut heartbeat => Step::Heartbeat,
                };
                match step {
                    Step::Event(name, data) => yield self.event(name, &data),
                    Step::Quiet => continue,
                    Step::Heartbeat => yield self.write(":\n".to_owned()),
                    Step::End => break,
                }
                heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
            }
            let retry = rand::random_range(RECONNECT_DELAY_MS);
            yield self.write(format!("retry:{retry}\n{}", self.text("goodbye", "{}")));
        }
    }

    /// The data is JSON, which has no line breaks.
    fn text(&self, name: &str, data: &str) -> String {
        let id = self.cursor.to_string();
        ["id:", &id, "\nevent:", name, "\ndata:", data, "\n\n"].concat()
    }

    fn event(&self, name: &str, data: &str) -> EventReader {
        self.write(self.text(name, data))
    }

    fn write(&self, text: String) -> EventReader {
        let Subscription { hub, subscriber } = &self.subscription;
        let charge = hub.budget.charge(text.len());
        subscriber.write(text.into_bytes(), charge);
        hub.enforce_budget();
        EventReader(Arc::clone(subscriber))
    }

    /// The next step. Cancel-safe: the future may be dropped while it waits.
    async fn next(&mut self) -> Step {
        if self.subscription.subscriber.is_active() {
            if let Some(missed) = self.subscription.subscriber.next_missed() {
                return self.missed_event(&missed);
            }
            if !matches!(self.backlog, Backlog::Empty) {
                return self.catch_up().await;
            }
        }
        match self.subscription.subscriber.notification().await {
            Notification::Activated(cursor) => {
                self.start = cursor;
                self.backlog = Backlog::Unchecked;
                Step::Quiet
            }
            Notification::News(delivery) => self.delivery_event(&delivery),
            Notification::Reset(cursor) => self.reset(cursor),
            Notification::Probe => Step::Heartbeat,
            Notification::Overflowed => {
                self.subscription.subscriber.request_activation();
                Step::Quiet
            }
            Notification::Closed => Step::End,
        }
    }

    /// Works through the backlog, oldest first.
    async fn catch_up(&mut self) -> Step {
        let progress = match &self.backlog {
            Backlog::Unchecked => self.check_cursor().await,
            _ => self.read_backlog().await,
        };
        match progress {
            Ok(step) => step,
            Err(error) => {
                tracing::debug!("the backlog of a stream cannot be read yet: {error}");
                sleep(RETRY_INTERVAL).await;
                Step::Quiet
            }
        }
    }

    async fn check_cursor(&mut self) -> Result<Step, Error> {
        if self.is_ahead().await? {
            return Ok(self.reset(self.start.clone()));
        }
        let next = self.cursor.messages.next();
        let is_complete = self.has_kept_changes().await?;
        if !is_complete {
            self.cursor = self.cursor.with_changes(&self.start, u64::MAX);
        }
        self.backlog = Backlog::Messages(VecDeque::new(), Some(next));
        Ok(if is_complete { Step::Quiet } else { REFETCH })
    }

    /// Whether all changes that the client may have missed are kept. A client without messages has missed none:
    /// messages of the backlog are sent as they are now.
    async fn has_kept_changes(&mut self) -> Result<bool, Error> {
        let both = self.cursor.with_changes(&self.start, u64::MAX);
        match &self.cursor.changes {
            Some(known) if both != self.cursor => {
                Ok(!changes::are_incomplete_from(&self.database, known.next()).await?)
            }
            Some(_) => Ok(true),
            None => {
                let has_messages = self.cursor.messages.reached > 0;
                if !has_messages {
                    self.cursor = both;
                }
                Ok(!has_messages)
            }
        }
    }

    /// Reads the entries of the backlog or, if some are known, their messages into the subscriber's buffer; and then
    /// the changes.
    async fn read_backlog(&mut self) -> Result<Step, Error> {
        match &mut self.backlog {
            Backlog::Messages(known, _) if !known.is_empty() => {
                let batch = batch(known);
                let messages =
                    store::backlog_messages(&self.database, &self.caller, &batch).await?;
                known.drain(..batch.len());
                self.buffer(messages.into_iter().map(Missed::Message));
            }
            Backlog::Messages(_, Some(from)) => {
                let from = *from;
                self.read_entries(from).await?;
            }
            Backlog::Messages(_, None) => {
                self.cursor = self.cursor.with_messages(&self.start, u64::MAX);
                let is_missing = self.cursor != self.cursor.union(&self.start);
                let known = self.cursor.changes.as_ref().filter(|_| is_missing);
                self.backlog = Backlog::Changes(known.map(IdCursor::next));
            }
            Backlog::Changes(Some(from)) => {
                let from = *from;
                self.read_changes(from).await?;
            }
            _ => {
                self.cursor = self.cursor.union(&self.start);
                self.backlog = Backlog::Empty;
            }
        }
        Ok(Step::Quiet)
    }

    /// Reads entries of the backlog, from this id on, of messages that the client does not have.
    async fn read_entries(&mut self, from: u64) -> Result<(), Error> {
        let ids = from..=self.start.messages.reached;
        let (entries, has_more) = store::backlog(&self.database, &self.caller, &ids).await?;
        let next = entries.last().filter(|_| has_more).map(|last| last.id + 1);
        let is_new = |entry: &BacklogEntry| {
            self.start.covers_message(entry.id) && !self.cursor.covers_message(entry.id)
        };
        let new = entries.into_iter().filter(is_new).collect();
        self.backlog = Backlog::Messages(new, next);
        Ok(())
    }

    /// Buffers changes, from this id on, that the client does not have.
    async fn read_changes(&mut self, from: u64) -> Result<(), Error> {
        let ids = from..=self.start.reached_change();
        let (mut missed, has_more) = changes::of_caller(&self.database, &self.caller, &ids).await?;
        let last = missed.last().filter(|_| has_more);
        self.backlog = Backlog::Changes(last.map(|last| last.id + 1));
        missed.retain(|change| {
            self.start.covers_change(change.id) && !self.cursor.covers_change(change.id)
        });
        self.buffer(missed.into_iter().map(Missed::Change));
        Ok(())
    }

    /// Buffers messages and changes of the backlog in the subscriber until they are written.
    fn buffer(&self, missed: impl Iterator<Item = Missed>) {
        let Subscription { hub, subscriber } = &self.subscription;
        let charged = missed.map(|missed| {
            let bytes = match &missed {
                Missed::Message(message) => message.memory_bytes(),
                Missed::Change(change) => change.memory_bytes(),
            };
            (missed, hub.budget.charge(bytes))
        });
        subscriber.queue_backlog(charged);
        hub.enforce_budget();
    }

    fn missed_event(&mut self, missed: &Missed) -> Step {
        match missed {
            Missed::Message(message) => {
                let id = message.id.get();
                self.cursor = self.cursor.with_messages(&self.start, id);
                message_event(message)
            }
            Missed::Change(change) => {
                self.cursor = self.cursor.with_changes(&self.start, change.id);
                change_event(change)
            }
        }
    }

    /// A new message or change, unless the client already has it from a replica that was ahead of this one.
    fn delivery_event(&mut self, delivery: &Delivery) -> Step {
        let is_known = match &delivery.news {
            News::Message(message) => self.cursor.covers_message(message.content.id.get()),
            News::Change(change) => self.cursor.covers_change(change.id),
        };
        self.cursor = self.cursor.union(&delivery.cursor);
        match &delivery.news {
            _ if is_known => Step::Quiet,
            News::Message(message) => {
                let receiver = self.caller.username().clone();
                let content = message.content_for(self.caller.id());
                message_event(&Message::of_receiver(content, receiver, false))
            }
            News::Change(change) => change_event(change),
        }
    }
}

/// The ids of the first entries whose messages have at most [`BATCH_BYTES`] together.
fn batch(known: &VecDeque<BacklogEntry>) -> Vec<u64> {
    let mut bytes = 0;
    let first = known.iter().take_while(|entry| {
        let fits = bytes == 0 || bytes + entry.bytes <= BATCH_BYTES;
        bytes += entry.bytes;
        fits
    });
    first.map(|entry| entry.id).collect()
}

fn message_event(message: &Message) -> Step {
    let data = serde_json::to_string(message).unwrap_or_default();
    Step::Event("message", data.into())
}

fn change_event(change: &Change) -> Step {
    change
        .event()
        .map_or(Step::Quiet, |(name, data)| Step::Event(name, data.into()))
}

//! One subscriber: the buffers of its stream. A stream is polled only when its client reads, so its buffers are kept
//! here, where they can be freed even if the client does not read.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rocket::tokio::io::{AsyncRead, ReadBuf};
use rocket::tokio::sync::Notify;
use rocket::tokio::time::Instant;

use crate::live::changes::Change;
use crate::live::cursor::StreamCursor;
use crate::live::memory_budget::MemoryCharge;
use crate::live::store::NewMessage;
use crate::model::message::Message;

#[cfg(test)]
mod tests;

/// Interval of the comments that keep a connection alive. Shorter than the idle timeouts of proxies.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Messages and changes that one subscriber can queue. Beyond that the queue overflows, and the stream catches up from
/// the database.
const MAX_QUEUED: usize = 64;
/// The bytes of those.
const MAX_QUEUED_BYTES: usize = 512 * 1024;
/// How long an event may be in progress while the client reads no byte of it.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What a tailer delivers.
pub(super) enum News {
    Message(NewMessage),
    Change(Change),
}

/// A new message or change, shared by all subscribers that receive it.
pub(super) struct Delivery {
    pub(super) news: News,
    /// The cursor of a client that has it.
    pub(super) cursor: StreamCursor,
    pub(super) charge: MemoryCharge,
}

/// A message or change that a client has missed.
pub(super) enum Missed {
    Message(Message),
    Change(Change),
}

/// A notification to a subscriber.
pub(super) enum Notification {
    /// Messages and changes after this cursor are delivered from now on.
    Activated(StreamCursor),
    News(Arc<Delivery>),
    /// The database was restored; this is the cursor at its newest message and change.
    Reset(StreamCursor),
    /// The stream has to write a comment, to detect whether the client is still connected.
    Probe,
    /// The queue overflowed and was dropped.
    Overflowed,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Waits for the tailer to activate it.
    Pending,
    Active,
    Overflowed,
    Closed,
}

/// A registered stream, between the tailer and the connection.
pub(super) struct Subscriber {
    pub(super) user: u64,
    pub(super) token_epoch: u32,
    expires_at: Instant,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    status: Status,
    /// Messages and changes from before the activation, which are written first.
    backlog: VecDeque<(Missed, MemoryCharge)>,
    notifications: VecDeque<Notification>,
    /// Bytes of the news in `notifications`.
    queued: usize,
    /// The event that is being written, and how much of it is.
    text: Vec<u8>,
    written: usize,
    charge: Option<MemoryCharge>,
    last_progress: Instant,
    /// The event that was being written was dropped.
    is_truncated: bool,
    is_probed: bool,
}

impl State {
    fn drop_queues(&mut self) {
        self.backlog.clear();
        self.notifications.clear();
        self.queued = 0;
    }

    fn close(&mut self) {
        self.status = Status::Closed;
        self.drop_queues();
        self.is_truncated |= !self.text.is_empty();
        self.drop_event();
    }

    fn overflow(&mut self) {
        self.status = Status::Overflowed;
        self.drop_queues();
    }

    fn drop_event(&mut self) {
        self.text = Vec::new();
        self.written = 0;
        self.charge = None;
    }

    fn is_stalled(&self) -> bool {
        !self.text.is_empty() && self.last_progress.elapsed() > STALL_TIMEOUT
    }

    fn buffered_bytes(&self) -> usize {
        let backlog: usize = self.backlog.iter().map(|(_, charge)| charge.bytes()).sum();
        backlog + self.queued + self.text.len()
    }
}

impl Subscriber {
    pub(super) fn new(user: u64, token_epoch: u32, expires_at: Instant) -> Self {
        Self {
            user,
            token_epoch,
            expires_at,
            state: Mutex::new(State {
                status: Status::Pending,
                backlog: VecDeque::new(),
                notifications: VecDeque::new(),
                queued: 0,
                text: Vec::new(),
                written: 0,
                charge: None,
                last_progress: Instant::now(),
                is_truncated: false,
                is_probed: false,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Activates a subscriber that waits for it: from now on news are delivered to it.
    pub(super) fn activate(&self, start: &StreamCursor) {
        let mut state = self.state();
        if state.status == Status::Pending {
            state.status = Status::Active;
            state
                .notifications
                .push_back(Notification::Activated(start.clone()));
            self.changed.notify_one();
        }
    }

    /// Queues a message or change for an active subscriber.
    pub(super) fn deliver(&self, delivery: &Arc<Delivery>) {
        let mut state = self.state();
        if state.status != Status::Active {
            return;
        }
        let bytes = delivery.charge.bytes();
        if state.notifications.len() >= MAX_QUEUED || state.queued + bytes > MAX_QUEUED_BYTES {
            state.overflow();
        } else {
            state.queued += bytes;
            state
                .notifications
                .push_back(Notification::News(Arc::clone(delivery)));
        }
        self.changed.notify_one();
    }

    /// Drops what was queued before the database was restored. A pending subscriber compares its cursor once
    /// it is activated.
    pub(super) fn reset(&self, cursor: &StreamCursor) {
        let mut state = self.state();
        if matches!(state.status, Status::Active | Status::Overflowed) {
            state.drop_queues();
            state.status = Status::Active;
            state
                .notifications
                .push_back(Notification::Reset(cursor.clone()));
            self.changed.notify_one();
        }
    }

    /// Makes the stream write a comment, because only a write detects a closed connection.
    pub(super) fn probe(&self) {
        self.state().is_probed = true;
        self.changed.notify_one();
    }

    /// Closes the stream and drops its buffers.
    pub(super) fn close(&self) {
        self.state().close();
        self.changed.notify_one();
    }

    /// Closes the stream if it has expired or its client reads nothing.
    pub(super) fn close_if_due(&self, now: Instant) {
        let mut state = self.state();
        let is_expired = state.status != Status::Closed && now >= self.expires_at;
        if is_expired || state.is_stalled() {
            state.close();
            self.changed.notify_one();
        }
    }

    /// Drops the buffers, because all subscribers together exceed the budget.
    pub(super) fn drop_buffers(&self) {
        let mut state = self.state();
        if state.text.is_empty() {
            if state.status == Status::Active {
                state.overflow();
            }
        } else {
            state.close();
        }
        self.changed.notify_one();
    }

    /// The bytes that are buffered here.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.state().buffered_bytes()
    }

    /// Requests activation again after an overflow.
    pub(super) fn request_activation(&self) {
        let mut state = self.state();
        if state.status == Status::Overflowed {
            state.status = Status::Pending;
        }
    }

    /// The next notification. Cancel-safe.
    pub(super) async fn notification(&self) -> Notification {
        loop {
            if let Some(notification) = self.try_next_notification() {
                return notification;
            }
            self.changed.notified().await;
        }
    }

    /// Waits until a subscriber whose stream has not begun yet is active. Returns the cursor after which messages are
    /// delivered, or nothing if the subscriber was closed. Cancel-safe.
    pub(super) async fn activation(&self) -> Option<StreamCursor> {
        loop {
            match self.notification().await {
                Notification::Activated(cursor) | Notification::Reset(cursor) => {
                    return Some(cursor);
                }
                Notification::Overflowed => self.request_activation(),
                // A stream begins with a write in any case; and nothing is queued before an activation.
                Notification::Probe | Notification::News(_) => {}
                Notification::Closed => return None,
            }
        }
    }

    fn try_next_notification(&self) -> Option<Notification> {
        let mut state = self.state();
        match state.status {
            Status::Closed => return Some(Notification::Closed),
            Status::Overflowed => return Some(Notification::Overflowed),
            Status::Active | Status::Pending => {}
        }
        if std::mem::take(&mut state.is_probed) {
            return Some(Notification::Probe);
        }
        let notifications = state.notifications.pop_front();
        if let Some(Notification::News(delivery)) = &notifications {
            state.queued -= delivery.charge.bytes();
        }
        notifications
    }

    /// Whether news are delivered: the stream is not closed, and no queue was dropped.
    pub(super) fn is_active(&self) -> bool {
        self.state().status == Status::Active
    }

    pub(super) fn queue_backlog(&self, backlog: impl IntoIterator<Item = (Missed, MemoryCharge)>) {
        let mut state = self.state();
        if state.status == Status::Active {
            state.backlog.extend(backlog);
        }
    }

    pub(super) fn next_missed(&self) -> Option<Missed> {
        self.state().backlog.pop_front().map(|(missed, _)| missed)
    }

    /// Starts to write an event, unless one was truncated: then the connection has to end.
    pub(super) fn write(&self, text: Vec<u8>, charge: MemoryCharge) {
        let mut state = self.state();
        if !state.is_truncated {
            state.text = text;
            state.written = 0;
            state.charge = Some(charge);
            state.last_progress = Instant::now();
        }
    }
}

/// Reads the event that a subscriber is writing, as bytes.
pub(super) struct EventReader(pub(super) Arc<Subscriber>);

impl AsyncRead for EventReader {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if state.is_truncated {
            // The rest of the event was dropped, so the connection has to end.
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let rest = &state.text[state.written..];
        let some = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(some);
        state.written += some.len();
        state.last_progress = Instant::now();
        if state.written == state.text.len() {
            state.drop_event();
        }
        Poll::Ready(Ok(()))
    }
}

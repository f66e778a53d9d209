//! The place of one listener. A stream is only asked for more when its client reads, so whatever waits for the client
//! lies here, where it can be taken away although the client does not read.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rocket::tokio::io::{AsyncRead, ReadBuf};
use rocket::tokio::sync::Notify;
use rocket::tokio::time::Instant;

use crate::live::budget::Charge;
use crate::live::position::Position;
use crate::model::message::{Content, Message};

/// Messages that wait for one listener. Who has more waiting lapses: the listener has to catch up from the database.
const QUEUE: usize = 64;
/// The bytes of those messages.
const QUEUE_BYTES: usize = 512 * 1024;
/// How long an event may be on its way without a byte of it being taken.
const STALL: Duration = Duration::from_secs(30);

/// A message that arrived, once for all who hear it.
pub(super) struct Parcel {
    pub(super) content: Content,
    /// How far whoever has it has got.
    pub(super) position: Position,
    pub(super) charge: Charge,
}

/// What a listener hears from the reader.
pub(super) enum News {
    /// From where on messages are handed to the listener.
    Start(Position),
    Message(Arc<Parcel>),
    /// The database is another one, or an earlier one, which has got no further than this.
    Reset(Position),
    /// Something is to be written, which shows whether the client is still there.
    Probe,
    /// Too much was waiting, and was taken away.
    Lapse,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Wants to be let in.
    Waiting,
    In,
    Lapsed,
    Over,
}

pub(super) struct Seat {
    pub(super) user: u64,
    pub(super) token_epoch: u32,
    until: Instant,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    standing: Standing,
    /// Messages of before the listener was let in, which come first.
    missed: VecDeque<(Message, Charge)>,
    news: VecDeque<News>,
    /// Bytes of the messages among the news.
    queued: usize,
    /// The event that is being written, and how far it is.
    text: Vec<u8>,
    written: usize,
    charge: Option<Charge>,
    last_progress: Instant,
    /// The event that was being written was taken away.
    is_cut: bool,
    is_probed: bool,
}

impl State {
    fn drop_queues(&mut self) {
        self.missed.clear();
        self.news.clear();
        self.queued = 0;
    }

    fn end(&mut self) {
        self.standing = Standing::Over;
        self.drop_queues();
        self.is_cut |= !self.text.is_empty();
        self.drop_text();
    }

    fn lapse(&mut self) {
        self.standing = Standing::Lapsed;
        self.drop_queues();
    }

    fn drop_text(&mut self) {
        self.text = Vec::new();
        self.written = 0;
        self.charge = None;
    }

    fn stalls(&self) -> bool {
        !self.text.is_empty() && self.last_progress.elapsed() > STALL
    }

    fn held(&self) -> usize {
        let missed: usize = self.missed.iter().map(|(_, charge)| charge.bytes()).sum();
        missed + self.queued + self.text.len()
    }
}

impl Seat {
    pub(super) fn new(user: u64, token_epoch: u32, until: Instant) -> Self {
        Self {
            user,
            token_epoch,
            until,
            state: Mutex::new(State {
                standing: Standing::Waiting,
                missed: VecDeque::new(),
                news: VecDeque::new(),
                queued: 0,
                text: Vec::new(),
                written: 0,
                charge: None,
                last_progress: Instant::now(),
                is_cut: false,
                is_probed: false,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in a listener who waits for it.
    pub(super) fn let_in(&self, start: &Position) {
        let mut state = self.state();
        if state.standing == Standing::Waiting {
            state.standing = Standing::In;
            state.news.push_back(News::Start(start.clone()));
            self.changed.notify_one();
        }
    }

    /// Hands a message to a listener who is in.
    pub(super) fn hand(&self, parcel: &Arc<Parcel>) {
        let mut state = self.state();
        if state.standing != Standing::In {
            return;
        }
        let bytes = parcel.charge.bytes();
        if state.news.len() >= QUEUE || state.queued + bytes > QUEUE_BYTES {
            state.lapse();
        } else {
            state.queued += bytes;
            state.news.push_back(News::Message(Arc::clone(parcel)));
        }
        self.changed.notify_one();
    }

    /// What waits is of a database that is no more. Who waits to be let in compares the positions then.
    pub(super) fn reset(&self, position: &Position) {
        let mut state = self.state();
        if matches!(state.standing, Standing::In | Standing::Lapsed) {
            state.drop_queues();
            state.standing = Standing::In;
            state.news.push_back(News::Reset(position.clone()));
            self.changed.notify_one();
        }
    }

    /// Has something written to the client: only a write shows that a connection was closed.
    pub(super) fn probe(&self) {
        self.state().is_probed = true;
        self.changed.notify_one();
    }

    /// Ends the listening and takes away what waits.
    pub(super) fn end(&self) {
        self.state().end();
        self.changed.notify_one();
    }

    /// Ends a listening whose time is over, or whose client takes nothing.
    pub(super) fn end_if_due(&self, now: Instant) {
        let mut state = self.state();
        let is_late = state.standing != Standing::Over && now >= self.until;
        if is_late || state.stalls() {
            state.end();
            self.changed.notify_one();
        }
    }

    /// Gives up what it holds, because all of them hold too much.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        if state.text.is_empty() {
            if state.standing == Standing::In {
                state.lapse();
            }
        } else {
            state.end();
        }
        self.changed.notify_one();
    }

    /// The bytes that wait here.
    pub(super) fn held(&self) -> usize {
        self.state().held()
    }

    /// Wants to be let in again.
    pub(super) fn wait_again(&self) {
        let mut state = self.state();
        if state.standing == Standing::Lapsed {
            state.standing = Standing::Waiting;
        }
    }

    /// The next news; may be dropped while it waits.
    pub(super) async fn news(&self) -> News {
        loop {
            if let Some(news) = self.next_news() {
                return news;
            }
            self.changed.notified().await;
        }
    }

    fn next_news(&self) -> Option<News> {
        let mut state = self.state();
        match state.standing {
            Standing::Over => return Some(News::End),
            Standing::Lapsed => return Some(News::Lapse),
            Standing::In | Standing::Waiting => {}
        }
        if std::mem::take(&mut state.is_probed) {
            return Some(News::Probe);
        }
        let news = state.news.pop_front();
        if let Some(News::Message(parcel)) = &news {
            state.queued -= parcel.charge.bytes();
        }
        news
    }

    /// Whether the listener is in: not over, and nothing was taken away.
    pub(super) fn is_in(&self) -> bool {
        self.state().standing == Standing::In
    }

    pub(super) fn keep_missed(&self, missed: impl IntoIterator<Item = (Message, Charge)>) {
        let mut state = self.state();
        if state.standing == Standing::In {
            state.missed.extend(missed);
        }
    }

    pub(super) fn next_missed(&self) -> Option<Message> {
        self.state().missed.pop_front().map(|(message, _)| message)
    }

    /// Begins to write an event; not after the end, but for the goodbye.
    pub(super) fn write(&self, text: Vec<u8>, charge: Charge) {
        let mut state = self.state();
        if !state.is_cut {
            state.text = text;
            state.written = 0;
            state.charge = Some(charge);
            state.last_progress = Instant::now();
        }
    }
}

/// The event that a seat holds, as bytes.
pub(super) struct Writing(pub(super) Arc<Seat>);

impl AsyncRead for Writing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if state.is_cut {
            // The rest of the event is gone, so the connection has to end.
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let rest = &state.text[state.written..];
        let some = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(some);
        state.written += some.len();
        state.last_progress = Instant::now();
        if state.written == state.text.len() {
            state.drop_text();
        }
        Poll::Ready(Ok(()))
    }
}

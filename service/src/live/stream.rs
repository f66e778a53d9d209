//! What one listener is told: what they missed, and then what arrives.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rocket::futures::Stream;
use rocket::response::stream::stream;
use rocket::tokio::time::sleep;

use crate::auth::Caller;
use crate::db::{Database, Error};
use crate::live::position::Position;
use crate::live::seat::{News, Parcel, Writing};
use crate::live::store::Missed;
use crate::live::{Line, store};
use crate::model::message::{Content, Message};

/// Between two comments that say nothing but that the line still stands. Shorter than what proxies wait for.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// The bytes that are handed to the network at once. The HTTP library keeps sixteen such pieces for a client that does
/// not read, and nothing takes those away: with 2,000 listeners, 32 MiB.
pub(super) const PIECE: usize = 1_024;
/// The bytes of messages that are read at once for a listener who has missed some: at least one message, however long.
const BATCH_BYTES: u64 = 128 * 1024;
/// Until what a listener has missed is asked for again from a database that is away.
const PAUSE: Duration = Duration::from_millis(500);
/// Until a client comes back after a goodbye, in ms: at random, so that not all come at once.
const COME_BACK: std::ops::Range<u64> = 100..2_000;

/// The stream of one listener.
pub(super) struct Story {
    database: Database,
    caller: Caller,
    line: Line,
    /// From where on the line has every message.
    start: Position,
    /// How far the listener has got.
    position: Position,
    behind: Behind,
}

/// What the listener may not have of the messages before the start.
enum Behind {
    /// The listener was let in again, and it is yet to be seen whether they are ahead of the database.
    Unseen,
    /// These, and those from that one on, which are yet to be asked for.
    From(VecDeque<Missed>, Option<u64>),
    Nothing,
}

const RESET: Step = Step::Event("reset", Cow::Borrowed("{}"));

/// One step of a story.
enum Step {
    Event(&'static str, Cow<'static, str>),
    /// Nothing to tell.
    Quiet,
    /// Nothing to tell for a while.
    Heartbeat,
    End,
}

impl Story {
    /// Begins at the start of the line, or goes on from where the listener was.
    ///
    /// # Errors
    /// If the database is away.
    pub(super) async fn begin(
        database: Database,
        caller: Caller,
        (line, start): (Line, Position),
        last: Option<Position>,
    ) -> Result<(Self, bool), Error> {
        let mut story = Self {
            database,
            caller,
            line,
            position: last.unwrap_or_else(|| start.clone()),
            start,
            behind: Behind::Nothing,
        };
        let is_reset = story.start().await?;
        Ok((story, is_reset))
    }

    /// The listener is let in: what they have not, is behind. If they have ids that were never given out, they begin
    /// anew.
    async fn start(&mut self) -> Result<bool, Error> {
        // A replica may be a moment ahead of this one.
        let is_ahead = self.position.reached > self.start.reached;
        if is_ahead && !store::has_given_out(&self.database, self.position.reached).await? {
            self.reset(self.start.clone());
            return Ok(true);
        }
        self.behind = Behind::From(VecDeque::new(), Some(self.position.next()));
        Ok(false)
    }

    fn reset(&mut self, position: Position) {
        self.start = position.clone();
        self.position = position;
        self.behind = Behind::Nothing;
    }

    /// All that is written to the client, in pieces that lie in the listener's seat.
    pub(super) fn tell(
        mut self,
        is_reset: bool,
        over: impl Future<Output = ()> + Send,
    ) -> impl Stream<Item = Writing> + Send {
        stream! {
            rocket::tokio::pin!(over);
            yield self.event("hello", "{}");
            if is_reset {
                yield self.event("reset", "{}");
            }
            loop {
                let step = rocket::tokio::select! {
                    step = self.next() => step,
                    () = &mut over => Step::End,
                    () = sleep(HEARTBEAT) => Step::Heartbeat,
                };
                match step {
                    Step::Event(name, data) => yield self.event(name, &data),
                    Step::Quiet => {}
                    Step::Heartbeat => yield self.write(":\n".to_owned()),
                    Step::End => break,
                }
            }
            let retry = rand::random_range(COME_BACK);
            yield self.write(format!("retry:{retry}\n{}", self.text("goodbye", "{}")));
        }
    }

    /// The data is JSON, which has no line breaks.
    fn text(&self, name: &str, data: &str) -> String {
        let id = self.position.to_string();
        ["id:", &id, "\nevent:", name, "\ndata:", data, "\n\n"].concat()
    }

    fn event(&self, name: &str, data: &str) -> Writing {
        self.write(self.text(name, data))
    }

    fn write(&self, text: String) -> Writing {
        let Line { live, seat } = &self.line;
        let charge = live.budget.charge(text.len());
        seat.write(text.into_bytes(), charge);
        live.relieve();
        Writing(Arc::clone(seat))
    }

    /// The next step. It may be dropped while it waits, and nothing is lost.
    async fn next(&mut self) -> Step {
        if self.line.seat.is_in() {
            if let Some(message) = self.line.seat.next_missed() {
                return self.tell_missed(&message);
            }
            if !matches!(self.behind, Behind::Nothing) {
                return self.catch_up().await;
            }
        }
        match self.line.seat.news().await {
            News::Start(position) => {
                self.start = position;
                self.behind = Behind::Unseen;
                Step::Quiet
            }
            News::Message(parcel) => self.tell_arrived(&parcel),
            News::Reset(position) => {
                self.reset(position);
                RESET
            }
            News::Probe => Step::Heartbeat,
            News::Lapse => {
                self.line.seat.wait_again();
                Step::Quiet
            }
            News::End => Step::End,
        }
    }

    /// Gets on with what the listener has missed, oldest first.
    async fn catch_up(&mut self) -> Step {
        let caught_up = match &self.behind {
            Behind::Unseen => self.start().await,
            _ => self.read_missed().await.map(|()| false),
        };
        match caught_up {
            Ok(is_reset) if is_reset => RESET,
            Ok(_) => Step::Quiet,
            Err(fault) => {
                tracing::debug!("a listener has to wait: {fault}");
                sleep(PAUSE).await;
                Step::Quiet
            }
        }
    }

    /// Reads which messages the listener has missed or, where that is known, some of them into the seat.
    async fn read_missed(&mut self) -> Result<(), Error> {
        match &mut self.behind {
            Behind::From(known, _) if !known.is_empty() => {
                let batch = batch(known);
                let messages = store::received(&self.database, &self.caller, &batch).await?;
                known.drain(..batch.len());
                self.keep(messages);
            }
            Behind::From(known, Some(from)) => {
                let ids = *from..=self.start.reached;
                let (missed, has_more) = store::missed(&self.database, &self.caller, &ids).await?;
                let last = missed.last().filter(|_| has_more);
                let next = last.map(|last| last.id + 1);
                let is_new = |missed: &Missed| {
                    self.start.covers(missed.id) && !self.position.covers(missed.id)
                };
                known.extend(missed.into_iter().filter(is_new));
                self.behind = Behind::From(std::mem::take(known), next);
            }
            _ => {
                self.position = self.position.and(&self.start);
                self.behind = Behind::Nothing;
            }
        }
        Ok(())
    }

    /// Keeps messages in the seat until they are told.
    fn keep(&self, messages: Vec<Message>) {
        let Line { live, seat } = &self.line;
        let charged = messages.into_iter().map(|message| {
            let charge = live.budget.charge(message.memory_bytes());
            (message, charge)
        });
        seat.keep_missed(charged);
        live.relieve();
    }

    fn tell_missed(&mut self, message: &Message) -> Step {
        self.position = self.position.and(&self.start.up_to(message.id.get()));
        message_event(message)
    }

    /// A message that arrived, unless the listener has it from another replica that was ahead of this one.
    fn tell_arrived(&mut self, parcel: &Parcel) -> Step {
        let is_new = !self.position.covers(parcel.content.id.get());
        self.position = self.position.and(&parcel.position);
        if !is_new {
            return Step::Quiet;
        }
        let receiver = self.caller.username().clone();
        let content = Content::clone(&parcel.content);
        message_event(&Message::of_receiver(content, receiver, false))
    }
}

/// The first messages that are not too long together.
fn batch(known: &VecDeque<Missed>) -> Vec<u64> {
    let mut bytes = 0;
    let first = known.iter().take_while(|missed| {
        let fits = bytes == 0 || bytes + missed.bytes <= BATCH_BYTES;
        bytes += missed.bytes;
        fits
    });
    first.map(|missed| missed.id).collect()
}

fn message_event(message: &Message) -> Step {
    let data = serde_json::to_string(message).unwrap_or_default();
    Step::Event("message", data.into())
}

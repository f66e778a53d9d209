//! Listening, as Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::sync::Arc;
use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::stream::{Event, EventStream};
use rocket::tokio::time::sleep;
use rocket::{Route, Shutdown, State, get, routes};

use super::position::Position;
use super::{Line, Live, Signal, store};
use crate::auth::{Caller, TokenEnd};
use crate::body::Invalid;
use crate::database::{Database, Error};
use crate::messages::{Content, Message};
use crate::problem::Problem;
use crate::shutdown::Drain;
use crate::users::Username;

/// Between two comments that say nothing but that the line still stands. Shorter than what proxies wait for.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream goes on. Proxies end what takes longer than they allow (ours, five minutes), in the middle of an event.
const LIFETIME: Duration = Duration::from_mins(4);
/// Until what a listener has missed is asked for again from a database that is away.
const PAUSE: Duration = Duration::from_millis(500);
/// Until a client comes back after a goodbye, in ms: at random, so that not all come at once.
const COME_BACK: std::ops::Range<u64> = 100..2_000;

pub(crate) fn routes() -> Vec<Route> {
    routes![events]
}

/// An event of the stream: the fields that Server-Sent Events have, by their names.
#[derive(utoipa::ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "describes events")]
pub(crate) struct EventFields {
    /// What it is. Kinds may be added; pass over those that you do not know.
    #[schema(pattern = "^(hello|message|goodbye)$", example = "message")]
    event: String,
    /// Where the listener is after it, for `Last-Event-ID`. Not a number: `9-8` says that message 8 may yet come.
    #[schema(
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*([.][1-9][0-9]*)*)?$",
        example = "42"
    )]
    id: String,
    /// JSON: a `Message` if the event is a `message`, else an empty object.
    #[schema(content_media_type = "application/json", example = "{}")]
    data: String,
    /// Milliseconds after which to come back; of `goodbye`.
    #[schema(nullable = false, minimum = 100, maximum = 2000, example = 1234)]
    retry: Option<u64>,
}

/// Listen to your messages as they arrive.
///
/// The answer is a stream of Server-Sent Events that goes on. `hello` comes first. A `message` has the message as its
/// data, as its receiver reads it. `goodbye` says that the stream ends here, because it is four minutes old, the token is
/// over or this replica is; come back after `retry` milliseconds. Comments come in between, so that the connection is seen to be alive.
///
/// Whoever comes back with the id of the last event, at any replica, gets what arrived meanwhile, each message once.
///
/// Whatever shows an answer only when it is whole waits for minutes; `curl -N` shows each event as it comes.
#[utoipa::path(tag = "messages", operation_id = "streamEvents", security(("token" = [])), params(crate::openapi::Owner, crate::openapi::Resumption),
    responses(
    (status = 200, description = "The stream. It is text; each of its events has the fields of the schema `Event`.", content_type = "text/event-stream",
        body = String, example = "id:41\nevent:hello\ndata:{}\n\nid:42\nevent:message\ndata:{\"id\":42,\"sender\":\"alice\",\
            \"receiver\":\"bob\",\"subject\":\"Lunch\",\"message\":\"At noon?\",\"created_at\":\"2026-11-22T12:00:00.000Z\",\
            \"read\":false}\n\nretry:1234\nid:42\nevent:goodbye\ndata:{}\n\n"),
    crate::openapi::NotTheCaller,
    crate::openapi::Unavailable,
))]
#[get("/users/<_>/events")]
pub(crate) async fn events(
    caller: Caller,
    last: LastEvent,
    end: TokenEnd,
    live: &State<Live>,
    database: &State<Database>,
    drain: &State<Drain>,
    shutdown: Shutdown,
) -> Result<EventStream![], Problem> {
    drain.check_listeners()?;
    let (seat, start) = live.listen(&caller).await?;
    let over = stream_is_over(end, drain.inner().clone(), shutdown);
    let position = last.0.unwrap_or_else(|| start.clone());
    let first_missing = position.missing.first().copied();
    let behind = Some(first_missing.unwrap_or(position.reached + 1));
    let mut story = Story {
        database: database.inner().clone(),
        caller,
        line: seat,
        start,
        position,
        behind,
    };
    let stream = EventStream! {
        rocket::tokio::pin!(over);
        yield event("hello", &story.position, "{}".to_owned());
        loop {
            let next = rocket::tokio::select! {
                next = story.next() => next,
                () = &mut over => None,
            };
            let Some(events) = next else { break };
            for event in events {
                yield event;
            }
        }
        yield event("goodbye", &story.position, "{}".to_owned())
            .with_retry(Duration::from_millis(rand::random_range(COME_BACK)));
    };
    Ok(stream.heartbeat(HEARTBEAT))
}

async fn stream_is_over(end: TokenEnd, drain: Drain, shutdown: Shutdown) {
    rocket::tokio::select! {
        () = end.comes() => {}
        () = sleep(LIFETIME) => {}
        () = drain.lets_listeners_go() => {}
        () = shutdown => {}
    }
}

fn event(name: &'static str, position: &Position, data: String) -> Event {
    Event::data(data).event(name).id(position.to_string())
}

/// What one listener is told.
struct Story {
    database: Database,
    caller: Caller,
    line: Line,
    /// From where on the line has every message.
    start: Position,
    /// How far the listener has got.
    position: Position,
    /// The first message that they may not have of those before the start, until they have caught up.
    behind: Option<u64>,
}

impl Story {
    /// The next events; `None` at the end.
    async fn next(&mut self) -> Option<Vec<Event>> {
        while let Some(from) = self.behind {
            match self.catch_up(from).await {
                Ok(events) => return Some(events),
                Err(fault) => {
                    tracing::debug!("a listener has to wait: {fault}");
                    sleep(PAUSE).await;
                }
            }
        }
        match self.line.signals.recv().await? {
            Signal::Start(_) => Some(Vec::new()),
            Signal::Message(content, position) => Some(self.tell(&content, &position)),
        }
    }

    /// What the listener does not have of that which was there when they began to listen, oldest first.
    async fn catch_up(&mut self, from: u64) -> Result<Vec<Event>, Error> {
        let ids = from..=self.start.reached;
        let (messages, has_more) = store::missed(&self.database, &self.caller, &ids).await?;
        let mut events = Vec::with_capacity(messages.len());
        for message in &messages {
            let id = message.id.get();
            let is_new = self.start.covers(id) && !self.position.covers(id);
            self.position = self.position.and(&self.start.up_to(id));
            if is_new {
                events.push(message_event(message, &self.position));
            }
        }
        match messages.last() {
            Some(last) if has_more => self.behind = Some(last.id.get() + 1),
            _ => {
                self.position = self.position.and(&self.start);
                self.behind = None;
            }
        }
        Ok(events)
    }

    /// A message that arrived, unless the listener has it from another replica that was ahead of this one.
    fn tell(&mut self, content: &Arc<Content>, position: &Position) -> Vec<Event> {
        let is_new = !self.position.covers(content.id.get());
        self.position = self.position.and(position);
        if !is_new {
            return Vec::new();
        }
        let receiver: Username = self.caller.username().clone();
        let message = Message::of_receiver(Content::clone(content), receiver, false);
        vec![message_event(&message, &self.position)]
    }
}

fn message_event(message: &Message, position: &Position) -> Event {
    // JSON without a line break, as one line of data.
    let data = serde_json::to_string(message).unwrap_or_default();
    event("message", position, data)
}

/// The `Last-Event-ID` of somebody who comes back.
pub(crate) struct LastEvent(Option<Position>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEvent {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(text) = request.headers().get_one("Last-Event-ID") else {
            return Outcome::Success(Self(None));
        };
        match Position::parse(text) {
            Ok(position) => Outcome::Success(Self(Some(position))),
            Err(Invalid(detail)) => {
                let problem = Problem::Malformed(format!("Last-Event-ID {detail}."));
                Outcome::Error((problem.leave_for_catcher(request), ()))
            }
        }
    }
}

//! Listening, as Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::time::Duration;
use utoipa::OpenApi;

use rocket::fairing::AdHoc;
use rocket::http::ContentType;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::stream::ReaderStream;
use rocket::response::{self, Responder, Response};
use rocket::tokio::time::Instant;
use rocket::{Route, Shutdown, State, get, routes};

use crate::auth::{Caller, TokenExpiry};
use crate::db::Database;
use crate::http::problem::Problem;
use crate::live::Live;
use crate::live::position::Position;
use crate::live::stream::{PIECE, Story};
use crate::model::invalid::Invalid;
use crate::ops::drain::Drain;

/// How long a stream goes on. Proxies end what takes longer than they allow (ours, five minutes), in the middle of an event.
const LIFETIME: Duration = Duration::from_mins(4);
/// Headers of a stream. A proxy must neither keep nor change it, and nginx not hold it back.
const HEADERS: [(&str, &str); 2] = [
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
];

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(events), components(schemas(EventFields)))]
pub(crate) struct Docs;

/// Attaches the route of events and what follows new messages.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("live", |rocket| async {
        rocket.attach(Live::default()).mount("/", routes())
    })
}

fn routes() -> Vec<Route> {
    routes![events]
}

/// An event of the stream: the fields that Server-Sent Events have, by their names.
#[derive(utoipa::ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "describes events")]
pub(crate) struct EventFields {
    /// What it is. Kinds may be added; pass over those that you do not know.
    #[schema(pattern = "^(hello|message|reset|goodbye)$", example = "message")]
    event: String,
    /// Where the listener is after it, for `Last-Event-ID`. Not a number: `9-8` says that message 8 may yet come.
    #[schema(
        max_length = 4096,
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*([+][1-9][0-9]*)?(_[1-9][0-9]*([+][1-9][0-9]*)?)*)?$",
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
/// data, as its receiver reads it. `reset` says that the database was restored from a backup: what you had by these
/// events may not be there any more, so read the messages anew. `goodbye` says that the stream ends here, because it is
/// four minutes old, the token has expired or was revoked, or this replica stops; come back after `retry` milliseconds.
/// Comments come in between, so that the connection is seen to be alive.
///
/// Whoever comes back with the id of the last event, at any replica, gets what arrived meanwhile, each message once.
///
/// Whatever shows an answer only when it is whole waits for minutes; `curl -N` shows each event as it comes. An account
/// has up to 16 streams at a replica.
#[utoipa::path(tag = "messages", operation_id = "streamEvents", security(("token" = [])), params(crate::http::docs::Owner, crate::http::docs::Resumption),
    responses(
    (status = 200, description = "The stream. It is text; each of its events has the fields of the schema `Event`.", content_type = "text/event-stream",
        body = String, example = "id:41\nevent:hello\ndata:{}\n\nid:42\nevent:message\ndata:{\"id\":42,\"sender\":\"alice\",\
            \"receiver\":\"bob\",\"subject\":\"Lunch\",\"message\":\"At noon?\",\"created_at\":\"2026-11-22T12:00:00.000Z\",\
            \"read\":false}\n\nretry:1234\nid:42\nevent:goodbye\ndata:{}\n\n"),
    crate::http::docs::NotTheCaller,
    crate::http::docs::Listening,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/events")]
pub(crate) async fn events(
    caller: Caller,
    last: LastEvent,
    end: TokenExpiry,
    live: &State<Live>,
    database: &State<Database>,
    drain: &State<Drain>,
    shutdown: Shutdown,
) -> Result<Events, Problem> {
    drain.check_listeners()?;
    let until = Instant::now() + LIFETIME.min(end.remaining());
    let place = live.listen(&caller, until).await?;
    let database = database.inner().clone();
    let (story, is_reset) = Story::begin(database, caller, place, last.0).await?;
    Ok(Events {
        story,
        is_reset,
        drain: drain.inner().clone(),
        shutdown,
    })
}

/// The answer to whoever listens.
pub(crate) struct Events {
    story: Story,
    is_reset: bool,
    drain: Drain,
    shutdown: Shutdown,
}

impl<'r> Responder<'r, 'r> for Events {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        let (drain, shutdown) = (self.drain, self.shutdown);
        let is_stopping = async move {
            rocket::tokio::select! {
                () = drain.lets_listeners_go() => {}
                () = shutdown => {}
            }
        };
        let pieces = self.story.tell(self.is_reset, is_stopping);
        let mut response = Response::build();
        response.header(ContentType::EventStream);
        for (name, value) in HEADERS {
            response.raw_header(name, value);
        }
        response
            .streamed_body(ReaderStream::from(pieces))
            .max_chunk_size(PIECE)
            .ok()
    }
}

/// The `Last-Event-ID` of somebody who comes back.
pub(crate) struct LastEvent(Option<Position>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEvent {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let mut headers = request.headers().get("Last-Event-ID");
        let Some(text) = headers.next() else {
            return Outcome::Success(Self(None));
        };
        let position = match headers.next() {
            None => Position::parse(text),
            Some(_) => Err(Invalid::from("came more than once")),
        };
        match position {
            Ok(position) => Outcome::Success(Self(Some(position))),
            Err(Invalid(detail)) => {
                let problem = Problem::Malformed(format!("Last-Event-ID {detail}."));
                Outcome::Error((problem.stash_for_catcher(request), ()))
            }
        }
    }
}

//! The route of event streams, as Server-Sent Events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::http::ContentType;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::stream::ReaderStream;
use rocket::response::{self, Responder, Response};
use rocket::tokio::time::Instant;
use rocket::{Route, Shutdown, State, get, routes};
use utoipa::OpenApi;

use crate::auth::{Caller, TokenExpiry};
use crate::db::{Database, budgeted};
use crate::http::problem::Problem;
use crate::http::request::optional_header;
use crate::live::changes::{DeletedEvent, MarkedEvent};
use crate::live::cursor::StreamCursor;
use crate::live::hub::Hub;
use crate::live::stream::{CHUNK_SIZE, SubscriberStream};
use crate::ops::drain::Drain;

/// The lifetime of a stream. Proxies cut longer responses in the middle of an event (Traefik here after five minutes).
const LIFETIME: Duration = Duration::from_mins(4);
/// Headers of a stream. A proxy must neither store nor transform it, and nginx must not buffer it.
const HEADERS: [(&str, &str); 2] = [
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
];

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    paths(events),
    components(schemas(EventFields, MarkedEvent, DeletedEvent))
)]
pub(crate) struct Docs;

/// Attaches the route of events and the hub with its background tasks.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("live", |rocket| async {
        rocket.attach(Hub::default()).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![events]
}

/// An event of the stream, with the fields of Server-Sent Events.
#[derive(utoipa::ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "describes events")]
pub(crate) struct EventFields {
    /// The kind of event: `hello`, `message`, `marked`, `deleted`, `refetch`, `reset` or `goodbye`. Kinds may be added;
    /// ignore those that you do not know.
    #[schema(pattern = "^[a-z-]+$", example = "message")]
    event: String,
    /// The position after this event, for `Last-Event-ID`. Not a number: it also tells which earlier messages and
    /// changes may still come.
    #[schema(
        max_length = 4096,
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*([+][1-9][0-9]*)?(_[1-9][0-9]*([+][1-9][0-9]*)?)*)?$",
        example = "10000000000000007-43+9999999999999956"
    )]
    id: String,
    /// JSON: a `Message` if the event is a `message`, a `MarkedEvent` if it is `marked`, a `DeletedEvent` if it is
    /// `deleted`, else an empty object.
    #[schema(content_media_type = "application/json", example = "{}")]
    data: String,
    /// Milliseconds to wait before reconnecting; only with `goodbye`.
    #[schema(nullable = false, minimum = 100, maximum = 2000, example = 1234)]
    retry: Option<u64>,
}

/// Listen to your messages as they arrive and change.
///
/// The response is a stream of Server-Sent Events. `hello` comes first. A `message` event has the message as its data,
/// as its receiver reads it. `marked` and `deleted` tell, also to the client that has done it, which messages were
/// marked as read or unread, and which were deleted by the user, or by their sender for all receivers; ignore ids that
/// you do not know. `refetch` means that some of those events are missing, because the position is older than a day or
/// of an earlier version: read the lists again. `reset` means that the database was restored from a backup: messages
/// that you received may no longer exist, so read the inbox again. `goodbye` announces the end of the stream: it is
/// four minutes old, the token has expired or was revoked, or this replica is about to stop; reconnect after `retry`
/// milliseconds. Comments between events keep the connection alive.
///
/// To resume, send the id of the last event as `Last-Event-ID`, to any replica: you get the messages and changes
/// that you missed. Each comes once, except when many commits were delayed at the same time: then some come again, so
/// replace a message that you have.
///
/// Clients that buffer the whole response show nothing for minutes; `curl -N` shows each event immediately. An account
/// can have up to 16 streams per replica.
#[utoipa::path(tag = "messages", operation_id = "streamEvents", security(("token" = [])),
    params(crate::http::docs::Owner, crate::http::docs::Resumption),
    responses(
    (status = 200, description = "The stream, as text; each event has the fields of the schema `Event`.",
        content_type = "text/event-stream",
        body = String, example = "id:10000000000000006-42+9999999999999957\nevent:hello\ndata:{}\n\n\
            id:10000000000000006-43+9999999999999956\nevent:message\n\
            data:{\"id\":42,\"sender\":\"alice\",\"receiver\":\"bob\",\"subject\":\"Lunch\",\
            \"message\":\"At noon?\",\"created_at\":\"2026-11-22T12:00:00.000Z\",\
            \"read\":false}\n\n\
            id:10000000000000007-43+9999999999999956\nevent:marked\ndata:{\"ids\":[42],\"read\":true}\n\n\
            retry:1234\nid:10000000000000007-43+9999999999999956\nevent:goodbye\ndata:{}\n\n"),
    crate::http::docs::AuthProblems,
    crate::http::docs::StreamLimits,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/events")]
pub(crate) async fn events(
    caller: Caller,
    last_event: LastEventId,
    expiry: TokenExpiry,
    hub: &State<Hub>,
    database: &State<Database>,
    drain: &State<Drain>,
    shutdown: Shutdown,
) -> Result<EventStream, Problem> {
    drain.check_new_stream()?;
    let expires_at = Instant::now() + LIFETIME.min(expiry.remaining());
    let subscription = hub.subscribe(&caller, expires_at).await?;
    let database = database.inner().clone();
    Ok(EventStream {
        stream: SubscriberStream::new(database, caller, subscription, last_event.0),
        drain: drain.inner().clone(),
        shutdown,
    })
}

/// The response: an event stream that ends early when this replica stops.
pub(crate) struct EventStream {
    stream: SubscriberStream,
    drain: Drain,
    shutdown: Shutdown,
}

impl<'r> Responder<'r, 'r> for EventStream {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        let (drain, shutdown) = (self.drain, self.shutdown);
        let closing = async move {
            rocket::tokio::select! {
                () = drain.closes_streams() => {}
                () = shutdown => {}
            }
        };
        let mut response = Response::build();
        response.header(ContentType::EventStream);
        for (name, value) in HEADERS {
            response.raw_header(name, value);
        }
        response
            .streamed_body(ReaderStream::from(self.stream.into_events(closing)))
            .max_chunk_size(CHUNK_SIZE)
            .ok()
    }
}

/// The `Last-Event-ID` of a client that resumes.
pub(crate) struct LastEventId(Option<StreamCursor>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        optional_header(request, "Last-Event-ID", StreamCursor::parse).map(Self)
    }
}

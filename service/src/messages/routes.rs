//! Sending, reading, marking and deleting messages.

use std::fmt::Write as _;
use utoipa::OpenApi;
use utoipa::openapi::schema::Object;

use chrono::SecondsFormat;
use rocket::fairing::AdHoc;
use rocket::http::{Header, RawStr};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::Responder;
use rocket::response::status::{Created, NoContent};
use rocket::{Route, State, delete, get, patch, post, routes};
use serde::Serialize;
use serde_json::Value;

use crate::auth::Caller;
use crate::db::Database;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::budget;
use crate::http::budget::Budget;
use crate::http::chunking::JsonChunks;
use crate::http::etag::{EntityTag, IfNoneMatch};
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::limits::{ConcurrencyLimit, RateLimited, Searches, Sends};
use crate::messages::changes::Changes;
use crate::messages::cleanup;
use crate::messages::reads::Reads;
use crate::messages::store;
use crate::messages::store::{Outline, Received, Refusal};
use crate::model::invalid::{FieldError, Invalid};
use crate::model::message::{
    Filter, IdempotencyKey, Mailbox, Message, MessageId, NewMessage, Page, RECEIVERS, Receivers,
    Subject, Text, Words,
};
use crate::model::user::Username;
use crate::model::{message, moment};

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(send, feed, read, mark, delete))]
pub(crate) struct Docs;

/// Attaches the routes of messages, what they share, and their cleanup.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("messages", |rocket| async {
        let (database, budget) = (managed::<Database>(&rocket), managed::<Budget>(&rocket));
        let jobs = managed::<Jobs>(&rocket);
        jobs.add(cleanup::sent_by_deleted_accounts);
        jobs.add(cleanup::idempotency_keys);
        rocket
            .manage(Changes::new(database.clone()))
            .manage(Reads::new(database, budget))
            .mount("/", routes())
    })
}

fn routes() -> Vec<Route> {
    routes![send, feed, read, mark, delete]
}

/// A message to be sent: to one user by `receiver`, or to several by `receivers`; it has one of the two.
#[derive(utoipa::ToSchema)]
// Both are optional, and three properties make it one of the two. A `oneOf` of two schemas says the same, but several
// generators merge those into one class that requires both.
#[schema(as = NewMessage, min_properties = 3, max_properties = 3)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body")]
pub(crate) struct NewMessageFields {
    #[schema(schema_with = receiver_schema)]
    receiver: Option<Username>,
    /// The names of all who are to get it; case does not count. Each gets it once, also if named twice; if nobody has one
    /// of the names, nobody gets it.
    #[schema(value_type = Option<Vec<Username>>, nullable = false, min_items = 1, max_items = 100, example = json!(["bob", "carol"]))]
    receivers: Option<Vec<Username>>,
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "Lunch")]
    subject: Subject,
    /// At most 65,535 bytes of UTF-8, kept byte for byte.
    #[schema(value_type = String, min_length = 1, max_length = 65535, example = "At noon?")]
    message: Text,
}

fn receiver_schema() -> Object {
    Username::schema_described_as(
        "The name of the user to send the message to; case-insensitive. It may be the sender.",
    )
}

fn receivers(fields: &mut Fields) -> Option<Receivers> {
    if !fields.has("receivers") {
        let receiver = fields.text("receiver", Username::parse);
        fields.mention("receivers");
        return receiver.map(Receivers::One);
    }
    let receivers = fields.texts("receivers", &RECEIVERS, Username::parse);
    if fields.has("receiver") {
        let _ = fields.take("receiver", |_| Ok(()));
        fields.refuse("receiver", "cannot stand beside receivers");
    }
    receivers.map(Receivers::several)
}

impl FromFields for NewMessage {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let receivers = receivers(fields);
        let subject = fields.text("subject", Subject::parse);
        let message = fields.text("message", Text::parse);
        Some(Self {
            receivers: receivers?,
            subject: subject?,
            message: message?,
        })
    }
}

/// Send a message to one or several users.
///
/// With an `Idempotency-Key` a send can be repeated until an answer arrives, and the message is sent once. Keys are each
/// user's own and are kept for a day at least.
#[utoipa::path(tag = "messages", operation_id = "sendMessage", security(("token" = [])), params(crate::http::docs::Owner, crate::http::docs::Repeatable),
    request_body(content = NewMessageFields, examples(
        ("me" = (summary = "To yourself", value = json!({"receiver": "alice", "subject": "Hello", "message": "From me to me."}))),
        ("one" = (summary = "To one user", value = json!({"receiver": "bob", "subject": "Lunch", "message": "At noon?"}))),
        ("several" = (summary = "To several users", value = json!({"receivers": ["bob", "carol"], "subject": "Minutes", "message": "As promised."}))),
    )),
    responses(
    (status = 201, description = "The message.", body = Message, headers(
        ("Location" = String, description = "Its path."),
        ("RateLimit" = String, description = "How much is left of the limits, and the seconds until all of it is there again."),
        ("RateLimit-Policy" = String, description = "The limits, each with its quota and the seconds of its window."))),
    crate::http::docs::LimitedSend,
    crate::http::docs::NotTheCaller,
    crate::http::docs::NotSent,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[post("/users/<_>/messages", data = "<new>")]
pub(crate) async fn send(
    caller: Caller,
    _limit: RateLimited<'_, Sends>,
    key: Key,
    new: Body<NewMessage>,
    changes: &State<Changes>,
    budget: &State<Budget>,
) -> Result<Created<JsonChunks>, Problem> {
    let field = receivers_field(&new.0);
    // Before the message is sent: afterwards nothing may keep the answer back.
    let mut reservation = budget.reservation(caller.id());
    reservation
        .wait(new.0.bytes(), budget::RESERVATION_TIMEOUT)
        .await?;
    let message = changes
        .send(caller, new.0, key.0)
        .await?
        .map_err(|refusal| problem(field, refusal))?;
    let location = format!("/users/{}/messages/{}", message.sender, message.id);
    let body = JsonChunks::of(&message)?.reserved(reservation);
    Ok(Created::new(location).body(body))
}

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) struct Key(Option<IdempotencyKey>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Key {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let mut given = request.headers().get("Idempotency-Key");
        let key = match (given.next(), given.next()) {
            (None, _) => return Outcome::Success(Self(None)),
            (Some(key), None) => IdempotencyKey::parse(key),
            _ => Err("is there twice".into()),
        };
        match key {
            Ok(key) => Outcome::Success(Self(Some(key))),
            Err(Invalid(detail)) => {
                let problem = Problem::Malformed(format!("Idempotency-Key {detail}."));
                Outcome::Error((problem.stash_for_catcher(request), ()))
            }
        }
    }
}

/// Which field names them.
fn receivers_field(new: &NewMessage) -> &'static str {
    match new.receivers {
        Receivers::One(_) => "receiver",
        Receivers::Several(_) => "receivers",
    }
}

fn problem(field: &str, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::KeyOfAnother => Problem::KeyReused,
        Refusal::TokenRevoked => Problem::InvalidToken,
        Refusal::NoSuchReceivers(names) => Problem::Invalid(
            names
                .iter()
                .map(|name| FieldError::field(field, format!("'{name}' is not the name of a user")))
                .collect(),
        ),
    }
}

/// A page of messages, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Feed {
    messages: Vec<Message>,
    /// Which page this is.
    #[schema(minimum = 1, example = 1)]
    page: u64,
    /// How many messages a page has, at most. It has fewer where more would take over 4 MiB.
    #[schema(minimum = 1, maximum = 100, example = 20)]
    per_page: u64,
    /// Where the next page is; `null` on the last one. It continues after the last message of this page, so that
    /// messages that arrive meanwhile neither repeat nor hide others.
    #[schema(
        required = true,
        format = "uri-reference",
        example = "/users/bob/messages?per_page=20&page=2&before=42"
    )]
    next: Option<String>,
}

/// What is answered to who asks for a page.
#[derive(Responder)]
pub(crate) enum FeedAnswer {
    /// The page with its links (RFC 8288), and what names its state.
    Page(
        JsonChunks,
        Header<'static>,
        Header<'static>,
        Header<'static>,
    ),
    /// The client has this state already.
    #[response(status = 304)]
    Unchanged((), Header<'static>, Header<'static>),
}

impl FeedAnswer {
    /// A browser may keep a page for its user, to ask whether it is still the same.
    fn caching() -> Header<'static> {
        Header::new("Cache-Control", "no-cache, private")
    }

    fn unchanged(tag: &EntityTag) -> Self {
        Self::Unchanged((), tag.header(), Self::caching())
    }
}

/// Read the received messages or those you sent, newest first.
///
/// Whoever asks again and again sends the `ETag` of the last answer as `If-None-Match`: where nothing changed, the answer
/// is a 304 without a body.
#[utoipa::path(tag = "messages", operation_id = "listMessages", security(("token" = [])),
    params(crate::http::docs::Owner, crate::http::docs::PageParams, IfNoneMatch),
    responses(
    (status = 200, description = "A page of them.", body = Feed, headers(
        ("ETag" = String, description = "Names the state of this page (RFC 9110 section 8.8.3)."),
        ("Link" = String, description = "The `first` and, if there is one, the `next` page (RFC 8288)."))),
    (status = 304, description = "The page is still the one that `If-None-Match` names.", headers(
        ("ETag" = String, description = "Names the state of this page."))),
    crate::http::docs::LimitedSearch,
    crate::http::docs::NotTheCaller,
    crate::http::docs::InvalidQuery,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/messages")]
pub(crate) async fn feed(
    caller: Caller,
    _limit: RateLimited<'_, Searches>,
    page: Page,
    known: IfNoneMatch,
    database: &State<Database>,
    reads: &State<Reads>,
    concurrency: &State<ConcurrencyLimit>,
) -> Result<FeedAnswer, Problem> {
    if known.is_present()
        && let Some(outline) = store::outline(database, &caller, &page).await?
    {
        let tag = tag_of_inbox(&caller, &page, &outline, &[]);
        if known.matches(&tag) {
            return Ok(FeedAnswer::unchanged(&tag));
        }
    }
    let (received, reservation) = {
        let _permit = match page.filter {
            Filter::NONE => None,
            _ => Some(concurrency.acquire(caller.id()).await?),
        };
        reads.page(&caller, &page).await?
    };
    let next = received
        .rest
        .map(|last| path(&caller, &page.following(last)));
    let link = link(&caller, &page, next.as_deref());
    let tag = match (page.mailbox, &page.filter) {
        (Mailbox::Inbox, &Filter::NONE) => Some(tag_of_received(&caller, &page, &received)),
        _ => None,
    };
    let feed = Feed {
        messages: received.messages,
        page: page.page,
        per_page: page.per_page,
        next,
    };
    let body = JsonChunks::of(&feed)?.reserved(reservation);
    let tag = tag.unwrap_or_else(|| EntityTag::of(body.iter()));
    if known.matches(&tag) {
        return Ok(FeedAnswer::unchanged(&tag));
    }
    let (etag, link) = (tag.header(), Header::new("Link", link));
    Ok(FeedAnswer::Page(body, etag, link, FeedAnswer::caching()))
}

/// The first and, if there is one, the next page (RFC 8288).
fn link(caller: &Caller, page: &Page, next: Option<&str>) -> String {
    let first = Page {
        page: 1,
        before: None,
        ..page.clone()
    };
    let mut link = format!("<{}>; rel=\"first\"", path(caller, &first));
    if let Some(next) = next {
        let _ = write!(link, ", <{next}>; rel=\"next\"");
    }
    link
}

/// The tag of a page of the inbox, as its outline has it. What the messages say never changes, but for the names of
/// senders whose accounts are gone: those that are shown are mixed in.
fn tag_of_inbox(caller: &Caller, page: &Page, outline: &Outline, gone: &[&str]) -> EntityTag {
    let mut state = vec![u8::from(outline.has_more)];
    for (id, is_read) in &outline.marks {
        state.extend(id.get().to_be_bytes());
        state.push(u8::from(*is_read));
    }
    let place = path(caller, page);
    let parts = [place.as_bytes(), &state[..]];
    let gone = gone.iter().map(|name| name.as_bytes());
    EntityTag::of(parts.into_iter().chain(gone))
}

/// The same of a page that was read. Where bytes ended it, that follows from what the outline has beyond it.
fn tag_of_received(caller: &Caller, page: &Page, received: &Received) -> EntityTag {
    let senders = received.messages.iter().map(|message| &message.sender);
    let gone: Vec<_> = senders
        .filter(|sender| sender.is_tombstone())
        .map(Username::as_str)
        .collect();
    tag_of_inbox(caller, page, &received.outline, &gone)
}

/// The path and query of a page.
fn path(caller: &Caller, page: &Page) -> String {
    let mut path = format!(
        "/users/{}/messages?per_page={}&page={}",
        caller.username(),
        page.per_page,
        page.page
    );
    if page.mailbox == Mailbox::Sent {
        path.push_str("&box=sent");
    }
    if let Some(unread) = page.unread {
        let _ = write!(path, "&unread={unread}");
    }
    let Filter { from, since, words } = &page.filter;
    if let Some(from) = from {
        let _ = write!(path, "&from={from}");
    }
    if let Some(since) = since {
        let since = since.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let _ = write!(path, "&since={since}");
    }
    if let Some(words) = words {
        let words = words.to_string();
        let _ = write!(path, "&q={}", RawStr::new(&words).percent_encode());
    }
    if let Some(before) = page.before {
        let _ = write!(path, "&before={before}");
    }
    path
}

/// Read one message that you sent or received.
#[utoipa::path(tag = "messages", operation_id = "getMessage", security(("token" = [])), params(crate::http::docs::Owner, crate::http::docs::Id),
    responses(
    (status = 200, description = "The message.", body = Message),
    crate::http::docs::NotTheCaller,
    crate::http::docs::NotFound,
    crate::http::docs::Large,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/messages/<id>")]
pub(crate) async fn read(
    caller: Caller,
    id: &str,
    database: &State<Database>,
    budget: &State<Budget>,
) -> Result<JsonChunks, Problem> {
    let message = store::find(database, &caller, message_id(id)?).await?;
    shown(&caller, message, budget).await
}

/// A message as an answer, if there is one and the budget has room for it.
async fn shown(
    caller: &Caller,
    message: Option<Message>,
    budget: &Budget,
) -> Result<JsonChunks, Problem> {
    let message = message.ok_or(Problem::NotFound)?;
    let mut reservation = budget.reservation(caller.id());
    reservation
        .wait(message.bytes(), budget::RESERVATION_TIMEOUT)
        .await?;
    Ok(JsonChunks::of(&message)?.reserved(reservation))
}

/// How to mark a message.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadMark {
    /// `true` marks it as read, `false` as unread. The strings `"true"` and `"false"` are accepted, too.
    #[schema(example = true)]
    read: bool,
}

impl FromFields for ReadMark {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let read = fields.take("read", |value| match value {
            Value::Bool(read) => Ok(read),
            Value::String(text) => message::truth(&text),
            _ => Err("must be true or false".into()),
        });
        Some(Self { read: read? })
    }
}

/// Mark a received message as read or unread.
///
/// Only those who received it can: to its sender it is not there.
#[utoipa::path(tag = "messages", operation_id = "markMessage", security(("token" = [])), params(crate::http::docs::Owner, crate::http::docs::Id),
    request_body = ReadMark, responses(
    (status = 200, description = "The message.", body = Message),
    crate::http::docs::NotTheCaller,
    crate::http::docs::NotFound,
    crate::http::docs::Invalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Large,
    crate::http::docs::Unavailable,
))]
#[patch("/users/<_>/messages/<id>", data = "<mark>")]
pub(crate) async fn mark(
    caller: Caller,
    id: &str,
    mark: Body<ReadMark>,
    changes: &State<Changes>,
    budget: &State<Budget>,
) -> Result<JsonChunks, Problem> {
    let message = changes
        .mark(caller.clone(), message_id(id)?, mark.0.read)
        .await?;
    shown(&caller, message, budget).await
}

/// Delete a message: as its sender for everybody, as its receiver from your own feed.
#[utoipa::path(tag = "messages", operation_id = "deleteMessage", security(("token" = [])), params(crate::http::docs::Owner, crate::http::docs::Id),
    responses(
    (status = 204, description = "It is gone."),
    crate::http::docs::NotTheCaller,
    crate::http::docs::NotFound,
    crate::http::docs::Unavailable,
))]
#[delete("/users/<_>/messages/<id>")]
pub(crate) async fn delete(
    caller: Caller,
    id: &str,
    changes: &State<Changes>,
) -> Result<NoContent, Problem> {
    let was_there = changes.delete(&caller, message_id(id)?).await?;
    was_there.then_some(NoContent).ok_or(Problem::NotFound)
}

/// What is not an id names nothing, like an id that nobody has.
fn message_id(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or(Problem::NotFound)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Page {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match page(request) {
            Ok(page) => Outcome::Success(page),
            Err(errors) => {
                Outcome::Error((Problem::Invalid(errors).stash_for_catcher(request), ()))
            }
        }
    }
}

/// Reads the parameters of the query. Unknown ones are ignored, as caches and proxies like to add some.
fn page(request: &Request<'_>) -> Result<Page, Vec<FieldError>> {
    let mut query = Query {
        request,
        errors: Vec::new(),
    };
    let page = Page {
        mailbox: query
            .value("box", message::mailbox)
            .unwrap_or(Page::DEFAULT.mailbox),
        unread: query.value("unread", message::truth),
        filter: Filter {
            from: query.value("from", |name| Username::parse(name.to_owned())),
            since: query.value("since", moment::parse),
            words: query.value("q", Words::parse),
        },
        per_page: query
            .value("per_page", message::per_page)
            .unwrap_or(Page::DEFAULT.per_page),
        page: query
            .value("page", message::page_number)
            .unwrap_or(Page::DEFAULT.page),
        before: query.value("before", message::cursor),
    };
    if page.mailbox == Mailbox::Sent && page.unread.is_some() {
        let detail = "applies to received messages; read each message's receivers";
        query.errors.push(FieldError::parameter("unread", detail));
    }
    if page.mailbox == Mailbox::Sent && page.filter.from.is_some() {
        let detail = "applies to received messages; those of the sent box are yours";
        query.errors.push(FieldError::parameter("from", detail));
    }
    if let Err(Invalid(detail)) = page.check_offset() {
        query.errors.push(FieldError::parameter("page", detail));
    }
    if query.errors.is_empty() {
        Ok(page)
    } else {
        Err(query.errors)
    }
}

struct Query<'a> {
    request: &'a Request<'a>,
    errors: Vec<FieldError>,
}

impl Query<'_> {
    /// The value of a parameter; `None` if it is absent, or not valid, which is then among the errors.
    fn value<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let mut given = self
            .request
            .query_fields()
            .filter(|field| field.name.source() == name);
        let first = given.next()?;
        let value = if given.next().is_some() {
            Err("is there twice".into())
        } else {
            parse(first.value)
        };
        value
            .map_err(|Invalid(detail)| self.errors.push(FieldError::parameter(name, detail)))
            .ok()
    }
}

//! The operations on messages.

use rocket::fairing::AdHoc;
use rocket::response::status::{Created, NoContent};
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, patch, post, routes};
use utoipa::OpenApi;

use crate::auth::{Caller, Claim, IdentityLookup};
use crate::db::{Database, budgeted};
use crate::http::body::Body;
use crate::http::budget::Budget;
use crate::http::chunking::JsonChunks;
use crate::http::docs::{self, Owner};
use crate::http::etag::IfNoneMatch;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::limits::{RateLimited, Searches, Sends};
use crate::messages::cleanup;
use crate::messages::requests::{
    IdempotencyHeader, MessagePath, NewMessageFields, OptionalKey, PageParams, ReadMark, ReadMarks,
    Reader,
};
use crate::messages::responses::{Feed, FeedResponse, MarkedMessages, location};
use crate::messages::service::Messages;
use crate::model::marking::Marking;
use crate::model::message::{Message, MessageId};
use crate::model::new_message::NewMessage;
use crate::model::page::Page;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(send, feed, mark_several, read, mark, delete))]
pub(crate) struct Docs;

/// Attaches the routes of messages, their managed state, and their cleanup jobs.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("messages", |rocket| async {
        let (database, budget) = (managed::<Database>(&rocket), managed::<Budget>(&rocket));
        let jobs = managed::<Jobs>(&rocket);
        jobs.add(cleanup::sent_by_deleted_accounts);
        jobs.add(cleanup::idempotency_keys);
        jobs.add(cleanup::changes);
        rocket
            .manage(Messages::new(database, budget))
            .mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![send, feed, mark_several, read, mark, delete]
}

/// Send a message to one or several users.
///
/// To answer a message, send its id as `in_reply_to`.
///
/// With an `Idempotency-Key`, a send can be retried until a response arrives, and the message is sent once. Keys are
/// separate for each user and are kept for at least a day.
#[utoipa::path(tag = "messages", operation_id = "sendMessage", security(("token" = [])),
    params(Owner, IdempotencyHeader),
    request_body(content = NewMessageFields, examples(
        ("me" = (summary = "To yourself",
            value = json!({"receiver": "alice", "subject": "Hello", "message": "From me to me."}))),
        ("one" = (summary = "To one user",
            value = json!({"receiver": "bob", "subject": "Lunch", "message": "At noon?"}))),
        ("several" = (summary = "To several users",
            value = json!({"receivers": ["bob", "carol"], "subject": "Minutes", "message": "As promised."}))),
        ("reply" = (summary = "An answer to a message",
            value = json!({"receiver": "alice", "subject": "Re: Lunch", "message": "Gladly.", "in_reply_to": 42}))),
    )),
    responses(
    (status = 201, description = "The message was sent.", body = Message, headers(
        ("Location" = String, description = "The path of the message."),
        ("RateLimit" = String,
            description = "The remaining quota of each limit, and the seconds until it is fully restored."),
        ("RateLimit-Policy" = String, description = "The limits, each with its quota and its window in seconds."))),
    docs::LimitedSend,
    docs::AuthProblems,
    docs::SendProblems,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/users/<_>/messages", data = "<new>")]
pub(crate) async fn send(
    caller: Caller,
    _limit: RateLimited<'_, Sends>,
    key: OptionalKey,
    new: Body<NewMessage>,
    messages: &State<Messages>,
) -> Result<Created<JsonChunks>, Problem> {
    let (message, reservation) = messages.send(caller, new.0, key.0).await?;
    let body = JsonChunks::of(&message)?.reserved(reservation);
    Ok(Created::new(location(&message)).body(body))
}

/// List the messages that you received or sent, or a conversation, newest first.
///
/// To poll efficiently, send the `ETag` of the last response as `If-None-Match`: if nothing has changed, the response
/// is a 304 without a body.
#[utoipa::path(tag = "messages", operation_id = "listMessages", security(("token" = [])),
    params(Owner, PageParams, IfNoneMatch), responses(
    (status = 200, description = "A page of messages.", body = Feed, headers(
        ("ETag" = String, description = "Identifies the state of this page (RFC 9110 section 8.8.3)."),
        ("Link" = String, description = "The `first` page and, if there is one, the `next` page (RFC 8288)."))),
    (status = 304, description = "The page has not changed since the response whose `ETag` was sent.", headers(
        ("ETag" = String, description = "Identifies the state of this page."))),
    docs::LimitedSearch,
    docs::AuthProblems,
    docs::InvalidQuery,
    docs::Unavailable,
))]
#[get("/users/<_>/messages")]
pub(crate) async fn feed(
    reader: Reader<'_>,
    _limit: RateLimited<'_, Searches>,
    page: Page,
    known: IfNoneMatch,
    messages: &State<Messages>,
) -> Result<FeedResponse, Problem> {
    if let Some(caller) = &reader.caller
        && known.is_present()
        && let Some(state) = messages.page_state(caller, &page).await?
        && let Some(unchanged) = FeedResponse::if_unchanged(caller, &page, &state, &known)
    {
        return Ok(unchanged);
    }
    let (caller, found, reservation) = match reader.caller {
        Some(caller) if page != Page::DEFAULT => {
            let (found, reservation) = messages.page(&caller, &page).await?;
            (caller, found, reservation)
        }
        _ => messages.newest_page(&reader.claim).await?,
    };
    FeedResponse::page(&caller, &page, found, reservation, &known)
}

/// Mark several received messages as read or unread.
///
/// Name them by `ids`, or mark all messages up to the newest one that you have seen by `until`. Messages that you have
/// not received, or have deleted, are ignored. Of all messages up to `until`, a request changes the newest 1,000; if
/// `has_more` is `true`, repeat it for the others.
#[utoipa::path(tag = "messages", operation_id = "markMessages", security(("token" = [])), params(Owner),
    request_body(content = ReadMarks, examples(
        ("until" = (summary = "All messages up to one", value = json!({"read": true, "until": 42}))),
        ("ids" = (summary = "Several messages", value = json!({"read": true, "ids": [41, 42]}))),
    )),
    responses(
    (status = 200, description = "The messages were marked.", body = MarkedMessages),
    docs::AuthProblems,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[patch("/users/<_>/messages", data = "<marking>")]
pub(crate) async fn mark_several(
    caller: Caller,
    marking: Body<Marking>,
    messages: &State<Messages>,
) -> Result<Json<MarkedMessages>, Problem> {
    let marked = messages.mark_several(&caller, &marking.0).await?;
    Ok(Json(marked.into()))
}

/// Read a message that you sent or received.
#[utoipa::path(tag = "messages", operation_id = "getMessage", security(("token" = [])), params(Owner, MessagePath),
    responses(
    (status = 200, description = "The message.", body = Message),
    docs::AuthProblems,
    docs::NotFound,
    docs::LargeResponse,
    docs::Unavailable,
))]
#[get("/users/<_>/messages/<id>")]
pub(crate) async fn read(
    claim: Claim<'_>,
    id: &str,
    messages: &State<Messages>,
    lookup: &State<IdentityLookup>,
) -> Result<JsonChunks, Problem> {
    let Some(id) = MessageId::parse(id) else {
        claim.look_up(lookup).await?;
        return Err(Problem::NotFound);
    };
    let (message, reservation) = messages.find(&claim, id).await?;
    Ok(JsonChunks::of(&message)?.reserved(reservation))
}

/// Mark a received message as read or unread.
///
/// Only a receiver can mark a message; for its sender, the response is a 404.
#[utoipa::path(tag = "messages", operation_id = "markMessage", security(("token" = [])), params(Owner, MessagePath),
    request_body = ReadMark, responses(
    (status = 200, description = "The message was marked.", body = Message),
    docs::AuthProblems,
    docs::NotFound,
    docs::Invalid,
    docs::BodyProblems,
    docs::LargeResponse,
    docs::Unavailable,
))]
#[patch("/users/<_>/messages/<id>", data = "<mark>")]
pub(crate) async fn mark(
    caller: Caller,
    id: &str,
    mark: Body<ReadMark>,
    messages: &State<Messages>,
) -> Result<JsonChunks, Problem> {
    let (message, reservation) = messages.mark(&caller, message_id(id)?, mark.0.read).await?;
    Ok(JsonChunks::of(&message)?.reserved(reservation))
}

/// Delete a message: one that you sent for all its receivers, one that you received from your own inbox only.
#[utoipa::path(tag = "messages", operation_id = "deleteMessage", security(("token" = [])), params(Owner, MessagePath),
    responses(
    (status = 204, description = "The message was deleted."),
    docs::AuthProblems,
    docs::NotFound,
    docs::Unavailable,
))]
#[delete("/users/<_>/messages/<id>")]
pub(crate) async fn delete(
    caller: Caller,
    id: &str,
    messages: &State<Messages>,
) -> Result<NoContent, Problem> {
    messages.delete(&caller, message_id(id)?).await?;
    Ok(NoContent)
}

/// A malformed id is treated like one that does not exist.
fn message_id(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or(Problem::NotFound)
}

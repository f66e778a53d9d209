//! The responses with messages: a page with its links and its entity tag.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use rocket::http::{Header, RawStr};
use rocket::response::Responder;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::http::budget::Reservation;
use crate::http::chunking::JsonChunks;
use crate::http::etag::{EntityTag, IfNoneMatch};
use crate::http::problem::Problem;
use crate::messages::store::{Marked, MessagePage, PageState};
use crate::model::message::Message;
use crate::model::page::{Mailbox, Page};
use crate::model::search::Filter;
use crate::model::user::Username;

/// A page of messages, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Feed {
    messages: Vec<Message>,
    /// The number of this page.
    #[schema(minimum = 1, example = 1)]
    page: u64,
    /// The maximum number of messages on a page. A page that would exceed 4 MiB has fewer.
    #[schema(minimum = 1, maximum = 100, example = 20)]
    per_page: u64,
    /// The next page; `null` on the last one. It continues after the last message of this page, so that messages which
    /// arrive in the meantime are neither repeated nor skipped.
    #[schema(
        required = true,
        format = "uri-reference",
        example = "/users/bob/messages?per_page=20&page=2&before=42"
    )]
    next: Option<String>,
}

/// The result of marking several messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct MarkedMessages {
    /// The number of messages whose status has changed. Those that had it before are not counted.
    #[schema(minimum = 0, maximum = 1000, example = 2)]
    changed: u64,
    /// Whether more messages up to `until` may have another status. If so, repeat the request.
    #[schema(example = false)]
    has_more: bool,
}

impl From<Marked> for MarkedMessages {
    fn from(Marked { changed, has_more }: Marked) -> Self {
        Self { changed, has_more }
    }
}

/// The response to a request for a page.
#[derive(Responder)]
pub(crate) enum FeedResponse {
    /// The page, with the headers `ETag`, `Link` (RFC 8288) and `Cache-Control`.
    Page(
        JsonChunks,
        Header<'static>,
        Header<'static>,
        Header<'static>,
    ),
    /// The client's copy of the page is current.
    #[response(status = 304)]
    Unchanged((), Header<'static>, Header<'static>),
}

impl FeedResponse {
    /// The response with a page, or a 304 if the client's copy is current.
    pub(crate) fn page(
        caller: &Caller,
        page: &Page,
        found: MessagePage,
        reservation: Reservation,
        known: &IfNoneMatch,
    ) -> Result<Self, Problem> {
        let next = found
            .next_cursor
            .map(|last| path(caller, &page.following(last)));
        let link = link(caller, page, next.as_deref());
        let state_tag = tag_of_page(caller, page, &found);
        let feed = Feed {
            messages: found.messages,
            page: page.page,
            per_page: page.per_page,
            next,
        };
        let body = JsonChunks::of(&feed)?.reserved(reservation);
        let tag = state_tag.unwrap_or_else(|| EntityTag::of(body.iter()));
        if known.matches(&tag) {
            return Ok(Self::unchanged(&tag));
        }
        let link = Header::new("Link", link);
        Ok(Self::Page(body, tag.header(), link, cache_control()))
    }

    /// A 304, if the client's copy matches the state of an inbox page.
    pub(crate) fn if_unchanged(
        caller: &Caller,
        page: &Page,
        state: &PageState,
        known: &IfNoneMatch,
    ) -> Option<Self> {
        let tag = tag_of_state(caller, page, state, &[]);
        known.matches(&tag).then(|| Self::unchanged(&tag))
    }

    fn unchanged(tag: &EntityTag) -> Self {
        Self::Unchanged((), tag.header(), cache_control())
    }
}

/// A browser may store a page for its user, and revalidates it before each use.
fn cache_control() -> Header<'static> {
    Header::new("Cache-Control", "no-cache, private")
}

/// The path of a message.
pub(crate) fn location(message: &Message) -> String {
    format!("/users/{}/messages/{}", message.sender, message.id)
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

/// The tag of an inbox page, derived from its state. Nothing else on the page ever changes, except the names of senders
/// whose accounts were deleted: those that the page shows are part of the tag.
fn tag_of_state(caller: &Caller, page: &Page, state: &PageState, tombstones: &[&str]) -> EntityTag {
    let mut bytes = vec![u8::from(state.has_more)];
    for (id, is_read) in &state.marks {
        bytes.extend(id.get().to_be_bytes());
        bytes.push(u8::from(*is_read));
    }
    let path = path(caller, page);
    let parts = [path.as_bytes(), &bytes[..]];
    let tombstones = tombstones.iter().map(|name| name.as_bytes());
    EntityTag::of(parts.into_iter().chain(tombstones))
}

/// The tag of a page that was read; `None` if its state does not determine it. Nothing marks a page that ended early
/// for its size, because the end follows from the state, which includes the omitted messages.
fn tag_of_page(caller: &Caller, page: &Page, found: &MessagePage) -> Option<EntityTag> {
    if page.mailbox != Mailbox::Inbox || page.filter != Filter::NONE {
        return None;
    }
    let senders = found.messages.iter().map(|message| &message.sender);
    let tombstones: Vec<_> = senders
        .filter(|sender| sender.is_tombstone())
        .map(Username::as_str)
        .collect();
    Some(tag_of_state(caller, page, &found.state, &tombstones))
}

/// The path and query of a page.
fn path(caller: &Caller, page: &Page) -> String {
    format!("/users/{}/messages?{}", caller.username(), query_of(page))
}

/// The query of a page.
pub(crate) fn query_of(page: &Page) -> String {
    let mut query = format!("per_page={}&page={}", page.per_page, page.page);
    match page.mailbox {
        Mailbox::Inbox => {}
        Mailbox::Sent => query.push_str("&box=sent"),
        Mailbox::Conversation(id) => {
            let _ = write!(query, "&conversation={id}");
        }
    }
    if let Some(unread) = page.unread {
        let _ = write!(query, "&unread={unread}");
    }
    let Filter { from, since, terms } = &page.filter;
    if let Some(from) = from {
        let _ = write!(query, "&from={from}");
    }
    if let Some(since) = since {
        let since = since.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let _ = write!(query, "&since={since}");
    }
    if let Some(terms) = terms {
        let terms = terms.to_string();
        let _ = write!(query, "&q={}", RawStr::new(&terms).percent_encode());
    }
    if let Some(before) = page.before {
        let _ = write!(query, "&before={before}");
    }
    query
}

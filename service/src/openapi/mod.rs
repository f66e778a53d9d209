//! The OpenAPI 3.1 document: the routes describe themselves, and here is what they share.

mod examples;
mod headers;
mod links;
mod problems;

use std::sync::LazyLock;

use rocket::response::content::RawJson;
use rocket::{Route, get, routes};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, Modify, OpenApi};

use self::examples::Examples;
use self::headers::Headers;
use self::links::Links;
use self::problems::SharedProblems;
pub(crate) use self::problems::{
    BodyProblems, Invalid, InvalidQuery, Large, Limited, LimitedSend, Listening, NotConfirmed,
    NotFound, NotSent, NotTheCaller, TakenOrInvalid, Unavailable, WrongCredentials,
};
use crate::problem::Document;
use crate::{export, health, live, messages, openapi, telemetry, users};

/// The document as pretty-printed JSON. It is the same for as long as the process lives.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    Api::openapi()
        .to_pretty_json()
        .expect("the document is plain data")
});

/// The document as pretty-printed JSON.
pub(crate) fn document() -> &'static str {
    &DOCUMENT
}

pub(crate) fn routes() -> Vec<Route> {
    routes![describe]
}

/// Get this document.
///
/// It describes the version that answers, and needs neither an access token nor the database.
#[utoipa::path(tag = "document", operation_id = "getOpenApiDocument", responses(
    (status = 200, description = "The document.", content_type = "application/json", body = Object,
        example = json!({"openapi": "3.1.0", "info": {"title": "Herolo", "version": "0.1.0"}, "paths": {}})),
))]
#[get("/openapi.json")]
pub(crate) fn describe() -> RawJson<&'static str> {
    RawJson(document())
}

/// What is the same for all requests.
const OVERVIEW: &str = "\
Send messages to other users, read those that you received, mark them as read and delete them.

Sign up, let the password buy an access token, and send that as `Authorization: Bearer <access_token>`. `<username>` in \
a path is the user whose token is sent.

**Bodies** are JSON objects, whatever their content type says; forms and compressed \
bodies are refused (415). An unknown, missing or \
repeated field is an error (422). Unknown parameters of the query are ignored, and a known one that comes twice is an \
error. Times are RFC 3339, UTC, with milliseconds.

**Errors** are problem documents (RFC 9457, `application/problem+json`). `type` is for programs, and the examples of \
each answer name all that it can have. A path that there is not is a `not-found` (404); a method that a path does not \
take is a `method-not-allowed` (405) with `Allow`. What cannot be read as HTTP, such as a raw `\"` in the query, a head \
that is too long (431) or a path that is (414), is refused before the service sees it, with a bare status. A header \
that changes what a request means (`Authorization`, `Content-Encoding`, `Content-Type`, `Idempotency-Key`, \
`Last-Event-ID`) and is not UTF-8 is an error (400), and so is a second `Content-Type`, `Idempotency-Key` or `Last-Event-ID`; any other one that \
is not UTF-8 counts as one that is not there. A body that does not arrive within 8 s is an error (408).

**Every answer** has `X-Request-Id`, and tells browsers neither to run, frame nor guess at it. They must not keep it \
either, but for lists of messages, which they may keep to ask whether those have changed. Whatever takes GET takes HEAD.";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Herolo",
        description = OVERVIEW,
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    external_docs(
        url = "https://github.com/herolo/herolo/blob/main/docs/api.md",
        description = "The guide, task by task",
    ),
    servers((url = "/", description = "The service that this document comes from.")),
    paths(
        users::create,
        users::show,
        users::issue_token,
        users::revoke_tokens,
        users::change_password,
        users::change_email,
        users::delete_account,
        export::export,
        messages::send,
        messages::feed,
        messages::read,
        messages::mark,
        messages::delete,
        live::events,
        openapi::describe,
        health::livez,
        health::readyz,
        health::drainz,
        telemetry::metrics,
    ),
    components(schemas(Document<'static>, live::EventFields)),
    tags(
        (name = "users", description = "Accounts and access tokens."),
        (name = "messages", description = "Sending, reading, listening, marking and deleting."),
        (name = "document", description = "What you are reading."),
        (name = "probes", description = "For the machines that run the service; of these, the edge routes `/livez` alone."),
    ),
    modifiers(&Token, &OwnersPath, &SharedProblems, &Headers, &Examples, &Links),
)]
struct Api;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The routes leave the username of the path to their guard and so do not name it; the document does. What the macro finds
/// in a route's path by itself has no description, and is there a second time with one.
struct OwnersPath;

/// What the macro calls the `<_>` of a route.
const UNNAMED: &str = "arg0";

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

impl Modify for OwnersPath {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, mut item) in std::mem::take(&mut document.paths.paths) {
            for operation in operations(&mut item) {
                operation
                    .parameters
                    .get_or_insert_default()
                    .retain(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.description.is_some()));
            }
            let path = path.replace(&format!("{{{UNNAMED}}}"), "{username}");
            document.paths.paths.insert(path, item);
        }
    }
}

/// The name of a user, in a list of them.
#[derive(utoipa::ToSchema)]
#[schema(
    min_length = 3,
    max_length = 64,
    pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$",
    example = "bob"
)]
#[expect(dead_code, reason = "describes names")]
pub(crate) struct Name(String);

/// The user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Owner {
    /// The user whom the access token was issued to; case does not count.
    #[param(
        min_length = 3,
        max_length = 64,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$",
        example = "alice"
    )]
    username: String,
}

/// How a send is made repeatable.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Repeatable {
    /// A name for this send that no other of yours has, such as a UUID. A repeated send with the same key and the same
    /// body gets the same answer; with another body it is refused.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "7f2d6a52-3a0e-4a0b-9d1a-6a1f0c8b9e55"
    )]
    idempotency_key: Option<String>,
}

/// What the client has already.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Known {
    /// The `ETag` of an answer that you have, or several, or `*` (RFC 9110 section 13.1.2).
    #[param(
        rename = "If-None-Match",
        nullable = false,
        example = "W/\"2f9d3c0e5b1a4d7c8e6f0a1b2c3d4e5f\""
    )]
    if_none_match: Option<String>,
}

/// Where to continue.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Resumption {
    /// The `id` of the last event that arrived, as it was.
    #[param(
        rename = "Last-Event-ID",
        nullable = false,
        max_length = 4096,
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*(([+][1-9][0-9]*)?(_[1-9][0-9]*([+][1-9][0-9]*)?)*|([.][1-9][0-9]*)*))?$",
        example = "42"
    )]
    last_event_id: Option<String>,
}

/// The message in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Id {
    /// The message.
    #[param(value_type = u64, minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    id: u64,
}

/// Which page of which messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct PageParams {
    /// `inbox`: the messages you received, `sent`: those you sent, each with its receivers and who has read it.
    #[param(value_type = Option<MailboxName>, inline, nullable = false, example = "inbox")]
    r#box: Option<String>,
    /// `true`: only unread messages, `false`: only read ones, absent: all. The value may stand in double quotes. Not in
    /// the sent box.
    #[param(nullable = false, example = true)]
    unread: Option<bool>,
    /// Only messages that this user sent. Not in the sent box.
    #[param(
        nullable = false,
        min_length = 3,
        max_length = 64,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$",
        example = "alice"
    )]
    from: Option<String>,
    /// Only messages created at or after this moment, as RFC 3339 writes it. Taken as well: offsets such as `+0100` and
    /// `+01`, a blank for the `T` or for a `+` that was not escaped, a comma before the fraction, no seconds. A leap
    /// second is the second after it.
    #[param(value_type = Option<String>, nullable = false, format = "date-time", example = "2026-11-22T12:00:00Z")]
    since: Option<String>,
    /// Only messages with all of these words, each in the subject or the text: 1 to 5 words, which may be parts of
    /// words. Neither case nor accents count, nor how a character is encoded (NFC or NFD); `ss` finds `ß`. No character
    /// has a meaning of its own.
    ///
    /// With `from`, `since` or `q` a page is what was found among 1,000 messages or 4 MiB of text, whichever comes first:
    /// it may be short or empty and have a `next` nevertheless, which searches on.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 100,
        pattern = r"^[\s\u0085]*[^\s\u0085]+([\s\u0085]+[^\s\u0085]+){0,4}[\s\u0085]*$",
        example = "lunch"
    )]
    q: Option<String>,
    /// How many messages a page has, at most. It has fewer where more would take over 4 MiB; `next` goes on there.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    per_page: Option<u64>,
    /// Which page, within the first 1,000,000 messages: `(page - 1) * per_page` messages are passed over. To read on,
    /// follow `next` instead: it costs the same on every page, and only it leads to what had no room on a page.
    #[param(minimum = 1, maximum = 1_000_000, default = 1, example = 1)]
    page: Option<u64>,
    /// Only messages older than the one with this id; `next` has it.
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    before: Option<u64>,
}

/// The value of `box`.
struct MailboxName;

impl utoipa::ToSchema for MailboxName {}

impl utoipa::PartialSchema for MailboxName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["inbox", "sent"]))
            .default(Some("inbox".into()))
            .into()
    }
}

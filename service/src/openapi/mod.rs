//! The OpenAPI 3.1 document: merges the documents of the features and adds the parts that all operations share.

mod examples;
mod exclusions;
mod headers;
mod links;

use std::sync::LazyLock;

use rocket::fairing::AdHoc;
use rocket::response::content::RawJson;
use rocket::{Route, get, routes};
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use self::examples::Examples;
use self::exclusions::Exclusions;
use self::headers::Headers;
use self::links::Links;
use crate::http::docs::{SharedProblems, operations};
use crate::http::problem::Document;
use crate::ops::{metrics, probes};
use crate::{export, live, messages, users};

/// The document as pretty-printed JSON.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    merged_document()
        .to_pretty_json()
        .expect("the document is plain data")
});

/// The document as pretty-printed JSON.
pub(crate) fn document() -> &'static str {
    &DOCUMENT
}

/// Attaches the route of the document.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("openapi", |rocket| async { rocket.mount("/", routes()) })
}

fn routes() -> Vec<Route> {
    routes![describe]
}

/// Get this document.
///
/// It describes the version of the service that responds, and requires neither an access token nor the database.
#[utoipa::path(tag = "document", operation_id = "getOpenApiDocument", responses(
    (status = 200, description = "The document.", content_type = "application/json", body = Object,
        example = json!({"openapi": "3.1.0", "info": {"title": "Herolo", "version": "0.1.0"}, "paths": {}})),
))]
#[get("/openapi.json")]
pub(crate) fn describe() -> RawJson<&'static str> {
    RawJson(document())
}

/// The parts that all operations share.
const OVERVIEW: &str = "\
Send messages to other users, list and search the messages that you received, mark them as read, and delete them.

Sign up, then exchange your password for an access token, and send it as `Authorization: Bearer <access_token>`. \
`<username>` in a path is the user that the token was issued to.

**Bodies** are JSON objects, regardless of their content type; forms and compressed bodies are rejected (415). An \
unknown, missing or repeated field is an error (422). Unknown query parameters are ignored; a known one that is given \
more than once is an error (422). Times are RFC 3339 in UTC, with milliseconds.

**Errors** are problem documents (RFC 9457, `application/problem+json`). `type` is for programs; the examples of each \
response show all of its types. A path that does not exist is a `not-found` (404); a method that a path does not allow \
is a `method-not-allowed` (405) with `Allow`. A request that is not valid HTTP, such as one with a raw `\"` in the \
query, with an oversized header section (431) or an oversized path (414), is rejected before it reaches the service, \
with a bare status. A header that changes the meaning of a request (`Authorization`, `Content-Encoding`, \
`Content-Type`, `Idempotency-Key`, `Last-Event-ID`) and is not UTF-8 is an error (400), and so is a second \
`Authorization`, `Content-Type`, `Idempotency-Key` or `Last-Event-ID`; any other header that is not UTF-8 is treated \
as absent. A body that does not arrive within 8 s is an error (408); if not even its first 14 bytes arrive, the \
connection is closed without a response.

**Every response** has `X-Request-Id`, and forbids browsers to execute, frame or sniff it. Browsers must not cache it \
either, except lists of messages, which they may store and revalidate, and `/service`. Every path that allows GET \
allows HEAD.";

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
    servers((url = "/", description = "The service that serves this document.")),
    paths(describe),
    components(schemas(Document<'static>)),
    tags(
        (name = "users", description = "Accounts and access tokens."),
        (name = "invitations", description = "Invitations to sign up, if the operator lets users invite others."),
        (name = "blocks", description = "Users whose messages do not reach you."),
        (name = "messages", description = "Sending, listing, streaming, marking and deleting messages."),
        (name = "document", description = "This document."),
        (name = "probes", description = "For operators. These endpoints are unauthenticated; do not expose them \
            publicly (the edge routes only `/livez`)."),
    ),
)]
struct Api;

/// Merges the features' documents, then applies the modifiers, which need all operations.
fn merged_document() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    for part in [
        users::Docs::openapi(),
        users::invitations::Docs::openapi(),
        users::blocks::Docs::openapi(),
        users::emails::Docs::openapi(),
        users::password_resets::Docs::openapi(),
        users::unread_notices::Docs::openapi(),
        messages::Docs::openapi(),
        export::Docs::openapi(),
        live::Docs::openapi(),
        probes::Docs::openapi(),
        metrics::Docs::openapi(),
    ] {
        document.merge(part);
    }
    let modifiers: [&dyn Modify; 7] = [
        &Token,
        &UsernameInPath,
        &SharedProblems,
        &Exclusions,
        &Headers,
        &Examples,
        &Links,
    ];
    for modifier in modifiers {
        modifier.modify(&mut document);
    }
    document
}

/// Describes the access token.
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

/// Names the username in the paths. Routes write `<_>`, because a guard reads the username; for it, utoipa generates a
/// parameter without a description, in addition to the one that the operation declares.
struct UsernameInPath;

/// The name that utoipa gives to `<_>` in a route.
const UNNAMED: &str = "arg0";

impl Modify for UsernameInPath {
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

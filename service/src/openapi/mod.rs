//! The OpenAPI 3.1 document: the routes describe themselves, and here is what they share.

mod examples;
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
use self::headers::Headers;
use self::links::Links;
use crate::http::docs::{SharedProblems, operations};
use crate::http::problem::document::Document;
use crate::ops::{metrics, probes};
use crate::{export, live, messages, users};

/// The document as pretty-printed JSON. It is the same for as long as the process lives.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    whole()
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
`Last-Event-ID`) and is not UTF-8 is an error (400), and so is a second `Authorization`, `Content-Type`, `Idempotency-Key` or `Last-Event-ID`; any other one that \
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
    paths(describe),
    components(schemas(Document<'static>)),
    tags(
        (name = "users", description = "Accounts and access tokens."),
        (name = "messages", description = "Sending, reading, listening, marking and deleting."),
        (name = "document", description = "What you are reading."),
        (name = "probes", description = "For the machines that run the service; of these, the edge routes `/livez` alone."),
    ),
)]
struct Api;

/// The features' parts as one, with what only the whole can have.
fn whole() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    for part in [
        users::Docs::openapi(),
        messages::Docs::openapi(),
        export::Docs::openapi(),
        live::Docs::openapi(),
        probes::Docs::openapi(),
        metrics::Docs::openapi(),
    ] {
        document.merge(part);
    }
    let modifiers: [&dyn Modify; 6] = [
        &Token,
        &OwnersPath,
        &SharedProblems,
        &Headers,
        &Examples,
        &Links,
    ];
    for modifier in modifiers {
        modifier.modify(&mut document);
    }
    document
}

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

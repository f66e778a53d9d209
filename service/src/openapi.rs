//! The OpenAPI 3.1 document: the routes describe themselves, and here is what they share.

use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use crate::problem::Document;
use crate::{export, health, live, messages, telemetry, users};

/// The document as pretty-printed JSON.
pub(crate) fn document() -> String {
    Api::openapi()
        .to_pretty_json()
        .expect("the document is plain data")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Herolo",
        description = "Send messages to other users and read your own.\n\nEvery error is a problem document (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
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
        health::livez,
        health::readyz,
        health::drainz,
        telemetry::metrics,
    ),
    components(schemas(Document<'static>)),
    tags(
        (name = "users", description = "Accounts and access tokens."),
        (name = "messages", description = "Sending, reading, marking and deleting."),
        (name = "probes", description = "For the machines that run the service; the edge does not route them."),
    ),
    modifiers(&Token, &OwnersPath),
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

/// The routes leave the username of the path to their guard and so do not name it; the document does.
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
                    .retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == UNNAMED));
            }
            let path = path.replace(&format!("{{{UNNAMED}}}"), "{username}");
            document.paths.paths.insert(path, item);
        }
    }
}

/// The user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Owner {
    /// The user whom the access token was issued to; case does not count.
    #[param(example = "alice")]
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
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "7f2d6a52-3a0e-4a0b-9d1a-6a1f0c8b9e55"
    )]
    idempotency_key: Option<String>,
}

/// Where to continue.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Resumption {
    /// The `id` of the last event that arrived, as it was.
    #[param(
        rename = "Last-Event-ID",
        pattern = "^[0-9]+(-[0-9]+([.][0-9]+)*)?$",
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
    #[param(value_type = u64, minimum = 1, example = 42)]
    id: u64,
}

/// Which page of which messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct PageParams {
    /// `inbox`: the messages you received, `sent`: those you sent, each with its receivers and who has read it.
    #[param(schema_with = mailbox)]
    r#box: Option<String>,
    /// `true`: only unread messages, `false`: only read ones, absent: all. May stand in double quotes. Not in the sent
    /// box.
    #[param(schema_with = truth)]
    unread: Option<bool>,
    /// Only messages that this user sent. Not in the sent box.
    #[param(min_length = 3, max_length = 64, example = "alice")]
    from: Option<String>,
    /// Only messages created at or after this moment, as RFC 3339 writes it.
    #[param(value_type = Option<String>, format = "date-time", example = "2026-11-22T12:00:00Z")]
    since: Option<String>,
    /// Only messages with all of these words, each in the subject or the text: 1 to 5 words, which may be parts of
    /// words. Neither case nor accents count, and no character has a meaning of its own.
    ///
    /// With `from`, `since` or `q` a page is what was found among 1,000 messages: it may be short or empty and have a
    /// `next` nevertheless, which searches on.
    #[param(min_length = 1, max_length = 100, example = "lunch")]
    q: Option<String>,
    /// How many messages a page has, at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<u64>,
    /// Which page, within the first 1,000,000 messages. To read on, follow `next` instead: it costs the same on every
    /// page.
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<u64>,
    /// Only messages older than the one with this id; `next` has it.
    #[param(minimum = 1)]
    before: Option<u64>,
}

fn mailbox() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["inbox", "sent"]))
        .default(Some("inbox".into()))
        .into()
}

/// A boolean, or a string that says one.
pub(crate) fn truth() -> Schema {
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["true", "false"]));
    OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(word)
        .into()
}

macro_rules! problem_responses {
    ($($(#[$doc:meta])* $name:ident {
        $($variant:ident: $status:literal, $description:literal $(, header $header:literal: $meaning:literal)?;)+
    })+) => {$(
        $(#[$doc])*
        #[derive(IntoResponses)]
        #[expect(dead_code, reason = "describes responses")]
        pub(crate) enum $name {
            $(
                #[response(
                    status = $status,
                    description = $description,
                    content_type = "application/problem+json",
                    $(headers(($header = String, description = $meaning)))?
                )]
                $variant(Document<'static>),
            )+
        }
    )+};
}

problem_responses! {
    /// Of every route that reads a body.
    BodyProblems {
        Malformed: 400, "The body is not JSON.";
        TooLarge: 413, "The body is over 512 KiB.";
        Form: 415, "The body is a form.";
    }
    /// Of every route that checks values.
    Invalid { Values: 422, "A value is not valid; `errors` names each."; }
    /// Of signing up.
    TakenOrInvalid {
        Taken: 409, "The username or the e-mail address is taken.";
        Values: 422, "A value is not valid; `errors` names each.";
    }
    /// Of logging in.
    WrongCredentials {
        Wrong: 401, "There is no user with this name and password.",
            header "WWW-Authenticate": "The scheme of access tokens (RFC 6750).";
    }
    /// Of every route that belongs to a user.
    NotTheCaller {
        NoToken: 401, "There is no valid access token.",
            header "WWW-Authenticate": "The scheme of access tokens, and what is wrong with the one that came (RFC 6750).";
        OtherUser: 403, "The access token is another user's.";
    }
    /// Of every route that takes the password beside the token.
    NotConfirmed {
        NoToken: 401, "There is no valid access token.",
            header "WWW-Authenticate": "The scheme of access tokens, and what is wrong with the one that came (RFC 6750).";
        Refused: 403, "The access token is another user's, or the password is wrong; `type` says which.";
    }
    /// Of every route that names a message.
    NotFound { NoMessage: 404, "There is no such message, or it is not yours."; }
    /// Of every route that needs the database.
    Unavailable {
        Away: 503, "The database is away, or there is more to do than can be done.",
            header "Retry-After": "Seconds after which to try again.";
    }
}

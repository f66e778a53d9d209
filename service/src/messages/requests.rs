//! The bodies, headers and query parameters of requests for messages.

use rocket::request::{FromRequest, Outcome, Request};
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::body::{Fields, FromFields};
use crate::http::problem::Problem;
use crate::http::query::QueryParameters;
use crate::http::request::optional_header;
use crate::model::invalid::{FieldError, Invalid};
use crate::model::marking::{IDS, Marking, Selection};
use crate::model::message::{MessageId, Subject, Text};
use crate::model::new_message::{IdempotencyKey, NewMessage, RECEIVERS, Receivers};
use crate::model::page::{self, Mailbox, Page};
use crate::model::search::{Filter, SearchTerms};
use crate::model::timestamp;
use crate::model::user::Username;

/// The message in the path. The response to a malformed id is a 404, as for one that does not exist.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "describes a parameter whose invalid values are a 404, which a schema cannot express"
)]
pub(crate) struct MessagePath {
    /// The message.
    #[param(inline, example = 42)]
    id: MessageId,
}

/// A message to send: either to one user, by `receiver`, or to several, by `receivers`.
#[derive(ToSchema)]
// Both are optional, and three properties require exactly one of them. A `oneOf` of two schemas would express the same,
// but several generators merge it into one class that requires both.
#[schema(as = NewMessage, min_properties = 3, max_properties = 3)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct NewMessageFields {
    #[schema(schema_with = receiver_schema)]
    receiver: Option<Username>,
    /// The names of the receivers, case-insensitive. A receiver that is named twice gets the message once. If one of
    /// the users does not exist, the message is not sent.
    #[schema(
        value_type = Option<Vec<Username>>,
        nullable = false,
        min_items = 1,
        max_items = 100,
        example = json!(["bob", "carol"])
    )]
    receivers: Option<Vec<Username>>,
    #[schema(inline)]
    subject: Subject,
    #[schema(inline)]
    message: Text,
}

fn receiver_schema() -> Object {
    Username::schema_described_as(
        "The name of the receiver, case-insensitive. It may be the sender.",
    )
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

fn receivers(fields: &mut Fields) -> Option<Receivers> {
    if !fields.has("receivers") {
        let receiver = fields.text("receiver", Username::parse);
        fields.mention("receivers");
        return receiver.map(Receivers::One);
    }
    let receivers = fields.texts("receivers", &RECEIVERS, Username::parse);
    if fields.has("receiver") {
        let _ = fields.take("receiver", |_| Ok(()));
        fields.refuse("receiver", "cannot be combined with receivers");
    }
    receivers.map(Receivers::several)
}

/// The header that makes a send safe to retry.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that a guard reads")]
pub(crate) struct IdempotencyHeader {
    /// An identifier of this send, unique among yours, such as a UUID. A retry with the same key and body gets the same
    /// response; a request with the same key and another body is refused.
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

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) struct OptionalKey(pub(crate) Option<IdempotencyKey>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OptionalKey {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        optional_header(request, "Idempotency-Key", IdempotencyKey::parse).map(Self)
    }
}

/// The new read status of a message.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadMark {
    /// `true` marks the message as read, `false` as unread. The strings `"true"` and `"false"` are accepted, too.
    #[schema(example = true)]
    pub(crate) read: bool,
}

impl FromFields for ReadMark {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            read: read_status(fields)?,
        })
    }
}

fn read_status(fields: &mut Fields) -> Option<bool> {
    fields.take("read", |value| match value {
        Value::Bool(read) => Ok(read),
        Value::String(text) => page::parse_bool(&text),
        _ => Err("must be true or false".into()),
    })
}

/// The new read status of several messages: either those that `ids` names, or all up to `until`.
#[derive(ToSchema)]
// Either of the optional properties, as in `NewMessageFields`.
#[schema(min_properties = 2, max_properties = 2)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct ReadMarks {
    /// `true` marks the messages as read, `false` as unread. The strings `"true"` and `"false"` are accepted, too.
    #[schema(example = true)]
    read: bool,
    #[schema(schema_with = ids_schema)]
    ids: Option<Vec<MessageId>>,
    /// All messages that you have received, up to the one with this id: of the newest message that you have seen, so
    /// that those which arrive meanwhile stay as they are.
    #[schema(
        value_type = Option<u64>,
        nullable = false,
        minimum = 1,
        maximum = 9_223_372_036_854_775_807_i64,
        example = 42
    )]
    until: Option<MessageId>,
}

fn ids_schema() -> Array {
    ArrayBuilder::new()
        .description(Some(
            "The ids of the messages. Those of messages that you have not received, or have deleted, are ignored.",
        ))
        .items(MessageId::schema())
        .min_items(Some(*IDS.start()))
        .max_items(Some(*IDS.end()))
        .examples([json!([41, 42])])
        .build()
}

impl FromFields for Marking {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let read = read_status(fields);
        let selection = selection(fields);
        Some(Self {
            read: read?,
            selection: selection?,
        })
    }
}

fn selection(fields: &mut Fields) -> Option<Selection> {
    match (fields.has("ids"), fields.has("until")) {
        (true, false) => {
            let ids = fields.list("ids", &IDS, "ids of messages", message_id);
            fields.mention("until");
            ids.map(Selection::Ids)
        }
        (false, true) => {
            fields.mention("ids");
            fields.take("until", message_id).map(Selection::Until)
        }
        (true, true) => {
            for (name, detail) in [
                ("ids", "cannot be combined with until"),
                ("until", "cannot be combined with ids"),
            ] {
                let _ = fields.take(name, |_| Err::<(), _>(detail.into()));
            }
            None
        }
        (false, false) => {
            for name in ["ids", "until"] {
                fields.mention(name);
                fields.refuse(name, "is missing; give either ids or until");
            }
            None
        }
    }
}

/// An id; as in JSON Schema, `42.0` is the integer 42, because some clients have no other numbers.
fn message_id(value: Value) -> Result<MessageId, Invalid> {
    let text = match value.as_f64() {
        Some(number) if value.is_f64() => number.to_string(),
        _ if value.is_number() => value.to_string(),
        _ => String::new(),
    };
    MessageId::parse(&text).ok_or_else(|| "must be the id of a message, a number".into())
}

/// The query parameters that select a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read one by one")]
pub(crate) struct PageParams {
    /// `inbox`: messages that you received; `sent`: messages that you sent, each with its receivers and whether they
    /// have read it.
    #[param(value_type = Option<MailboxName>, inline, nullable = false, example = "inbox")]
    r#box: Option<String>,
    /// `true`: only unread messages; `false`: only read ones; absent: all. The value may be in double quotes. Not
    /// applicable to the sent box.
    #[param(nullable = false, example = true)]
    unread: Option<bool>,
    /// Only messages that this user sent. Not applicable to the sent box.
    #[param(inline, nullable = false, example = "alice")]
    from: Option<Username>,
    /// Only messages created at or after this time (RFC 3339). Also accepted: offsets such as `+0100` and `+01`, a
    /// space instead of the `T` or of an unescaped `+`, a comma before the fraction, and a time without seconds. A leap
    /// second counts as the second after it.
    #[param(value_type = Option<String>, nullable = false, format = "date-time", example = "2026-11-22T12:00:00Z")]
    since: Option<String>,
    /// Only messages that contain all of these 1 to 5 search terms, each anywhere in the subject or the text, also
    /// within a word. Case, accents and Unicode normalization (NFC or NFD) are ignored; `ss` matches `ß`. No character
    /// has a special meaning. A value that is not percent-encoded UTF-8 is refused, as for every parameter.
    ///
    /// With `from`, `since` or `q`, a page contains the matches among the next 1,000 messages or 4 MiB of text,
    /// whichever is less: it may be short or empty and still have a `next`, which continues the search.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 100,
        pattern = r"^[\s\u0085]*[^\s\u0085]+([\s\u0085]+[^\s\u0085]+){0,4}[\s\u0085]*$",
        example = "lunch"
    )]
    q: Option<String>,
    /// The maximum number of messages on a page. A page that would exceed 4 MiB has fewer; `next` continues after them.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    per_page: Option<u64>,
    /// The number of the page, within the first 1,000,000 messages: `(page - 1) * per_page` messages are skipped. To
    /// read on, follow `next` instead: it costs the same on every page, and only `next` reaches messages that a page
    /// had to leave out for its size.
    #[param(minimum = 1, maximum = 1_000_000, default = 1, example = 1)]
    page: Option<u64>,
    /// Only messages older than the one with this id; part of `next`.
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    before: Option<u64>,
}

/// The value of `box`.
struct MailboxName;

impl ToSchema for MailboxName {}

impl PartialSchema for MailboxName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["inbox", "sent"]))
            .default(Some("inbox".into()))
            .into()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Page {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match read_page(QueryParameters::of(request)) {
            Ok(page) => Outcome::Success(page),
            Err(errors) => {
                let problem = Problem::Invalid(errors);
                Outcome::Error((problem.stash_for_catcher(request), ()))
            }
        }
    }
}

fn read_page(mut query: QueryParameters<'_>) -> Result<Page, Vec<FieldError>> {
    let page = Page {
        mailbox: query
            .value("box", Mailbox::parse)
            .unwrap_or(Page::DEFAULT.mailbox),
        unread: query.value("unread", page::parse_bool),
        filter: Filter {
            from: query.value("from", |name| Username::parse(name.to_owned())),
            since: query.value("since", timestamp::parse),
            terms: query.value("q", SearchTerms::parse),
        },
        per_page: query
            .value("per_page", page::parse_per_page)
            .unwrap_or(Page::DEFAULT.per_page),
        page: query
            .value("page", page::parse_number)
            .unwrap_or(Page::DEFAULT.page),
        before: query.value("before", page::parse_cursor),
    };
    if page.mailbox == Mailbox::Sent && page.unread.is_some() {
        query.refuse(
            "unread",
            "applies to received messages; see each message's receivers",
        );
    }
    if page.mailbox == Mailbox::Sent && page.filter.from.is_some() {
        query.refuse(
            "from",
            "applies to received messages; you sent all messages of the sent box",
        );
    }
    if let Err(Invalid(detail)) = page.check_offset() {
        query.refuse("page", detail);
    }
    query.finish(page)
}

//! The parameters that operations of several features share.

use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::model::user::Username;

/// The user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Owner {
    /// The user that the access token was issued to; case-insensitive.
    #[param(inline, example = "alice")]
    username: Username,
}

/// The key that makes a send repeatable.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Repeatable {
    /// A key that is unique among your sends, such as a UUID. Another send with the same key and body gets the same
    /// response; with a different body it is rejected.
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

/// The point to resume from.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Resumption {
    /// The `id` of the last event that you received, unchanged.
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
    #[param(inline, nullable = false, example = "alice")]
    from: Option<Username>,
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

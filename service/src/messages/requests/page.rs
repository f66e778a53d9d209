//! The query parameters of a list of messages.

use rocket::request::{FromRequest, Outcome, Request};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::problem::Problem;
use crate::http::query::QueryParameters;
use crate::model::invalid::{FieldError, Invalid};
use crate::model::page::{self, Mailbox, Page};
use crate::model::search::{Filter, SearchTerms};
use crate::model::timestamp;
use crate::model::user::Username;

/// The query parameters that select a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read one by one")]
pub(crate) struct PageParams {
    /// `inbox`: messages that you received; `sent`: messages that you sent, each with its receivers and whether they
    /// have read it.
    #[param(value_type = Option<MailboxName>, inline, nullable = false, example = "inbox")]
    r#box: Option<String>,
    /// Only messages of the conversation with this message, from both boxes: those that you sent, or received and have
    /// not deleted. Not applicable together with `box`, `unread`, `from`, `since` and `q`.
    ///
    /// A page contains the messages among the next 1,000 of the conversation: if you have deleted many, it may be short
    /// or empty and still have a `next`.
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    conversation: Option<u64>,
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

/// Reads the page that a query asks for.
///
/// # Errors
/// Those of all its parameters.
pub(crate) fn read_page(mut query: QueryParameters<'_>) -> Result<Page, Vec<FieldError>> {
    let conversation = query.value("conversation", page::parse_message_id);
    let mailbox = query.value("box", Mailbox::parse);
    let page = Page {
        mailbox: conversation
            .map(Mailbox::Conversation)
            .or(mailbox)
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
        before: query.value("before", page::parse_message_id),
    };
    refuse_combinations(&mut query, &page);
    query.finish(page)
}

/// Records an error for each parameter that is not applicable, or out of range, because of another one.
fn refuse_combinations(query: &mut QueryParameters<'_>, page: &Page) {
    if let Mailbox::Conversation(_) = page.mailbox {
        for name in ["box", "unread", "from", "since", "q"] {
            if query.has(name) {
                query.refuse(name, "cannot be combined with conversation");
            }
        }
    }
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
}

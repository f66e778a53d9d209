//! Pages of a mailbox.

use std::ops::RangeInclusive;

use crate::model::invalid::Invalid;
use crate::model::message::{MessageId, RECEIVER_BYTES};
use crate::model::new_message::RECEIVERS;
use crate::model::search::Filter;

/// The number of messages on a page.
const PER_PAGE: RangeInclusive<u64> = 1..=100;
/// Page numbers. Clients that read further follow `next`, which costs the same on every page.
const PAGES: RangeInclusive<u64> = 1..=1_000_000;
/// The largest offset of a page that is requested by its number: reading from there takes about as long as a request
/// may.
const MAX_OFFSET: u64 = 1_000_000;

/// The maximum size of a page's JSON.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Upper bound for the part of a page that is not messages; most of it is the link to the next page, which repeats the
/// search terms.
const FRAME_BYTES: usize = 4 * 1024;

/// A user's collection of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mailbox {
    /// Messages that the user received and has not deleted.
    Inbox,
    /// Messages that the user sent and has not deleted.
    Sent,
    /// Those of both that belong to the conversation with this message. A page of it has no filter.
    Conversation(MessageId),
}

impl Mailbox {
    /// Parses the value of `box`.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "box".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "inbox" => Ok(Self::Inbox),
            "sent" => Ok(Self::Sent),
            _ => Err("must be inbox or sent".into()),
        }
    }
}

/// A page of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) mailbox: Mailbox,
    /// Only unread messages, only read ones, or all.
    pub(crate) unread: Option<bool>,
    pub(crate) filter: Filter,
    pub(crate) per_page: u64,
    pub(crate) page: u64,
    /// Only messages older than this one. Then `page` is merely counted up; otherwise it determines the offset.
    pub(crate) before: Option<MessageId>,
}

impl Page {
    /// The maximum number of messages on a page.
    pub(crate) const MAX_PER_PAGE: u64 = *PER_PAGE.end();

    pub(crate) const DEFAULT: Self = Self {
        mailbox: Mailbox::Inbox,
        unread: None,
        filter: Filter::NONE,
        per_page: 20,
        page: 1,
        before: None,
    };

    /// The maximum size of the JSON of a page's messages.
    pub(crate) const CONTENT_BYTES: usize = PAGE_BYTES - FRAME_BYTES;

    /// Enough for the JSON of any single message.
    pub(crate) const LARGEST_MESSAGE_BYTES: usize = 512 * 1024;

    /// Upper bound for the receivers of as many messages as the page may have.
    pub(crate) fn receivers_bytes(&self) -> usize {
        let messages = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        messages.saturating_mul(RECEIVERS.end() * RECEIVER_BYTES)
    }

    /// The number of messages that precede the page.
    pub(crate) fn offset(&self) -> u64 {
        if self.before.is_some() {
            0
        } else {
            (self.page - 1) * self.per_page
        }
    }

    /// Checks that the page can be reached by its number.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "page".
    pub(crate) fn check_offset(&self) -> Result<(), Invalid> {
        if self.offset() <= MAX_OFFSET {
            return Ok(());
        }
        let last = MAX_OFFSET / self.per_page + 1;
        Err(format!(
            "must be a whole number from 1 to {last} with this per_page; follow `next` to read on"
        )
        .into())
    }

    /// The page that continues with messages older than `cursor`.
    pub(crate) fn following(&self, cursor: MessageId) -> Self {
        Self {
            page: (self.page + 1).min(*PAGES.end()),
            before: Some(cursor),
            ..self.clone()
        }
    }
}

/// Parses the value of `per_page`.
pub(crate) fn parse_per_page(text: &str) -> Result<u64, Invalid> {
    number_within(text, &PER_PAGE)
}

/// Parses the value of `page`.
pub(crate) fn parse_number(text: &str) -> Result<u64, Invalid> {
    number_within(text, &PAGES)
}

fn number_within(text: &str, range: &RangeInclusive<u64>) -> Result<u64, Invalid> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_digits && range.contains(&number) => Ok(number),
        _ => Err(format!(
            "must be a whole number from {} to {}",
            range.start(),
            range.end()
        )
        .into()),
    }
}

/// Parses the value of `before` or `conversation`.
pub(crate) fn parse_message_id(text: &str) -> Result<MessageId, Invalid> {
    MessageId::parse(text).ok_or_else(|| "must be the id of a message".into())
}

/// Parses `true` or `false`, also in double quotes, as published examples write them.
pub(crate) fn parse_bool(text: &str) -> Result<bool, Invalid> {
    let bare = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    bare.parse().map_err(|_| "must be true or false".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_may_be_quoted() {
        assert_eq!(parse_bool("true"), Ok(true));
        assert_eq!(parse_bool("\"false\""), Ok(false));
        for text in [
            "",
            "\"",
            "\"\"",
            "\"true",
            "true\"",
            "\"\"true\"\"",
            "True",
            "1",
        ] {
            assert!(parse_bool(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_page_number_stays_within_its_range() {
        assert_eq!(parse_number("1000000"), Ok(1_000_000));
        assert_eq!(parse_per_page("100"), Ok(100));
        for text in ["0", "101", "-1", "+5", "", "1e1", "٣"] {
            assert!(parse_per_page(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_page_with_a_cursor_skips_nothing() {
        let page = Page {
            page: 3,
            ..Page::DEFAULT
        };
        assert_eq!(page.offset(), 40);
        let last = MessageId::parse("9").expect("an id");
        let next = page.following(last);
        assert_eq!((next.page, next.before, next.offset()), (4, Some(last), 0));
    }

    #[test]
    fn the_count_of_pages_ends_before_the_pages_do() {
        let last = MessageId::parse("9").expect("an id");
        let page = Page {
            page: 1_000_000,
            before: Some(last),
            ..Page::DEFAULT
        };
        assert_eq!(page.following(last).page, 1_000_000);
    }
}

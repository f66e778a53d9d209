//! Queries of lists.

use rocket::http::RawStr;

use crate::fuzzing::input::{check_reason, text};
use crate::http::query::QueryParameters;
use crate::messages::{query_of, read_page};
use crate::model::invalid::FieldError;
use crate::model::message::MessageId;
use crate::model::page::{Mailbox, Page};

/// The query of a list of messages.
///
/// # Panics
/// If a page exceeds the documented limits, or the link to it or to the next page is read as another page.
pub fn page_query(input: &[u8]) {
    let Some(page) = text(input).and_then(read) else {
        return;
    };
    assert!((1..=100).contains(&page.per_page) && (1..=1_000_000).contains(&page.page));
    assert!(page.offset() <= 1_000_000);
    if page.mailbox != Mailbox::Inbox {
        assert!(page.unread.is_none() && page.filter.from.is_none());
    }
    let next = page.following(MessageId::stored(u64::MAX >> 1).expect("not 0"));
    for page in [page, next] {
        let link = query_of(&page);
        assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
        assert_eq!(read(&link), Some(page), "{link}");
    }
}

fn read(query: &str) -> Option<Page> {
    match read_page(QueryParameters::new(Some(RawStr::new(query)))) {
        Ok(page) => Some(page),
        Err(errors) => {
            assert!(!errors.is_empty());
            for FieldError { pointer, detail } in errors {
                assert!(pointer.starts_with('?'));
                check_reason(&detail);
            }
            None
        }
    }
}

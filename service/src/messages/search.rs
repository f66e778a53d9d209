//! Pages of messages by what no key is in the order of: who sent them, when, and which words are in them.
//!
//! They are found by looking through a stretch of the caller's own mailbox, newest first. The stretch is a range of the
//! key that the mailbox is in the order of, so no search sees, or takes longer for, what belongs to others, and a send
//! writes nothing for it. A page that ends with its stretch says where the next one goes on.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rocket::futures::TryStreamExt as _;
use rocket::tokio::sync::Semaphore;
use rocket::tokio::time::timeout;
use sqlx::Row;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::database::{Database, Error, unit_of_work};
use crate::messages::model::{Mailbox, Message, MessageId, Page, Receiver, WORDS, Words};
use crate::messages::store::bounded::{Bounds, Shelf};
use crate::messages::store::{LOOK_AHEAD, Received, content, received_message};
use crate::users::Username;

/// Messages that one page looks through. Each costs a look-up by key, and its text is read where words are searched
/// for: 64 MiB for the longest ones.
const STRETCH: u64 = 1_000;
/// How far `created_at` may be from the order of the ids: an hour for replicas whose clocks differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// The statements. Neither case nor accents count in words, which costs less than comparing with both in lower case;
/// the time limit, in milliseconds, is for words and texts that were made to be compared slowly.
mod statements {
    /// The condition for five words; places that are left over repeat some.
    macro_rules! words {
        () => {
            concat!(word!(), word!(), word!(), word!(), word!())
        };
    }
    /// What separates subject and text is in no word.
    macro_rules! word {
        () => {
            " AND CONCAT(m.subject, ' ', m.body) COLLATE utf8mb4_0900_ai_ci LIKE ? ESCAPE '|'"
        };
    }
    pub(super) const PLACES: usize = 5;

    /// The message after so many, which is the first beyond the stretch.
    macro_rules! end {
        (key: $key:literal, filter: $filter:literal) => {
            concat!(
                "SELECT m.id, m.created_at FROM messages AS m WHERE m.id = \
                 (SELECT s.message_id FROM receipts AS s FORCE INDEX (",
                $key,
                ") WHERE s.receiver_id = ? AND s.is_deleted = FALSE",
                $filter,
                " AND s.message_id < ? ORDER BY s.message_id DESC LIMIT 1 OFFSET ?)"
            )
        };
    }
    pub(super) const END: &str = end!(key: "PRIMARY", filter: "");
    pub(super) const END_MARKED: &str = end!(key: "receipts_read", filter: " AND s.is_read = ?");
    pub(super) const END_SENT: &str = "SELECT m.id, m.created_at FROM messages AS m WHERE m.id = \
         (SELECT s.id FROM messages AS s FORCE INDEX (messages_sender) \
          WHERE s.sender_id = ? AND s.id < ? ORDER BY s.id DESC LIMIT 1 OFFSET ?)";

    macro_rules! received {
        (key: $key:literal, filter: $filter:literal, words: $words:expr) => {
            concat!(
                "SELECT /*+ MAX_EXECUTION_TIME(1500) */ m.id, sender.username AS sender, m.subject, m.body, \
                 m.created_at, r.is_read FROM receipts AS r FORCE INDEX (",
                $key,
                ") STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
                 STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
                 WHERE r.receiver_id = ? AND r.is_deleted = FALSE",
                $filter,
                " AND r.message_id < ? AND r.message_id > ? AND m.created_at >= ? \
                 AND (? IS NULL OR sender.username = ?)",
                $words,
                " ORDER BY r.message_id DESC LIMIT ? OFFSET ?"
            )
        };
    }
    pub(super) const ALL: &str = received!(key: "PRIMARY", filter: "", words: "");
    pub(super) const ALL_WORDS: &str = received!(key: "PRIMARY", filter: "", words: words!());
    pub(super) const MARKED: &str =
        received!(key: "receipts_read", filter: " AND r.is_read = ?", words: "");
    pub(super) const MARKED_WORDS: &str =
        received!(key: "receipts_read", filter: " AND r.is_read = ?", words: words!());

    macro_rules! sent {
        (words: $words:expr) => {
            concat!(
                "SELECT /*+ MAX_EXECUTION_TIME(1500) */ m.id, m.subject, m.body, m.created_at, \
                 (SELECT CAST(JSON_ARRAYAGG(JSON_ARRAY(receiver.username, r.is_read)) AS CHAR) \
                  FROM receipts AS r FORCE INDEX (receipts_message) \
                  STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id \
                  WHERE r.message_id = m.id) AS receivers \
                 FROM messages AS m FORCE INDEX (messages_sender) \
                 WHERE m.sender_id = ? AND m.id < ? AND m.id > ? AND m.created_at >= ?",
                $words,
                " ORDER BY m.id DESC LIMIT ? OFFSET ?"
            )
        };
    }
    pub(super) const SENT: &str = sent!(words: "");
    pub(super) const SENT_WORDS: &str = sent!(words: words!());
}
const _: () = assert!(statements::PLACES >= *WORDS.end());

/// Searches of a replica at once. One may keep a connection and one of MySQL's processors busy for a second, and others
/// need both.
static PLACES: Semaphore = Semaphore::const_new(4);
/// How long a search waits for its place.
const PATIENCE: Duration = Duration::from_secs(1);

/// A page of the caller's messages with what is filtered for.
///
/// # Errors
/// [`Error::Unavailable`] also if too many search.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<Received>, Error> {
    let Ok(Ok(_place)) = timeout(PATIENCE, PLACES.acquire()).await else {
        return Err(Error::Unavailable("too many search at once".to_owned()));
    };
    unit_of_work!(database, |connection| {
        let end = end(connection, caller, page).await?;
        let found = found(connection, caller, page, end, bounds).await?;
        let beyond = end.and_then(|end| end.goes_on(page));
        Ok(found.map(|found| Received {
            rest: found.rest.or(beyond),
            ..found
        }))
    })
}

/// The newest message that a stretch does not reach.
#[derive(Clone, Copy)]
struct End {
    id: u64,
    created_at: DateTime<Utc>,
}

impl End {
    /// What a search that goes on here is to be older than; `None` if nothing here is new enough for it.
    fn goes_on(self, page: &Page) -> Option<MessageId> {
        let since = page.filter.since.unwrap_or(DateTime::UNIX_EPOCH);
        let is_new_enough = self.created_at >= since - CLOCKS_DIFFER;
        MessageId::stored(self.id + 1).filter(|_| is_new_enough)
    }
}

/// Whose mailbox, whether read ones (in an inbox, if it is divided), and what the messages are older than.
fn mailbox<'q>(
    statement: &'static str,
    caller: &Caller,
    page: &Page,
) -> Query<'q, sqlx::MySql, MySqlArguments> {
    let query = sqlx::query(statement).bind(u64::from(caller.id()));
    let read = page.unread.map(|unread| !unread);
    let query = read.into_iter().fold(query, Query::bind);
    query.bind(page.before.map_or(u64::MAX, MessageId::get))
}

/// Where the stretch of a page ends; `None` if it goes on to the oldest message.
async fn end(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
) -> sqlx::Result<Option<End>> {
    let statement = match (page.mailbox, page.unread) {
        (Mailbox::Inbox, None) => statements::END,
        (Mailbox::Inbox, Some(_)) => statements::END_MARKED,
        (Mailbox::Sent, _) => statements::END_SENT,
    };
    let query = mailbox(statement, caller, page).bind(STRETCH);
    let Some(row) = query.fetch_optional(connection).await? else {
        return Ok(None);
    };
    Ok(Some(End {
        id: row.try_get("id")?,
        created_at: row.try_get("created_at")?,
    }))
}

/// What was found in the stretch.
async fn found(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    end: Option<End>,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<Received>> {
    let filter = &page.filter;
    let statement = match (page.mailbox, page.unread, &filter.words) {
        (Mailbox::Inbox, None, None) => statements::ALL,
        (Mailbox::Inbox, None, Some(_)) => statements::ALL_WORDS,
        (Mailbox::Inbox, Some(_), None) => statements::MARKED,
        (Mailbox::Inbox, Some(_), Some(_)) => statements::MARKED_WORDS,
        (Mailbox::Sent, _, None) => statements::SENT,
        (Mailbox::Sent, _, Some(_)) => statements::SENT_WORDS,
    };
    let mut query = mailbox(statement, caller, page)
        .bind(end.map_or(0, |end| end.id))
        .bind(filter.since.unwrap_or(DateTime::UNIX_EPOCH));
    if page.mailbox == Mailbox::Inbox {
        let from = filter.from.as_ref().map(Username::as_str);
        query = query.bind(from).bind(from);
    }
    for pattern in filter.words.iter().flat_map(patterns) {
        query = query.bind(pattern);
    }
    let query = query.bind(page.per_page + LOOK_AHEAD).bind(page.offset());
    let mut rows = query.fetch(connection);
    let mut shelf = Shelf::new(page, bounds);
    while let Some(row) = rows.try_next().await? {
        shelf.take(&row, false, |row| match page.mailbox {
            Mailbox::Inbox => received_message(row, caller.username().clone()),
            Mailbox::Sent => sent_message(row, caller),
        })?;
    }
    Ok(shelf.page())
}

/// A pattern for each word, and some again until every place of a statement is taken.
fn patterns(words: &Words) -> impl Iterator<Item = String> {
    words.iter().map(pattern).cycle().take(statements::PLACES)
}

/// What `LIKE ... ESCAPE '|'` finds anywhere, with no character that means something else to it.
fn pattern(word: &str) -> String {
    let mut pattern = "%".to_owned();
    for character in word.chars() {
        if matches!(character, '%' | '_' | '|') {
            pattern.push('|');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A message that the caller sent, with its receivers.
fn sent_message(row: &MySqlRow, caller: &Caller) -> sqlx::Result<Message> {
    let receivers: String = row.try_get("receivers")?;
    let receivers: Vec<(String, u8)> =
        serde_json::from_str(&receivers).map_err(|fault| sqlx::Error::Decode(fault.into()))?;
    let receivers = receivers.into_iter().map(|(username, is_read)| Receiver {
        username: Username::stored(&username),
        read: is_read == 1,
    });
    let content = content(row, caller.username().clone())?;
    Ok(Message::of_sender(content, receivers.collect()).with_receivers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_word_means_something_to_the_database() {
        assert_eq!(pattern("50%"), "%50|%%");
        assert_eq!(pattern("a_b|c\\"), "%a|_b||c\\%");
    }

    #[test]
    fn every_place_of_a_statement_is_taken() {
        let words = Words::parse("one two").expect("two words");
        let patterns: Vec<_> = patterns(&words).collect();
        assert_eq!(patterns.len(), statements::PLACES);
        assert_eq!(patterns, ["%one%", "%two%", "%one%", "%two%", "%one%"]);
        let places = statements::ALL_WORDS.matches("LIKE ?").count();
        assert_eq!(places, statements::PLACES);
    }
}

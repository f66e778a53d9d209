//! Pages with a filter, for which there is no index: the sender, the time and the search terms.
//!
//! Such a page scans a bounded part of the caller's own mailbox, newest first. The part is a range of the index that
//! has the mailbox's order, so neither the result nor the duration of a search depends on other users, and a send
//! writes nothing for it. MySQL compares the sender and the time; the search terms are compared in the service, where
//! time and bytes are limited. A page whose scan ends before the mailbox does has a cursor at which the next one
//! continues.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rocket::futures::TryStreamExt as _;
use rocket::tokio::task::spawn_blocking;
use rocket::tokio::time::Instant;
use sqlx::Row;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::search::{Candidate, Matcher, Pattern};
use crate::messages::store::collector::{Bounds, MessagePage, OVERFETCH, PageCollector, PageState};
use crate::messages::store::receivers::ReceiversByMessage;
use crate::messages::store::row::{content, sender};
use crate::model::message::{Message, MessageId};
use crate::model::page::{Mailbox, Page};

/// Messages that one page scans. Each costs a lookup by primary key.
const SCAN_LIMIT: u64 = 1_000;
/// Texts that are read at once.
const BATCH: u64 = 100;
/// Bytes of text that one page compares.
const MAX_BYTES: usize = 4 << 20;
/// The time limit of a scan, for an overloaded database or machine.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// The maximum deviation of the order of `created_at` from that of the ids, because the clocks of replicas differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);

/// A derived table selects the messages first, on narrow indexes, so that a text is read only if its sender and its
/// time match.
mod statements {
    use crate::messages::store::row::message_columns;

    /// The first message past the scan limit.
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
        (key: $key:literal, filter: $filter:literal) => {
            concat!(
                "SELECT ",
                message_columns!(sender, viewer: "f.receiver_id"),
                ", f.is_read FROM \
                 (SELECT r.message_id, r.is_read, r.receiver_id FROM receipts AS r FORCE INDEX (",
                $key,
                ") STRAIGHT_JOIN messages AS s ON s.id = r.message_id \
                 WHERE r.receiver_id = ? AND r.is_deleted = FALSE",
                $filter,
                " AND r.message_id < ? AND r.message_id > ? AND s.created_at >= ? \
                 AND (? IS NULL OR s.sender_id = (SELECT u.id FROM users AS u WHERE u.username = ?)) \
                 ORDER BY r.message_id DESC LIMIT ? OFFSET ?) AS f \
                 STRAIGHT_JOIN messages AS m ON m.id = f.message_id \
                 STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id"
            )
        };
    }
    pub(super) const ALL: &str = received!(key: "PRIMARY", filter: "");
    pub(super) const MARKED: &str = received!(key: "receipts_read", filter: " AND r.is_read = ?");
    pub(super) const SENT: &str = concat!(
        "SELECT ",
        message_columns!(viewer: "m.sender_id"),
        " FROM \
         (SELECT s.id FROM messages AS s FORCE INDEX (messages_sender) \
          WHERE s.sender_id = ? AND s.id < ? AND s.id > ? AND s.created_at >= ? \
          ORDER BY s.id DESC LIMIT ? OFFSET ?) AS f \
         STRAIGHT_JOIN messages AS m ON m.id = f.id"
    );
}

/// A page of the caller's messages that match the filter; `None` if it exceeds the budget.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<MessagePage>, Error> {
    let deadline = Instant::now() + TIME_LIMIT;
    with_connection!(database, |connection| {
        let end = scan_end(connection, caller, page).await?;
        let mut search = Search::new(caller, page, end, deadline);
        let next_cursor = search.run(connection).await?;
        let mut collector = PageCollector::new(page, bounds);
        for message in search.messages(connection).await? {
            collector.push(|| Ok(message))?;
        }
        Ok(collector.finish_with(PageState::default(), next_cursor))
    })
}

/// The newest message that the scan does not reach.
#[derive(Clone, Copy)]
struct ScanEnd {
    id: u64,
    created_at: DateTime<Utc>,
}

impl ScanEnd {
    /// The cursor of a scan that continues here; `None` if no message from here on is new enough.
    fn cursor(self, page: &Page) -> Option<MessageId> {
        let since = page.filter.since.unwrap_or(DateTime::UNIX_EPOCH);
        let is_new_enough = self.created_at >= since - CLOCK_SKEW;
        MessageId::stored(self.id + 1).filter(|_| is_new_enough)
    }
}

/// Binds the values that all statements have in common: the user, the read mark if the statement has one, and the
/// cursor.
fn bind_mailbox(
    statement: &'static str,
    caller: &Caller,
    page: &Page,
    before: Option<MessageId>,
) -> Query<'static, sqlx::MySql, MySqlArguments> {
    let query = sqlx::query(statement).bind(u64::from(caller.id()));
    let read = page.unread.map(|unread| !unread);
    let query = read.into_iter().fold(query, Query::bind);
    query.bind(before.map_or(u64::MAX, MessageId::get))
}

/// The end of a page's scan; `None` if it reaches the oldest message.
async fn scan_end(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
) -> sqlx::Result<Option<ScanEnd>> {
    let statement = match (page.mailbox, page.unread) {
        (Mailbox::Inbox, None) => statements::END,
        (Mailbox::Inbox, Some(_)) => statements::END_MARKED,
        _ => statements::END_SENT,
    };
    let query = bind_mailbox(statement, caller, page, page.before).bind(SCAN_LIMIT);
    let Some(row) = query.fetch_optional(connection).await? else {
        return Ok(None);
    };
    Ok(Some(ScanEnd {
        id: row.try_get("id")?,
        created_at: row.try_get("created_at")?,
    }))
}

/// The search for one page, and its progress.
struct Search<'a> {
    caller: &'a Caller,
    page: &'a Page,
    end: Option<ScanEnd>,
    pattern: Option<Arc<Pattern>>,
    deadline: Instant,
    /// The matches, including those of the pages before if the service has to skip them.
    found: Vec<Candidate>,
    bytes: usize,
    /// The oldest message that was compared.
    last: Option<MessageId>,
}

impl<'a> Search<'a> {
    fn new(caller: &'a Caller, page: &'a Page, end: Option<ScanEnd>, deadline: Instant) -> Self {
        let terms = page.filter.terms.as_ref();
        Self {
            caller,
            page,
            end,
            pattern: terms.map(Pattern::of).map(Arc::new),
            deadline,
            found: Vec::new(),
            bytes: 0,
            last: None,
        }
    }

    /// The number of matches that the service has to skip, rather than MySQL.
    fn offset(&self) -> usize {
        let offset = self.pattern.as_ref().map_or(0, |_| self.page.offset());
        usize::try_from(offset).unwrap_or(usize::MAX)
    }

    /// The number of matches that end the search: those of the page, those before it, and one that shows that a page
    /// follows.
    fn max_matches(&self) -> usize {
        let of_page = usize::try_from(self.page.per_page + OVERFETCH).unwrap_or(usize::MAX);
        self.offset().saturating_add(of_page)
    }

    /// Compares batch after batch until the page is full, the scan is complete or a limit is reached. Returns the
    /// cursor of the next page.
    async fn run(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<Option<MessageId>> {
        let mut limit = self.page.per_page + OVERFETCH;
        loop {
            let (batch, is_last) = self.fetch(connection, limit).await?;
            let is_complete = self.compare(batch).await?;
            if self.found.len() >= self.max_matches() {
                self.found.truncate(self.max_matches() - 1);
                return Ok(self.found.last().map(|last| last.content.id));
            }
            if is_last && is_complete {
                return Ok(self.end.and_then(|end| end.cursor(self.page)));
            }
            if self.bytes >= MAX_BYTES || Instant::now() >= self.deadline {
                return Ok(self.last);
            }
            limit = BATCH;
        }
    }

    /// Fetches the next candidates, up to a limit and as many bytes as may be compared, and tells whether they are the
    /// last of the scan.
    async fn fetch(
        &self,
        connection: &mut MySqlConnection,
        limit: u64,
    ) -> sqlx::Result<(Vec<Candidate>, bool)> {
        let mut rows = self.query(limit).fetch(connection);
        let (mut batch, mut size, mut count) = (Vec::new(), 0, 0);
        while let Some(row) = rows.try_next().await? {
            count += 1;
            // All rows have to be read before the connection can be used again.
            if size < MAX_BYTES {
                let candidate = self.candidate(&row)?;
                size += candidate.size();
                batch.push(candidate);
            }
        }
        batch.sort_unstable_by_key(|candidate| Reverse(candidate.content.id));
        let is_last = count < limit && batch.len() as u64 == count;
        Ok((batch, is_last))
    }

    fn candidate(&self, row: &MySqlRow) -> sqlx::Result<Candidate> {
        let (sender, read) = match self.page.mailbox {
            Mailbox::Inbox => (sender(row)?, row.try_get("is_read")?),
            _ => (self.caller.username().clone(), false),
        };
        let content = content(row, sender)?;
        Ok(Candidate { content, read })
    }

    fn query(&self, limit: u64) -> Query<'static, sqlx::MySql, MySqlArguments> {
        let (page, filter) = (self.page, &self.page.filter);
        let statement = match (page.mailbox, page.unread) {
            (Mailbox::Inbox, None) => statements::ALL,
            (Mailbox::Inbox, Some(_)) => statements::MARKED,
            _ => statements::SENT,
        };
        let mut query = bind_mailbox(statement, self.caller, page, self.last.or(page.before))
            .bind(self.end.map_or(0, |end| end.id))
            .bind(filter.since.unwrap_or(DateTime::UNIX_EPOCH));
        if page.mailbox == Mailbox::Inbox {
            let from = filter.from.as_ref().map(ToString::to_string);
            query = query.bind(from.clone()).bind(from);
        }
        let offset = self.pattern.as_ref().map_or(page.offset(), |_| 0);
        query.bind(limit).bind(offset)
    }

    /// Compares a batch with the pattern, on a thread that does not serve requests, and tells whether it was completed.
    async fn compare(&mut self, batch: Vec<Candidate>) -> sqlx::Result<bool> {
        let matcher = Matcher {
            pattern: self.pattern.clone(),
            max_matches: self.max_matches() - self.found.len(),
            max_bytes: MAX_BYTES.saturating_sub(self.bytes),
            deadline: self.deadline,
        };
        let outcome = match matcher.pattern {
            Some(_) => spawn_blocking(|| matcher.run(batch))
                .await
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
            None => matcher.run(batch),
        };
        self.bytes += outcome.bytes;
        self.last = outcome.last.or(self.last);
        self.found.extend(outcome.found);
        Ok(outcome.is_complete)
    }

    /// The messages of the page.
    async fn messages(mut self, connection: &mut MySqlConnection) -> sqlx::Result<Vec<Message>> {
        let offset = self.offset().min(self.found.len());
        let found = self.found.split_off(offset);
        if self.page.mailbox == Mailbox::Inbox {
            let name = self.caller.username();
            let message =
                |one: Candidate| Message::of_receiver(one.content, name.clone(), one.read);
            return Ok(found.into_iter().map(message).collect());
        }
        let ids: Vec<_> = found.iter().map(|one| one.content.id).collect();
        let mut receivers = ReceiversByMessage::of_messages(connection, &ids).await?;
        let contents = found.into_iter().map(|one| one.content);
        let messages = contents.filter_map(|content| receivers.message(content));
        Ok(messages.map(Message::with_receivers).collect())
    }
}

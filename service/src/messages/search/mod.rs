//! Pages of messages by what no key is in the order of: who sent them, when, and which words are in them.
//!
//! They are found by looking through a stretch of the caller's own mailbox, newest first. The stretch is a range of the
//! key that the mailbox is in the order of, so no search sees, or takes longer for, what belongs to others, and a send
//! writes nothing for it. MySQL finds the sender and the time; words are compared here, where time and bytes are counted.
//! A page whose search ends before the mailbox does says where the next one goes on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rocket::futures::TryStreamExt as _;
use rocket::tokio::task::spawn_blocking;
use rocket::tokio::time::Instant;
use sqlx::Row;
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::query::Query;

use self::fold::Needles;
use self::look::{Candidate, Look};
use crate::auth::Caller;
use crate::db::{Database, Error, unit_of_work};
use crate::messages::store::bounded::{Bounds, Shelf};
use crate::messages::store::{LOOK_AHEAD, Outline, Received};
use crate::model::message::{Mailbox, Message, MessageId, Page, Receiver};
use crate::model::user::Username;

mod fold;
mod look;

/// Messages that one page looks through. Each costs a look-up by key.
const STRETCH: u64 = 1_000;
/// Messages whose texts are read at a time.
const BATCH: u64 = 100;
/// Bytes of text, as sent or as compared, after which a page looks no further.
const BYTES: usize = 4 << 20;
/// After which a page looks no further, on a database or a machine that has more to do than it can.
const PATIENCE: Duration = Duration::from_secs(1);
/// How far `created_at` may be from the order of the ids: an hour for replicas whose clocks differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// The statements. Which messages they are is found first, on what is narrow: a text is read where its sender and its time
/// are right.
mod statements {
    use crate::db::{SizedStatement, sized_statement};

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
        (key: $key:literal, filter: $filter:literal) => {
            concat!(
                "SELECT m.id, sender.username AS sender, m.subject, m.body, m.created_at, f.is_read FROM \
                 (SELECT r.message_id, r.is_read FROM receipts AS r FORCE INDEX (",
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
    pub(super) const SENT: &str = "SELECT m.id, m.subject, m.body, m.created_at FROM \
         (SELECT s.id FROM messages AS s FORCE INDEX (messages_sender) \
          WHERE s.sender_id = ? AND s.id < ? AND s.id > ? AND s.created_at >= ? \
          ORDER BY s.id DESC LIMIT ? OFFSET ?) AS f \
         STRAIGHT_JOIN messages AS m ON m.id = f.id";

    /// Who received some messages.
    pub(super) const RECEIVERS: SizedStatement<2> = sized_statement!(
        [20, 100],
        "SELECT r.message_id AS id, receiver.username, r.is_read FROM receipts AS r FORCE INDEX (receipts_message) \
         STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id WHERE r.message_id IN (",
        "?",
        ")"
    );
}
const _: () = assert!(statements::RECEIVERS.capacity() as u64 >= Page::MOST);

/// A page of the caller's messages with what is filtered for.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<Received>, Error> {
    let until = Instant::now() + PATIENCE;
    unit_of_work!(database, |connection| {
        let end = end(connection, caller, page).await?;
        let mut search = Search::new(caller, page, end, until);
        let rest = search.run(connection).await?;
        let mut shelf = Shelf::new(page, bounds);
        for message in search.messages(connection).await? {
            shelf.put_if_open(|| Ok(message))?;
        }
        Ok(shelf.page_of(Outline::default(), rest))
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
fn mailbox(
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
    let query = mailbox(statement, caller, page, page.before).bind(STRETCH);
    let Some(row) = query.fetch_optional(connection).await? else {
        return Ok(None);
    };
    Ok(Some(End {
        id: row.try_get("id")?,
        created_at: row.try_get("created_at")?,
    }))
}

/// The search for one page, and how far it is.
struct Search<'a> {
    caller: &'a Caller,
    page: &'a Page,
    end: Option<End>,
    needles: Option<Arc<Needles>>,
    until: Instant,
    /// What was found, with those of the pages before, as far as they have to be passed over here.
    found: Vec<Candidate>,
    bytes: usize,
    /// The oldest message that was looked at.
    looked_at: Option<MessageId>,
}

impl<'a> Search<'a> {
    fn new(caller: &'a Caller, page: &'a Page, end: Option<End>, until: Instant) -> Self {
        let words = page.filter.words.as_ref();
        Self {
            caller,
            page,
            end,
            needles: words.map(Needles::of).map(Arc::new),
            until,
            found: Vec::new(),
            bytes: 0,
            looked_at: None,
        }
    }

    /// How many that are found have to be passed over here, rather than by MySQL.
    fn offset(&self) -> usize {
        let offset = self.needles.as_ref().map_or(0, |_| self.page.offset());
        usize::try_from(offset).unwrap_or(usize::MAX)
    }

    /// How many that are found end a search: those of the page, those before it, and one that tells of a next page.
    fn enough(&self) -> usize {
        let of_page = usize::try_from(self.page.per_page + LOOK_AHEAD).unwrap_or(usize::MAX);
        self.offset().saturating_add(of_page)
    }

    /// Looks through batch after batch, until the page is full, the stretch is over or enough was looked through. Gives
    /// what the next page is older than.
    async fn run(&mut self, connection: &mut MySqlConnection) -> sqlx::Result<Option<MessageId>> {
        let mut limit = self.page.per_page + LOOK_AHEAD;
        loop {
            let (batch, is_last) = self.batch(connection, limit).await?;
            let is_whole = self.look_through(batch).await?;
            if self.found.len() >= self.enough() {
                self.found.truncate(self.enough() - 1);
                return Ok(self.found.last().map(|last| last.content.id));
            }
            if is_last && is_whole {
                return Ok(self.end.and_then(|end| end.goes_on(self.page)));
            }
            if self.is_over() {
                return Ok(self.looked_at);
            }
            limit = BATCH;
        }
    }

    fn is_over(&self) -> bool {
        self.bytes >= BYTES || Instant::now() >= self.until
    }

    /// Up to so many candidates that follow, of up to so many bytes as may be looked through; whether they are the last of
    /// the stretch.
    async fn batch(
        &self,
        connection: &mut MySqlConnection,
        limit: u64,
    ) -> sqlx::Result<(Vec<Candidate>, bool)> {
        let mut rows = self.query(limit).fetch(connection);
        let (mut batch, mut size, mut count) = (Vec::new(), 0, 0);
        while let Some(row) = rows.try_next().await? {
            count += 1;
            // What is too much is read nevertheless, or the connection would be of no more use.
            if size < BYTES {
                let candidate = Candidate::of(&row, self.caller, self.page.mailbox)?;
                size += candidate.size();
                batch.push(candidate);
            }
        }
        batch.sort_unstable_by_key(|candidate| Reverse(candidate.content.id));
        let is_last = count < limit && batch.len() as u64 == count;
        Ok((batch, is_last))
    }

    fn query(&self, limit: u64) -> Query<'static, sqlx::MySql, MySqlArguments> {
        let (page, filter) = (self.page, &self.page.filter);
        let statement = match (page.mailbox, page.unread) {
            (Mailbox::Inbox, None) => statements::ALL,
            (Mailbox::Inbox, Some(_)) => statements::MARKED,
            (Mailbox::Sent, _) => statements::SENT,
        };
        let mut query = mailbox(statement, self.caller, page, self.looked_at.or(page.before))
            .bind(self.end.map_or(0, |end| end.id))
            .bind(filter.since.unwrap_or(DateTime::UNIX_EPOCH));
        if page.mailbox == Mailbox::Inbox {
            let from = filter.from.as_ref().map(ToString::to_string);
            query = query.bind(from.clone()).bind(from);
        }
        let offset = self.needles.as_ref().map_or(page.offset(), |_| 0);
        query.bind(limit).bind(offset)
    }

    /// Compares a batch with the words, on a thread where that keeps nobody waiting; whether all of it was looked at.
    async fn look_through(&mut self, batch: Vec<Candidate>) -> sqlx::Result<bool> {
        let look = Look {
            needles: self.needles.clone(),
            enough: self.enough() - self.found.len(),
            bytes: BYTES.saturating_sub(self.bytes),
            until: self.until,
        };
        let seen = match look.needles {
            Some(_) => spawn_blocking(|| look.at(batch))
                .await
                .map_err(|fault| sqlx::Error::Decode(fault.into()))?,
            None => look.at(batch),
        };
        self.bytes += seen.bytes;
        self.looked_at = seen.last.or(self.looked_at);
        self.found.extend(seen.found);
        Ok(seen.is_whole)
    }

    /// The messages of the page.
    async fn messages(mut self, connection: &mut MySqlConnection) -> sqlx::Result<Vec<Message>> {
        let offset = self.offset().min(self.found.len());
        let found = self.found.split_off(offset);
        match self.page.mailbox {
            Mailbox::Inbox => {
                let name = self.caller.username();
                let message =
                    |one: Candidate| Message::of_receiver(one.content, name.clone(), one.read);
                Ok(found.into_iter().map(message).collect())
            }
            Mailbox::Sent => with_receivers(connection, found).await,
        }
    }
}

/// Messages that the caller sent, each with its receivers.
async fn with_receivers(
    connection: &mut MySqlConnection,
    found: Vec<Candidate>,
) -> sqlx::Result<Vec<Message>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = found.iter().map(|one| one.content.id.get()).collect();
    let (statement, places) = statements::RECEIVERS.for_values(&ids);
    let query = places.fold(sqlx::query(statement), |query, id| query.bind(*id));
    let mut receivers = BTreeMap::<u64, Vec<_>>::new();
    for row in query.fetch_all(connection).await? {
        receivers
            .entry(row.try_get("id")?)
            .or_default()
            .push(Receiver {
                username: Username::stored(row.try_get("username")?),
                read: row.try_get("is_read")?,
            });
    }
    let message = |Candidate { content, .. }| {
        // One without receivers was deleted between the two statements.
        let receivers = receivers.remove(&content.id.get())?;
        Some(Message::of_sender(content, receivers).with_receivers())
    };
    Ok(found.into_iter().filter_map(message).collect())
}

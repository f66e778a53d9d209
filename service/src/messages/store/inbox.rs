//! Pages of an inbox. One narrow index has its order and determines the messages of a page; an offset scans only that
//! index. The statements name their indexes, so that the plan does not depend on optimizer statistics.

use std::collections::BTreeMap;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::store::collector::{
    Bounds, CHUNK, MessagePage, OVERFETCH, PageCollector, PageState, split_page,
};
use crate::messages::store::row::{content, id, received_message, sender};
use crate::model::message::{Message, MessageId};
use crate::model::page::Page;

mod statements {
    use crate::db::{SizedStatement, sized_statement};
    use crate::messages::store::row::message_columns;

    /// A statement for all messages, and one for the read or the unread ones.
    pub(super) struct Variants {
        pub(super) all: &'static str,
        pub(super) marked: &'static str,
    }

    macro_rules! variants {
        ($select:expr, join: $join:literal, $after:literal) => {
            Variants {
                all: concat!(
                    $select,
                    " FROM receipts AS r FORCE INDEX (PRIMARY) ",
                    $join,
                    "WHERE r.receiver_id = ? AND r.is_deleted = FALSE",
                    $after
                ),
                marked: concat!(
                    $select,
                    " FROM receipts AS r FORCE INDEX (receipts_read) ",
                    $join,
                    "WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.is_read = ?",
                    $after
                ),
            }
        };
    }

    /// The newest messages, complete.
    pub(super) const NEWEST: Variants = variants!(
        concat!("SELECT ", message_columns!(sender, viewer: "r.receiver_id"), ", r.is_read"),
        join: "STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
               STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id ",
        " ORDER BY r.message_id DESC LIMIT ?"
    );

    /// A statement for each start of a page: at the newest message, after a given one, or after a given number of them.
    pub(super) struct Starts {
        pub(super) newest: Variants,
        pub(super) before: Variants,
        pub(super) nth: Variants,
    }

    macro_rules! starts {
        ($select:literal) => {
            Starts {
                newest: variants!($select, join: "", " ORDER BY r.message_id DESC LIMIT ?"),
                before: variants!($select, join: "", " AND r.message_id < ? ORDER BY r.message_id DESC LIMIT ?"),
                nth: variants!($select, join: "", " ORDER BY r.message_id DESC LIMIT ? OFFSET ?"),
            }
        };
    }

    /// The ids and read marks of a page.
    pub(super) const MARKS: Starts = starts!("SELECT r.message_id AS id, r.is_read");
    /// The same, and whether an account is being deleted, which may change a sender's name on the page.
    pub(super) const STATES: Starts = starts!(
        "SELECT r.message_id AS id, r.is_read, \
         (SELECT MAX(user_id) FROM account_deletions) IS NOT NULL AS has_pending_deletions"
    );

    /// The contents of some messages, newest first.
    pub(super) const CONTENTS: SizedStatement<2> = sized_statement!(
        [20, 100],
        concat!(
            "SELECT ",
            message_columns!(sender, viewer: "?"),
            " FROM messages AS m FORCE INDEX (PRIMARY) STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
             WHERE m.id IN ("
        ),
        "?",
        ") ORDER BY m.id DESC"
    );
}
const _: () = assert!(statements::CONTENTS.capacity() as u64 >= Page::MAX_PER_PAGE);

/// A page of the messages that the caller received and has not deleted; `None` if it exceeds the budget.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<MessagePage>, Error> {
    with_connection!(database, |connection| {
        if page.before.is_none() && page.offset() == 0 && page.per_page <= CHUNK as u64 {
            newest(connection, caller, page, bounds).await
        } else {
            further(connection, caller, page, bounds).await
        }
    })
}

/// Reads the page by one statement.
async fn newest(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<MessagePage>> {
    let newest = query(&statements::NEWEST, caller, page).bind(limit(page));
    let mut rows = newest.fetch(connection);
    let mut collector = PageCollector::new(page, bounds);
    while let Some(row) = rows.try_next().await? {
        let message = |row: &MySqlRow| received_message(row, caller.username().clone());
        collector.push_row(&row, row.try_get("is_read")?, message)?;
    }
    Ok(collector.finish())
}

/// Reads the page by separate statements for the ids and the contents. For a page that does not begin at the newest
/// message, MySQL estimates a join by the whole rest of the inbox, and reads thousands of receipts of a large one ahead
/// for a page of twenty; a statement on the one table with a named index needs no estimate
/// (<https://dev.mysql.com/doc/refman/8.4/en/range-optimization.html>, "skip index dives"). The contents of a long page
/// are read in chunks, so that few are read needlessly.
async fn further(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<MessagePage>> {
    let rows = select_marks(connection, caller, page, &statements::MARKS).await?;
    let (state, next_cursor) = state(&rows, page)?;
    let mut collector = PageCollector::new(page, bounds);
    let mut marks = &state.marks[..];
    while !marks.is_empty() && collector.is_open() {
        let (chunk, rest) = marks.split_at(collector.next_chunk(marks.len()));
        push_contents(connection, caller, chunk, &mut collector).await?;
        marks = rest;
    }
    Ok(collector.finish_with(state, next_cursor))
}

/// Adds the contents of these messages. Those that their senders have deleted since the ids were read are not found.
async fn push_contents(
    connection: &mut MySqlConnection,
    caller: &Caller,
    marks: &[(MessageId, bool)],
    collector: &mut PageCollector<'_, '_>,
) -> sqlx::Result<()> {
    let is_read: BTreeMap<_, _> = marks.iter().copied().collect();
    let (statement, marks) = statements::CONTENTS.for_values(marks);
    let query = sqlx::query(statement).bind(u64::from(caller.id()));
    let query = marks.fold(query, |query, (id, _)| query.bind(id.get()));
    let mut contents = query.fetch(connection);
    while let Some(row) = contents.try_next().await? {
        let is_read = is_read.get(&id(&row)?).is_some_and(|is_read| *is_read);
        collector.push(|| {
            let content = content(&row, sender(&row)?)?;
            let receiver = caller.username().clone();
            Ok(Message::of_receiver(content, receiver, is_read))
        })?;
    }
    Ok(())
}

/// The state of an inbox page, read from one index. `None` if an account is being deleted, which may change a sender's
/// name on the page.
pub(super) async fn page_state(
    database: &Database,
    caller: &Caller,
    page: &Page,
) -> Result<Option<PageState>, Error> {
    with_connection!(database, |connection| {
        let rows = select_marks(connection, caller, page, &statements::STATES).await?;
        for row in &rows {
            if row.try_get("has_pending_deletions")? {
                return Ok(None);
            }
        }
        state(&rows, page).map(|(state, _)| Some(state))
    })
}

/// The state of a page, and the cursor of the next one, from rows that include the one past the page.
fn state(rows: &[MySqlRow], page: &Page) -> sqlx::Result<(PageState, Option<MessageId>)> {
    let mark = |row: &MySqlRow| Ok((id(row)?, row.try_get("is_read")?));
    let mut marks = rows.iter().map(mark).collect::<sqlx::Result<Vec<_>>>()?;
    let next_cursor = split_page(&mut marks, page, |(id, _)| *id);
    let has_more = next_cursor.is_some();
    Ok((PageState { marks, has_more }, next_cursor))
}

/// The receipts of a page, and the one past the page if there is one.
async fn select_marks(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    start: &statements::Starts,
) -> sqlx::Result<Vec<MySqlRow>> {
    let query = match (page.before, page.offset()) {
        (Some(before), _) => query(&start.before, caller, page)
            .bind(before.get())
            .bind(limit(page)),
        (None, 0) => query(&start.newest, caller, page).bind(limit(page)),
        (None, offset) => query(&start.nth, caller, page)
            .bind(limit(page))
            .bind(offset),
    };
    query.fetch_all(connection).await
}

/// The variant that the page needs, with the values that all statements have in common.
fn query(
    variants: &statements::Variants,
    caller: &Caller,
    page: &Page,
) -> Query<'static, sqlx::MySql, MySqlArguments> {
    let receiver = u64::from(caller.id());
    match page.unread {
        None => sqlx::query(variants.all).bind(receiver),
        Some(unread) => sqlx::query(variants.marked).bind(receiver).bind(!unread),
    }
}

fn limit(page: &Page) -> u64 {
    page.per_page + OVERFETCH
}

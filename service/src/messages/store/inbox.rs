//! Pages of an inbox. What is on a page is told by one narrow key, walked backwards from where the page begins; passing
//! over receipts reads that key alone. The keys are named, because the cost must not depend on what the optimizer thinks
//! of the data of the day.

use std::collections::BTreeMap;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{Database, Error, unit_of_work};
use crate::messages::store::bounded::{Bounds, PORTION, Shelf};
use crate::messages::store::{LOOK_AHEAD, Received, content, cut_off, id, received_message};
use crate::model::message::{Filter, Mailbox, Message, MessageId, Page};
use crate::model::user::Username;

mod statements {
    use crate::db::{SizedStatement, sized_statement};

    /// A statement for all messages, and one for those that are marked as read, or as unread.
    pub(super) struct Forms {
        pub(super) all: &'static str,
        pub(super) marked: &'static str,
    }

    macro_rules! forms {
        ($before:literal, join: $join:literal, $after:literal) => {
            Forms {
                all: concat!(
                    $before,
                    " FROM receipts AS r FORCE INDEX (PRIMARY) ",
                    $join,
                    "WHERE r.receiver_id = ? AND r.is_deleted = FALSE",
                    $after
                ),
                marked: concat!(
                    $before,
                    " FROM receipts AS r FORCE INDEX (receipts_read) ",
                    $join,
                    "WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.is_read = ?",
                    $after
                ),
            }
        };
    }

    /// The newest messages, with all that is shown of them.
    pub(super) const NEWEST: Forms = forms!(
        "SELECT m.id, sender.username AS sender, m.subject, m.body, m.created_at, r.is_read",
        join: "STRAIGHT_JOIN messages AS m ON m.id = r.message_id STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id ",
        " ORDER BY r.message_id DESC LIMIT ?"
    );

    /// Where a page begins: with the newest message, after one, or after so many.
    pub(super) struct Beginnings {
        pub(super) newest: Forms,
        pub(super) before: Forms,
        pub(super) nth: Forms,
    }

    macro_rules! beginnings {
        ($select:literal) => {
            Beginnings {
                newest: forms!($select, join: "", " ORDER BY r.message_id DESC LIMIT ?"),
                before: forms!($select, join: "", " AND r.message_id < ? ORDER BY r.message_id DESC LIMIT ?"),
                nth: forms!($select, join: "", " ORDER BY r.message_id DESC LIMIT ? OFFSET ?"),
            }
        };
    }

    /// What a page shows without its messages: which they are, and what is marked.
    pub(super) const MARKS: Beginnings = beginnings!("SELECT r.message_id AS id, r.is_read");
    /// The same, and whether somebody's account is on its way out, whose name may be about to change in them.
    pub(super) const OUTLINES: Beginnings = beginnings!(
        "SELECT r.message_id AS id, r.is_read, \
         (SELECT MAX(user_id) FROM departures) IS NOT NULL AS is_somebody_leaving"
    );

    /// What some messages say, the newest first.
    pub(super) const CONTENTS: SizedStatement<2> = sized_statement!(
        [20, 100],
        "SELECT m.id, sender.username AS sender, m.subject, m.body, m.created_at \
         FROM messages AS m FORCE INDEX (PRIMARY) STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id WHERE m.id IN (",
        "?",
        ") ORDER BY m.id DESC"
    );
}
const _: () = assert!(statements::CONTENTS.capacity() as u64 >= Page::MOST);

/// A page of the messages that the caller received and has not deleted; `None` if it is beyond the budget.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<Received>, Error> {
    unit_of_work!(database, |connection| {
        if page.before.is_none() && page.offset() == 0 && page.per_page <= PORTION as u64 {
            newest(connection, caller, page, bounds).await
        } else {
            further(connection, caller, page, bounds).await
        }
    })
}

/// One statement.
async fn newest(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<Received>> {
    let newest = query(&statements::NEWEST, caller, page).bind(limit(page));
    let mut rows = newest.fetch(connection);
    let mut shelf = Shelf::new(page, bounds);
    while let Some(row) = rows.try_next().await? {
        let message = |row: &MySqlRow| received_message(row, caller.username().clone());
        shelf.take(&row, row.try_get("is_read")?, message)?;
    }
    Ok(shelf.page())
}

/// Two statements: which messages, and what they say. Where a page does not begin with the newest, MySQL takes the whole
/// rest of the inbox for what a join is about, and reads ahead thousands of receipts of a great one for a page of twenty.
/// What the messages of a long page say is read in portions, so that little is read in vain.
/// (A statement on the one table, with its key named, it carries out without such an estimate:
/// <https://dev.mysql.com/doc/refman/8.4/en/range-optimization.html>, "skip index dives".)
async fn further(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<Received>> {
    let mut rows = marks(connection, caller, page, &statements::MARKS).await?;
    let rest = cut_off(&mut rows, page);
    let outline = Outline::of(&rows, rest.is_some())?;
    let mut shelf = Shelf::new(page, bounds);
    let mut marks = &outline.marks[..];
    while !marks.is_empty() && shelf.is_open() {
        let (some, rest) = marks.split_at(shelf.portion(marks.len()));
        put_contents(connection, caller, some, &mut shelf).await?;
        marks = rest;
    }
    Ok(shelf.page_of(outline, rest))
}

/// Puts what these messages say on the shelf.
async fn put_contents(
    connection: &mut MySqlConnection,
    caller: &Caller,
    marks: &[(MessageId, bool)],
    shelf: &mut Shelf<'_, '_>,
) -> sqlx::Result<()> {
    let is_read: BTreeMap<_, _> = marks.iter().copied().collect();
    let (statement, places) = statements::CONTENTS.for_values(marks);
    let query = places.fold(sqlx::query(statement), |query, (id, _)| {
        query.bind(id.get())
    });
    // One that is not found was deleted by its sender between the two statements.
    let mut contents = query.fetch(connection);
    while let Some(row) = contents.try_next().await? {
        let is_read = is_read.get(&id(&row)?).is_some_and(|is_read| *is_read);
        shelf.put_if_open(|| {
            let content = content(&row, Username::stored(row.try_get("sender")?))?;
            let receiver = caller.username().clone();
            Ok(Message::of_receiver(content, receiver, is_read))
        })?;
    }
    Ok(())
}

/// What a page of an inbox shows, without what its messages say, which never changes.
#[derive(Default)]
pub(crate) struct Outline {
    /// The messages, and whether each is marked as read.
    pub(crate) marks: Vec<(MessageId, bool)>,
    pub(crate) has_more: bool,
}

impl Outline {
    fn of(rows: &[MySqlRow], has_more: bool) -> sqlx::Result<Self> {
        let mark = |row: &MySqlRow| Ok((id(row)?, row.try_get("is_read")?));
        let marks = rows.iter().map(mark).collect::<sqlx::Result<_>>()?;
        Ok(Self { marks, has_more })
    }
}

/// The outline of a page, from the key alone that the page is in the order of. `None` if that does not tell all: the page
/// is not one of the inbox, something is filtered for, or a sender's name may be about to change.
pub(crate) async fn outline(
    database: &Database,
    caller: &Caller,
    page: &Page,
) -> Result<Option<Outline>, Error> {
    if page.mailbox == Mailbox::Sent || page.filter != Filter::NONE {
        return Ok(None);
    }
    unit_of_work!(database, |connection| {
        let mut rows = marks(connection, caller, page, &statements::OUTLINES).await?;
        let has_more = cut_off(&mut rows, page).is_some();
        for row in &rows {
            if row.try_get("is_somebody_leaving")? {
                return Ok(None);
            }
        }
        Outline::of(&rows, has_more).map(Some)
    })
}

/// The receipts of a page, and one more if there is one.
async fn marks(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    from: &statements::Beginnings,
) -> sqlx::Result<Vec<MySqlRow>> {
    let query = match (page.before, page.offset()) {
        (Some(before), _) => query(&from.before, caller, page)
            .bind(before.get())
            .bind(limit(page)),
        (None, 0) => query(&from.newest, caller, page).bind(limit(page)),
        (None, offset) => query(&from.nth, caller, page)
            .bind(limit(page))
            .bind(offset),
    };
    query.fetch_all(connection).await
}

/// A statement with the values that all have in common.
fn query(
    forms: &statements::Forms,
    caller: &Caller,
    page: &Page,
) -> Query<'static, sqlx::MySql, sqlx::mysql::MySqlArguments> {
    let receiver = u64::from(caller.id());
    match page.unread {
        None => sqlx::query(forms.all).bind(receiver),
        Some(unread) => sqlx::query(forms.marked).bind(receiver).bind(!unread),
    }
}

fn limit(page: &Page) -> u64 {
    page.per_page + LOOK_AHEAD
}

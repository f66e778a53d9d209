//! Messages in MySQL. Every statement is bounded by its caller: as the sender, or as a receiver who has not deleted
//! the message. A statement that finds nothing does not say whether somebody else would have found something.

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, Row};

use crate::auth::Caller;
use crate::database::{Database, Error, unit_of_work};
use crate::messages::model::{Message, MessageId, NewMessage, Page, Subject, Text};
use crate::users::Username;

/// One row past the page tells whether another page follows, without counting anything.
const LOOK_AHEAD: u64 = 1;

/// A page of received messages, newest first.
pub(crate) struct Received {
    pub(crate) messages: Vec<Message>,
    pub(crate) has_more: bool,
}

/// Sends a message: one transaction, in which the receiver is looked up while inserting. `None` if there is no such
/// receiver.
pub(crate) async fn send(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
) -> Result<Option<Message>, Error> {
    let created_at = Utc::now().trunc_subsecs(3);
    let id = unit_of_work!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let Some(id) = insert_message(&mut transaction, caller, new, created_at).await? else {
            return Ok(None);
        };
        let received = sqlx::query("INSERT INTO receipts (receiver_id, message_id) SELECT id, ? FROM users WHERE username = ?")
                .bind(id.get())
                .bind(new.receiver.as_str())
                .execute(&mut *transaction)
                .await?;
        // The receiver was there a statement ago and is not any more; what was begun is rolled back.
        if received.rows_affected() == 0 {
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(id))
    })?;
    Ok(id.map(|id| Message {
        id,
        sender: caller.username().clone(),
        receiver: new.receiver.clone(),
        subject: new.subject.clone(),
        message: new.message.clone(),
        created_at,
        read: false,
    }))
}

async fn insert_message(
    connection: &mut MySqlConnection,
    caller: &Caller,
    new: &NewMessage,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Option<MessageId>> {
    let inserted = sqlx::query(
        "INSERT INTO messages (sender_id, subject, body, created_at) SELECT ?, ?, ?, ? FROM users WHERE username = ?",
    )
    .bind(u64::from(caller.id()))
    .bind(new.subject.as_str())
    .bind(new.message.as_str())
    .bind(created_at)
    .bind(new.receiver.as_str())
    .execute(connection)
    .await?;
    Ok(MessageId::stored(inserted.last_insert_id()).filter(|_| inserted.rows_affected() == 1))
}

/// The statements that read a page: each walks one key backwards from where the page begins and looks up just the
/// messages of the page. Passing over `OFFSET` receipts reads that narrow key alone. The keys are named, because
/// that cost must not depend on what the optimizer thinks of the data of the day.
mod statements {
    macro_rules! page {
        (key: $key:literal, filter: $filter:literal, from: $from:expr) => {
            concat!(
                "SELECT m.id, sender.username AS sender, m.subject, m.body, m.created_at, r.is_read \
                 FROM receipts AS r FORCE INDEX (",
                $key,
                ") STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
                 STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
                 WHERE r.receiver_id = ? AND r.is_deleted = FALSE",
                $filter,
                " AND r.message_id ",
                $from,
                " ORDER BY r.message_id DESC LIMIT ?"
            )
        };
    }
    macro_rules! nth {
        (key: $key:literal, filter: $filter:literal) => {
            concat!(
                "<= (SELECT s.message_id FROM receipts AS s FORCE INDEX (",
                $key,
                ") WHERE s.receiver_id = ? AND s.is_deleted = FALSE",
                $filter,
                " ORDER BY s.message_id DESC LIMIT 1 OFFSET ?)"
            )
        };
    }

    pub(super) const ALL_BEFORE: &str = page!(key: "PRIMARY", filter: "", from: "< ?");
    pub(super) const ALL_FROM_NTH: &str =
        page!(key: "PRIMARY", filter: "", from: nth!(key: "PRIMARY", filter: ""));
    pub(super) const MARKED_BEFORE: &str =
        page!(key: "receipts_read", filter: " AND r.is_read = ?", from: "< ?");
    pub(super) const MARKED_FROM_NTH: &str = page!(
        key: "receipts_read",
        filter: " AND r.is_read = ?",
        from: nth!(key: "receipts_read", filter: " AND s.is_read = ?")
    );
}

/// A page of the messages that the caller received and has not deleted.
pub(crate) async fn received(
    database: &Database,
    caller: &Caller,
    page: &Page,
) -> Result<Received, Error> {
    let rows = unit_of_work!(database, |connection| page_rows(connection, caller, page)
        .await)?;
    let has_more = rows.len() as u64 > page.per_page;
    let messages = rows
        .iter()
        .take(rows.len() - usize::from(has_more))
        .map(|row| message(row, caller.username().clone()))
        .collect::<Result<_, _>>()
        .map_err(Error::Broken)?;
    Ok(Received { messages, has_more })
}

async fn page_rows(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
) -> sqlx::Result<Vec<MySqlRow>> {
    let receiver = u64::from(caller.id());
    let read = page.unread.map(|unread| !unread);
    let limit = page.per_page + LOOK_AHEAD;
    if page.offset() == 0 {
        // No id reaches the largest number that the column holds.
        let before = page.before.map_or(u64::MAX, MessageId::get);
        let query = match read {
            None => sqlx::query(statements::ALL_BEFORE).bind(receiver),
            Some(read) => sqlx::query(statements::MARKED_BEFORE)
                .bind(receiver)
                .bind(read),
        };
        return query.bind(before).bind(limit).fetch_all(connection).await;
    }
    let query = match read {
        None => sqlx::query(statements::ALL_FROM_NTH)
            .bind(receiver)
            .bind(receiver),
        Some(read) => sqlx::query(statements::MARKED_FROM_NTH)
            .bind(receiver)
            .bind(read)
            .bind(receiver)
            .bind(read),
    };
    query
        .bind(page.offset())
        .bind(limit)
        .fetch_all(connection)
        .await
}

/// One message that the caller sent, or received and has not deleted.
pub(crate) async fn find(
    database: &Database,
    caller: &Caller,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    unit_of_work!(database, |connection| select_one(connection, caller, id)
        .await)
}

/// The caller's own receipt comes first where the message has several receivers.
async fn select_one(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<Option<Message>> {
    let caller_id = u64::from(caller.id());
    let rows = sqlx::query(
        "SELECT m.id, sender.username AS sender, receiver.username AS receiver, m.subject, m.body, m.created_at, \
                r.is_read, r.receiver_id = ? AS is_own \
         FROM messages AS m \
         STRAIGHT_JOIN receipts AS r FORCE INDEX (receipts_message) ON r.message_id = m.id \
         STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
         STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id \
         WHERE m.id = ? AND (m.sender_id = ? OR (r.receiver_id = ? AND r.is_deleted = FALSE))",
    )
    .bind(caller_id)
    .bind(id.get())
    .bind(caller_id)
    .bind(caller_id)
    .fetch_all(connection)
    .await?;
    let row = rows.iter().find(|row| row.get("is_own")).or(rows.first());
    row.map(|row| message(row, Username::stored(row.get("receiver"))))
        .transpose()
}

/// Marks a received message as read or unread. `None` if the caller has not received it, or deleted it.
pub(crate) async fn mark(
    database: &Database,
    caller: &Caller,
    id: MessageId,
    read: bool,
) -> Result<Option<Message>, Error> {
    unit_of_work!(database, |connection| {
        let marked = sqlx::query(
                "UPDATE receipts SET is_read = ? WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?",
            )
            .bind(read)
            .bind(u64::from(caller.id()))
            .bind(id.get())
            .execute(&mut *connection)
            .await?;
        // MySQL counts the rows that matched, also where nothing changed.
        if marked.rows_affected() == 0 {
            return Ok(None);
        }
        select_one(connection, caller, id).await
    })
}

/// Deletes a message that the caller sent, for all its receivers; or one that the caller received, from their feed
/// only. Whether there was one.
pub(crate) async fn delete(
    database: &Database,
    caller: &Caller,
    id: MessageId,
) -> Result<bool, Error> {
    let caller_id = u64::from(caller.id());
    unit_of_work!(database, |connection| {
        let deleted = sqlx::query("DELETE FROM messages WHERE id = ? AND sender_id = ?")
            .bind(id.get())
            .bind(caller_id)
            .execute(&mut *connection)
            .await?;
        if deleted.rows_affected() == 1 {
            return Ok(true);
        }
        let removed = sqlx::query(
            "UPDATE receipts SET is_deleted = TRUE \
                 WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?",
        )
        .bind(caller_id)
        .bind(id.get())
        .execute(connection)
        .await?;
        Ok(removed.rows_affected() == 1)
    })
}

fn message(row: &MySqlRow, receiver: Username) -> sqlx::Result<Message> {
    Ok(Message {
        id: MessageId::stored(row.try_get("id")?).ok_or(sqlx::Error::RowNotFound)?,
        sender: Username::stored(row.try_get("sender")?),
        receiver,
        subject: Subject::stored(row.try_get("subject")?),
        message: Text::stored(row.try_get("body")?),
        created_at: row.try_get("created_at")?,
        read: row.try_get("is_read")?,
    })
}

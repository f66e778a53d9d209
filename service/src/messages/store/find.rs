//! A single message.

use sqlx::Row;
use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::store::receivers::ReceiversByMessage;
use crate::messages::store::row::{content, message_columns, sender};
use crate::model::message::{Message, MessageId};

const STATEMENT: &str = concat!(
    "SELECT ",
    message_columns!(sender, viewer: "?"),
    ", m.sender_id = ? AS is_sender, r.is_read \
     FROM messages AS m STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
     LEFT JOIN receipts AS r FORCE INDEX (receipts_message) \
         ON r.message_id = m.id AND r.receiver_id = ? AND r.is_deleted = FALSE \
     WHERE m.id = ? AND (m.sender_id = ? OR r.receiver_id IS NOT NULL)"
);

/// A message that the caller sent, or received and has not deleted.
pub(crate) async fn find(
    database: &Database,
    caller: &Caller,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    with_connection!(database, |connection| select_one(connection, caller, id)
        .await)
}

/// If the caller is both the sender and a receiver, the result is the message as received, with all its receivers.
pub(super) async fn select_one(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<Option<Message>> {
    let caller_id = u64::from(caller.id());
    let row = sqlx::query(STATEMENT)
        .bind(caller_id)
        .bind(caller_id)
        .bind(caller_id)
        .bind(id.get())
        .bind(caller_id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let content = content(&row, sender(&row)?)?;
    let own: Option<bool> = row.try_get("is_read")?;
    let name = || caller.username().clone();
    if let (Some(read), false) = (own, row.try_get("is_sender")?) {
        return Ok(Some(Message::of_receiver(content, name(), read)));
    }
    let ids = id.get()..=id.get();
    let mut receivers = ReceiversByMessage::of_range(connection, caller, ids).await?;
    let sent = receivers.message(content);
    Ok(sent.map(|sent| sent_by(caller, sent, own)))
}

/// A message that the caller sent, which the caller may also have received, and marked as read.
pub(super) fn sent_by(caller: &Caller, sent: Message, received: Option<bool>) -> Message {
    match received {
        Some(read) => Message {
            receiver: caller.username().clone(),
            read,
            ..sent
        },
        None => sent,
    }
}

//! Marks received messages as read or unread.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, unless_locked, with_connection,
};
use crate::messages::store::find::select_one;
use crate::messages::store::message_key::{
    MessageKey, SizedByKeys, bind, message_key, sized_by_keys,
};
use crate::messages::store::row::{content, message_columns, sender};
use crate::model::message::{Message, MessageId};

/// A request to mark a received message as read or unread.
pub(crate) struct MarkRequest<const READ: bool> {
    caller: Caller,
    id: MessageId,
}

const ONE: &str = "UPDATE receipts SET is_read = ? WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?";
const SEVERAL: SizedByKeys = sized_by_keys!(
    "UPDATE receipts SET is_read = ? WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const MESSAGES: SizedByKeys = sized_by_keys!(
    concat!(
        "SELECT ",
        message_columns!(sender, viewer: "r.receiver_id"),
        ", r.receiver_id, m.sender_id = r.receiver_id AS is_to_oneself \
     FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
     STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
     WHERE (r.receiver_id, r.is_deleted, r.message_id) IN ("
    ),
    "(?,0,?)",
    ")"
);

impl<const READ: bool> MarkRequest<READ> {
    pub(crate) fn new(caller: Caller, id: MessageId) -> Self {
        Self { caller, id }
    }

    fn key(&self) -> MessageKey {
        message_key(&self.caller, self.id)
    }
}

/// The output is the message; `None` if the caller has not received it, or has deleted it.
impl<const READ: bool> Batch for MarkRequest<READ> {
    type Context = Database;
    type Output = Option<Message>;

    const LIMITS: BatchLimits = BatchLimits::GROUP_COMMIT;

    async fn run_one(&self, database: &Database) -> Result<Option<Message>, Error> {
        let (receiver, message) = self.key();
        with_connection!(database, |connection| {
            let marked = sqlx::query(ONE)
                .bind(READ)
                .bind(receiver)
                .bind(message)
                .execute(&mut *connection)
                .await?;
            // MySQL counts the rows that matched, including those that did not change.
            if marked.rows_affected() == 0 {
                return Ok(None);
            }
            let message = select_one(connection, &self.caller, self.id).await?;
            Ok(message.map(marked_as::<READ>))
        })
    }

    /// A single statement, which is a transaction of its own, marks all messages; another one reads them.
    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Option<Message>>>, Error> {
        let keys: Vec<_> = all.iter().map(|one| one.key()).collect();
        with_connection!(database, |connection| {
            let marked = mark_all(connection, all, &keys).await;
            unless_locked(
                all,
                marked.map(|all| all.into_iter().map(BatchOutcome::Done).collect()),
            )
        })
    }
}

/// The message as it was marked, although another request may have marked it otherwise before it was read.
fn marked_as<const READ: bool>(message: Message) -> Message {
    Message {
        read: READ,
        ..message
    }
}

/// Marks the messages, and returns them as their receivers see them.
async fn mark_all<const READ: bool>(
    connection: &mut MySqlConnection,
    all: &[Arc<MarkRequest<READ>>],
    keys: &[MessageKey],
) -> sqlx::Result<Vec<Option<Message>>> {
    let (statement, values) = SEVERAL.for_values(keys);
    bind(sqlx::query(statement).bind(READ), values)
        .execute(&mut *connection)
        .await?;
    let (statement, values) = MESSAGES.for_values(keys);
    let rows = bind(sqlx::query(statement), values)
        .fetch_all(&mut *connection)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let key: MessageKey = (row.try_get("receiver_id")?, row.try_get("id")?);
        found.insert(key, row);
    }
    let mut messages = Vec::with_capacity(all.len());
    for (request, key) in all.iter().zip(keys) {
        messages.push(match found.get(key) {
            None => None,
            // A sender sees a message with all its receivers.
            Some(row) if row.try_get("is_to_oneself")? => {
                let message = select_one(connection, &request.caller, request.id).await?;
                message.map(marked_as::<READ>)
            }
            Some(row) => {
                let content = content(row, sender(row)?)?;
                let receiver = request.caller.username().clone();
                Some(Message::of_receiver(content, receiver, READ))
            }
        });
    }
    Ok(messages)
}

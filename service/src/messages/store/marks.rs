//! Marking received messages as read or unread.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;
use crate::db::{Batch, BatchLimits, BatchOutcome, Database, Error, unit_of_work, unless_locked};
use crate::messages::store::keys::{Key, Keyed, bind, key, keyed};
use crate::messages::store::{content, select_one};
use crate::model::message::{Message, MessageId};
use crate::model::user::Username;

/// A message that its receiver marks as read, or as unread.
pub(crate) struct Marking<const READ: bool> {
    caller: Caller,
    id: MessageId,
}

const ONE: &str = "UPDATE receipts SET is_read = ? WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?";
const SEVERAL: Keyed = keyed!(
    "UPDATE receipts SET is_read = ? WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const MESSAGES: Keyed = keyed!(
    "SELECT r.receiver_id, m.id, sender.username AS sender, m.sender_id = r.receiver_id AS is_to_oneself, m.subject, \
            m.body, m.created_at \
     FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
     STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
     WHERE (r.receiver_id, r.is_deleted, r.message_id) IN (",
    "(?,0,?)",
    ")"
);

impl<const READ: bool> Marking<READ> {
    pub(crate) fn new(caller: Caller, id: MessageId) -> Self {
        Self { caller, id }
    }

    /// That of the receiver's message.
    fn key(&self) -> Key {
        key(&self.caller, self.id)
    }
}

/// What comes of it is the message; `None` if the caller has not received it, or deleted it.
impl<const READ: bool> Batch for Marking<READ> {
    type Context = Database;
    type Output = Option<Message>;

    const LIMITS: BatchLimits = BatchLimits::GROUP_COMMIT;

    async fn run_one(&self, database: &Database) -> Result<Option<Message>, Error> {
        let (receiver, message) = self.key();
        unit_of_work!(database, |connection| {
            let marked = sqlx::query(ONE)
                .bind(READ)
                .bind(receiver)
                .bind(message)
                .execute(&mut *connection)
                .await?;
            // MySQL counts the rows that matched, also where nothing changed.
            if marked.rows_affected() == 0 {
                return Ok(None);
            }
            select_one(connection, &self.caller, self.id).await
        })
    }

    /// One statement marks them all, which makes it a transaction, and one reads them.
    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Option<Message>>>, Error> {
        let keys: Vec<_> = all.iter().map(|one| one.key()).collect();
        unit_of_work!(database, |connection| {
            let marked = mark_all(connection, all, &keys).await;
            unless_locked(
                all,
                marked.map(|all| all.into_iter().map(BatchOutcome::Done).collect()),
            )
        })
    }
}

/// The messages as their receivers have them, each marked as its receiver asked for.
async fn mark_all<const READ: bool>(
    connection: &mut MySqlConnection,
    all: &[Arc<Marking<READ>>],
    keys: &[Key],
) -> sqlx::Result<Vec<Option<Message>>> {
    let (statement, places) = SEVERAL.for_values(keys);
    bind(sqlx::query(statement).bind(READ), places)
        .execute(&mut *connection)
        .await?;
    let (statement, places) = MESSAGES.for_values(keys);
    let rows = bind(sqlx::query(statement), places)
        .fetch_all(&mut *connection)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let key: Key = (row.try_get("receiver_id")?, row.try_get("id")?);
        found.insert(key, row);
    }
    let mut messages = Vec::with_capacity(all.len());
    for (marking, key) in all.iter().zip(keys) {
        messages.push(match found.get(key) {
            None => None,
            // It is shown with all its receivers.
            Some(row) if row.try_get("is_to_oneself")? => {
                select_one(connection, &marking.caller, marking.id).await?
            }
            Some(row) => {
                let content = content(row, Username::stored(row.try_get("sender")?))?;
                let receiver = marking.caller.username().clone();
                Some(Message::of_receiver(content, receiver, READ))
            }
        });
    }
    Ok(messages)
}

//! Deletes messages that the caller sent, for all their receivers, and messages that the caller received, from the
//! caller's inbox only.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, FromRow};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, run_individually, unless_locked,
    with_connection,
};
use crate::messages::store::message_key::{
    MessageKey, SizedByKeys, bind, message_key, sized_by_keys,
};
use crate::model::message::MessageId;

/// A request to delete a message.
pub(crate) struct DeleteRequest(MessageKey);

const DELETE_ONE_SENT: &str = "DELETE FROM messages WHERE sender_id = ? AND id = ?";
const DELETE_ONE_RECEIVED: &str = "UPDATE receipts SET is_deleted = TRUE \
     WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?";
const FIND_SENT: SizedByKeys = sized_by_keys!(
    "SELECT sender_id, id FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const FIND_RECEIVED: SizedByKeys = sized_by_keys!(
    "SELECT receiver_id, message_id FROM receipts WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const DELETE_SENT: SizedByKeys = sized_by_keys!(
    "DELETE FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const DELETE_RECEIVED: SizedByKeys = sized_by_keys!(
    "UPDATE receipts SET is_deleted = TRUE WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);

impl DeleteRequest {
    pub(crate) fn new(caller: &Caller, id: MessageId) -> Self {
        Self(message_key(caller, id))
    }
}

/// The output is whether the message existed.
impl Batch for DeleteRequest {
    type Context = Database;
    type Output = bool;

    const LIMITS: BatchLimits = BatchLimits::GROUP_COMMIT;

    async fn run_one(&self, database: &Database) -> Result<bool, Error> {
        let Self((user, message)) = *self;
        with_connection!(database, |connection| {
            for statement in [DELETE_ONE_SENT, DELETE_ONE_RECEIVED] {
                let query = sqlx::query(statement).bind(user).bind(message);
                if query.execute(&mut *connection).await?.rows_affected() == 1 {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<bool>>, Error> {
        let keys: Vec<_> = all.iter().map(|one| one.0).collect();
        with_connection!(database, |connection| {
            let gone = delete_all(connection, &keys).await;
            unless_locked(
                all,
                gone.map(|gone| match gone {
                    None => run_individually(all),
                    // Of several requests to delete one message, only the first finds it.
                    Some(mut gone) => keys
                        .iter()
                        .map(|key| BatchOutcome::Done(gone.remove(key)))
                        .collect(),
                }),
            )
        })
    }
}

/// Deletes the messages, and returns those that existed; `None`, without deleting any, if one of them is deleted
/// concurrently.
async fn delete_all(
    connection: &mut MySqlConnection,
    keys: &[MessageKey],
) -> sqlx::Result<Option<HashSet<MessageKey>>> {
    let sent = find(connection, &FIND_SENT, keys).await?;
    let others: Vec<_> = keys
        .iter()
        .copied()
        .filter(|key| !sent.contains(key))
        .collect();
    let received = find(connection, &FIND_RECEIVED, &others).await?;
    if sent.is_empty() && received.is_empty() {
        return Ok(Some(HashSet::new()));
    }
    let mut transaction = connection.begin().await?;
    // Receipts first, because deleting a message also deletes its receipts.
    let are_all_there = change(&mut transaction, &DELETE_RECEIVED, &received).await?
        && change(&mut transaction, &DELETE_SENT, &sent).await?;
    if !are_all_there {
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(Some(&sent | &received))
}

/// The messages that exist.
async fn find(
    connection: &mut MySqlConnection,
    statement: &SizedByKeys,
    keys: &[MessageKey],
) -> sqlx::Result<HashSet<MessageKey>> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, values) = statement.for_values(keys);
    let found = bind(sqlx::query(statement), values);
    let rows: Vec<MySqlRow> = found.fetch_all(connection).await?;
    rows.iter().map(MessageKey::from_row).collect()
}

/// Executes a statement, and returns whether it changed all of the messages.
async fn change(
    connection: &mut MySqlConnection,
    statement: &SizedByKeys,
    keys: &HashSet<MessageKey>,
) -> sqlx::Result<bool> {
    if keys.is_empty() {
        return Ok(true);
    }
    let mut keys: Vec<_> = keys.iter().copied().collect();
    // In the order of ids, so that two transactions do not deadlock.
    keys.sort_unstable_by_key(|key| key.1);
    let (statement, values) = statement.for_values(&keys);
    let changed = bind(sqlx::query(statement), values)
        .execute(connection)
        .await?;
    Ok(changed.rows_affected() == keys.len() as u64)
}

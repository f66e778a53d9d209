//! Deleting messages: those that the caller sent for everybody, those that the caller received from their feed only.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, FromRow};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, run_individually, unit_of_work,
    unless_locked,
};
use crate::messages::store::keys::{Key, Keyed, bind, key, keyed};
use crate::model::message::MessageId;

/// A message that the caller deletes.
pub(crate) struct Deletion(Key);

const DELETE_ONE: &str = "DELETE FROM messages WHERE sender_id = ? AND id = ?";
const REMOVE_ONE: &str = "UPDATE receipts SET is_deleted = TRUE WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?";
const SENT: Keyed = keyed!(
    "SELECT sender_id, id FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const RECEIVED: Keyed = keyed!(
    "SELECT receiver_id, message_id FROM receipts WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const DELETE: Keyed = keyed!(
    "DELETE FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const REMOVE: Keyed = keyed!(
    "UPDATE receipts SET is_deleted = TRUE WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);

impl Deletion {
    pub(crate) fn new(caller: &Caller, id: MessageId) -> Self {
        Self(key(caller, id))
    }
}

/// What comes of it is whether there was such a message.
impl Batch for Deletion {
    type Context = Database;
    type Output = bool;

    const LIMITS: BatchLimits = BatchLimits::GROUP_COMMIT;

    async fn run_one(&self, database: &Database) -> Result<bool, Error> {
        let Self((user, message)) = *self;
        unit_of_work!(database, |connection| {
            for statement in [DELETE_ONE, REMOVE_ONE] {
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
        unit_of_work!(database, |connection| {
            let gone = delete_all(connection, &keys).await;
            unless_locked(
                all,
                gone.map(|gone| match gone {
                    None => run_individually(all),
                    // A message that is deleted twice at once is there for the first only.
                    Some(mut gone) => keys
                        .iter()
                        .map(|key| BatchOutcome::Done(gone.remove(key)))
                        .collect(),
                }),
            )
        })
    }
}

/// Those that were there. `None`, and nothing is deleted, if somebody else deletes one of them meanwhile.
async fn delete_all(
    connection: &mut MySqlConnection,
    keys: &[Key],
) -> sqlx::Result<Option<HashSet<Key>>> {
    let sent = find(connection, &SENT, keys).await?;
    let others: Vec<_> = keys
        .iter()
        .copied()
        .filter(|key| !sent.contains(key))
        .collect();
    let received = find(connection, &RECEIVED, &others).await?;
    if sent.is_empty() && received.is_empty() {
        return Ok(Some(HashSet::new()));
    }
    let mut transaction = connection.begin().await?;
    // First the receipts, of which some may go with their messages.
    let are_all_there = change(&mut transaction, &REMOVE, &received).await?
        && change(&mut transaction, &DELETE, &sent).await?;
    if !are_all_there {
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(Some(&sent | &received))
}

/// Which of them there are.
async fn find(
    connection: &mut MySqlConnection,
    statement: &Keyed,
    keys: &[Key],
) -> sqlx::Result<HashSet<Key>> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, places) = statement.for_values(keys);
    let found = bind(sqlx::query(statement), places);
    let rows: Vec<MySqlRow> = found.fetch_all(connection).await?;
    rows.iter().map(Key::from_row).collect()
}

/// Whether all of them were there to be changed.
async fn change(
    connection: &mut MySqlConnection,
    statement: &Keyed,
    keys: &HashSet<Key>,
) -> sqlx::Result<bool> {
    if keys.is_empty() {
        return Ok(true);
    }
    let mut keys: Vec<_> = keys.iter().copied().collect();
    // In the order of the messages, so that two transactions do not wait for each other.
    keys.sort_unstable_by_key(|key| key.1);
    let (statement, places) = statement.for_values(&keys);
    let changed = bind(sqlx::query(statement), places)
        .execute(connection)
        .await?;
    Ok(changed.rows_affected() == keys.len() as u64)
}

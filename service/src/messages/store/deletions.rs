//! Deleting messages: those that the caller sent for everybody, those that the caller received from their feed only.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::several::{Several, several};
use crate::auth::Caller;
use crate::database::{Database, Error, Work, is_lock_wait, unit_of_work};
use crate::messages::model::MessageId;

/// A message that the caller deletes.
pub(crate) struct Deletion {
    caller: Caller,
    id: MessageId,
}

/// The ids of a user and of a message.
type Key = (u64, u64);

const DELETE_ONE: &str = "DELETE FROM messages WHERE sender_id = ? AND id = ?";
const REMOVE_ONE: &str = "UPDATE receipts SET is_deleted = TRUE WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?";
const SENT: Several = several!(
    "SELECT sender_id, id FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const RECEIVED: Several = several!(
    "SELECT receiver_id, message_id FROM receipts WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const DELETE: Several = several!(
    "DELETE FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const REMOVE: Several = several!(
    "UPDATE receipts SET is_deleted = TRUE WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);

impl Deletion {
    pub(crate) fn new(caller: Caller, id: MessageId) -> Self {
        Self { caller, id }
    }

    fn key(&self) -> Key {
        (u64::from(self.caller.id()), self.id.get())
    }
}

/// What comes of it is whether there was such a message.
impl Work for Deletion {
    type Outcome = bool;

    async fn alone(&self, database: &Database) -> Result<bool, Error> {
        let (user, message) = self.key();
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

    async fn together(database: &Database, all: &[Arc<Self>]) -> Result<Option<Vec<bool>>, Error> {
        let keys: Vec<_> = all.iter().map(|one| one.key()).collect();
        let gone = unit_of_work!(database, |connection| {
            match delete_all(connection, &keys).await {
                Err(fault) if is_lock_wait(&fault) => Ok(None),
                outcome => outcome,
            }
        })?;
        // A message that is deleted twice at once is there for the first only.
        Ok(gone.map(|mut gone| keys.iter().map(|key| gone.remove(key)).collect()))
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
    statement: &Several,
    keys: &[Key],
) -> sqlx::Result<HashSet<Key>> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, keys) = statement.about(keys);
    let found: Vec<Key> = keys
        .fold(sqlx::query_as(statement), |query, key| {
            query.bind(key.0).bind(key.1)
        })
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

/// Whether all of them were there to be changed.
async fn change(
    connection: &mut MySqlConnection,
    statement: &Several,
    keys: &HashSet<Key>,
) -> sqlx::Result<bool> {
    if keys.is_empty() {
        return Ok(true);
    }
    let mut keys: Vec<_> = keys.iter().copied().collect();
    // In the order of the messages, so that two transactions do not wait for each other.
    keys.sort_unstable_by_key(|key| key.1);
    let (statement, places) = statement.about(&keys);
    let changed = places
        .fold(sqlx::query(statement), |query, key| {
            query.bind(key.0).bind(key.1)
        })
        .execute(connection)
        .await?;
    Ok(changed.rows_affected() == keys.len() as u64)
}

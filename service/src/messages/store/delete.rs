//! Deletes messages that the caller sent, for all their receivers, and messages that the caller received, from the
//! caller's inbox only.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, FromRow, Row};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, MAX_BATCH, SizedStatement, run_individually,
    sized_statement, unless_in_conflict, with_connection,
};
use crate::messages::store::changes::{Changes, MAX_USERS};
use crate::messages::store::message_key::{
    MessageKey, SizedByKeys, bind, message_key, sized_by_keys,
};
use crate::model::change::ChangeKind;
use crate::model::message::MessageId;

/// A request to delete a message.
pub(crate) struct DeleteRequest(MessageKey);

/// Locks the messages that the callers sent, with the receipts that are not deleted; `receiver_id` is NULL if there are
/// none. The messages are locked before their receipts, as by `DELETE`.
const LOCK_SENT: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    "SELECT m.sender_id, m.id, r.receiver_id FROM messages AS m \
     LEFT JOIN receipts AS r FORCE INDEX (receipts_message) ON r.message_id = m.id AND r.is_deleted = FALSE \
     WHERE (m.sender_id, m.id) IN (",
    "(?,?)",
    ") FOR UPDATE"
);
const LOCK_RECEIVED: SizedByKeys = sized_by_keys!(
    "SELECT receiver_id, message_id FROM receipts FORCE INDEX (PRIMARY) \
     WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ") FOR UPDATE"
);
const DELETE_SENT: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    "DELETE FROM messages WHERE (sender_id, id) IN (",
    "(?,?)",
    ")"
);
const DELETE_RECEIVED: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    "UPDATE receipts SET is_deleted = TRUE WHERE (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const _: () = assert!(LOCK_SENT.capacity() >= MAX_BATCH && DELETE_SENT.capacity() >= MAX_BATCH);
const _: () = assert!(DELETE_RECEIVED.capacity() >= MAX_BATCH);

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
        let keys = [self.0];
        with_connection!(database, |connection| {
            let gone = delete_all(database, connection, &keys).await?;
            Ok(gone.is_some_and(|gone| !gone.is_empty()))
        })
    }

    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<bool>>, Error> {
        let keys: Vec<_> = all.iter().map(|one| one.0).collect();
        with_connection!(database, |connection| {
            let gone = delete_all(database, connection, &keys).await;
            unless_in_conflict(
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

/// Deletes the messages, and returns those that existed; `None`, without deleting any, if several messages have more
/// receivers than one statement can record.
async fn delete_all(
    database: &Database,
    connection: &mut MySqlConnection,
    keys: &[MessageKey],
) -> sqlx::Result<Option<HashSet<MessageKey>>> {
    let mut transaction = connection.begin().await?;
    let (sent, mut changes) = lock_sent(&mut transaction, keys).await?;
    let others: BTreeSet<_> = keys
        .iter()
        .copied()
        .filter(|key| !sent.contains(key))
        .collect();
    let received = delete_received(&mut transaction, others).await?;
    changes.extend(received.iter().copied());
    let has_too_many = keys.len() > 1 && changes.users() > MAX_USERS;
    if changes.is_empty() || has_too_many {
        transaction.rollback().await?;
        return Ok((!has_too_many).then(HashSet::new));
    }
    execute(&mut transaction, &DELETE_SENT, &sent).await?;
    changes
        .record(&mut transaction, ChangeKind::Deleted)
        .await?;
    database.commit_events(transaction).await?;
    Ok(Some(sent.into_iter().chain(received).collect()))
}

/// Locks the messages that exist, and returns them with all users who lose them: the senders, and the receivers who
/// have not deleted them.
async fn lock_sent(
    connection: &mut MySqlConnection,
    keys: &[MessageKey],
) -> sqlx::Result<(BTreeSet<MessageKey>, Changes)> {
    let (statement, values) = LOCK_SENT.for_values(keys);
    let locking = bind(sqlx::query(statement), values);
    let (mut sent, mut changes) = (BTreeSet::new(), Changes::default());
    for row in locking.fetch_all(connection).await? {
        let (sender, message): MessageKey = (row.try_get("sender_id")?, row.try_get("id")?);
        let receiver: Option<u64> = row.try_get("receiver_id")?;
        sent.insert((sender, message));
        changes.extend(
            [sender]
                .into_iter()
                .chain(receiver)
                .map(|user| (user, message)),
        );
    }
    Ok((sent, changes))
}

/// Deletes the received messages that exist, and returns them.
async fn delete_received(
    connection: &mut MySqlConnection,
    mut keys: BTreeSet<MessageKey>,
) -> sqlx::Result<BTreeSet<MessageKey>> {
    // Of a single message, the number of changed rows tells whether it exists.
    if keys.len() > 1 {
        let all: Vec<_> = keys.into_iter().collect();
        let (statement, values) = LOCK_RECEIVED.for_values(&all);
        let locking = bind(sqlx::query(statement), values);
        let rows = locking.fetch_all(&mut *connection).await?;
        let found: sqlx::Result<_> = rows.iter().map(MessageKey::from_row).collect();
        keys = found?;
    }
    if execute(connection, &DELETE_RECEIVED, &keys).await? == 0 {
        keys.clear();
    }
    Ok(keys)
}

/// Executes a statement if there are keys, and returns the number of rows that it changed.
async fn execute(
    connection: &mut MySqlConnection,
    statement: &SizedStatement<4>,
    keys: &BTreeSet<MessageKey>,
) -> sqlx::Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    let keys: Vec<_> = keys.iter().copied().collect();
    let (statement, values) = statement.for_values(&keys);
    let done = bind(sqlx::query(statement), values)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

//! Deletions that run in the background.

use chrono::{TimeDelta, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, Row};

use crate::db::{Database, Error, SizedStatement, sized_statement, with_connection};
use crate::messages::store::changes::{Changes, MAX_IDS_PER_ROW, MAX_USERS};
use crate::messages::store::message_key::MessageKey;
use crate::model::change::ChangeKind;
use crate::model::user::UserId;

/// The lifetime of idempotency keys: a day, and an hour for clock skew.
const KEY_LIFETIME: TimeDelta = TimeDelta::hours(25);

/// The number of messages of a deleted account that one transaction deletes. Each has up to a hundred receipts.
const MESSAGES: u64 = MAX_IDS_PER_ROW as u64;
const LOCK_SOME: &str = "SELECT id FROM messages FORCE INDEX (messages_sender) \
     WHERE sender_id = ? ORDER BY id LIMIT ? FOR UPDATE";
const LOCK_RECEIPTS: SizedStatement<1> = sized_statement!(
    [100],
    "SELECT message_id, receiver_id FROM receipts FORCE INDEX (receipts_message) WHERE message_id IN (",
    "?",
    ") AND is_deleted = FALSE FOR UPDATE"
);
const _: () = assert!(LOCK_RECEIPTS.capacity() as u64 >= MESSAGES);
const DELETE_SOME: &str =
    "DELETE /*+ INDEX(messages messages_sender) */ FROM messages WHERE sender_id = ? AND id <= ?";

/// Deletes some of the oldest expired idempotency keys; returns whether there may be more.
pub(crate) async fn delete_expired_keys(database: &Database) -> Result<bool, Error> {
    /// Small, so that locks are held briefly.
    const BATCH: u64 = 500;
    let oldest = Utc::now() - KEY_LIFETIME;
    let deleted = with_connection!(database, |connection| {
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?")
            .bind(oldest)
            .bind(BATCH)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

/// Deletes some of the rows by which a deleted account sees messages of others as replies; returns whether there may be
/// more. Those of its own messages are deleted with the messages.
pub(crate) async fn delete_replies_of(database: &Database, user: UserId) -> Result<bool, Error> {
    /// Small, so that locks are held briefly.
    const BATCH: u64 = 500;
    let deleted = with_connection!(database, |connection| {
        sqlx::query("DELETE /*+ INDEX(replies replies_conversation) */ FROM replies WHERE user_id = ? LIMIT ?")
            .bind(u64::from(user))
            .bind(BATCH)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

/// Deletes some of the messages that a deleted account has sent, and records that for their receivers; returns whether
/// there may be more.
pub(crate) async fn delete_messages_of(database: &Database, sender: UserId) -> Result<bool, Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let found: Vec<u64> = sqlx::query_scalar(LOCK_SOME)
            .bind(u64::from(sender))
            .bind(MESSAGES)
            .fetch_all(&mut *transaction)
            .await?;
        if found.is_empty() {
            transaction.rollback().await?;
            return Ok(false);
        }
        let receivers = lock_receipts(&mut transaction, &found).await?;
        let (mut last, mut changes) = (0, Changes::default());
        for id in found {
            if changes.users() >= MAX_USERS {
                break;
            }
            last = id;
            let of_message = receivers.iter().filter(|(_, message)| *message == id);
            changes.extend(of_message.copied());
        }
        sqlx::query(DELETE_SOME)
            .bind(u64::from(sender))
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        changes
            .record(&mut transaction, ChangeKind::Deleted)
            .await?;
        database.commit_events(transaction).await?;
        Ok(true)
    })
}

/// Locks the receipts of messages that are not deleted.
async fn lock_receipts(
    connection: &mut MySqlConnection,
    messages: &[u64],
) -> sqlx::Result<Vec<MessageKey>> {
    let (statement, values) = LOCK_RECEIPTS.for_values(messages);
    let locking = values.fold(sqlx::query(statement), |query, id| query.bind(*id));
    let rows = locking.fetch_all(connection).await?;
    let key = |row: &MySqlRow| Ok((row.try_get("receiver_id")?, row.try_get("message_id")?));
    rows.iter().map(key).collect()
}

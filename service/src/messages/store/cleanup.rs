//! Deletions that run in the background.

use chrono::{TimeDelta, Utc};

use crate::db::{Database, Error, with_connection};
use crate::model::user::UserId;

/// The lifetime of idempotency keys: a day, and an hour for clock skew.
const KEY_LIFETIME: TimeDelta = TimeDelta::hours(25);

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

/// Deletes some of the messages that a deleted account has sent; returns whether there may be more.
pub(crate) async fn delete_messages_of(database: &Database, sender: UserId) -> Result<bool, Error> {
    /// Each message has up to a hundred receipts.
    const BATCH: u64 = 100;
    let deleted = with_connection!(database, |connection| {
        sqlx::query("DELETE /*+ INDEX(messages messages_sender) */ FROM messages WHERE sender_id = ? LIMIT ?")
            .bind(u64::from(sender))
            .bind(BATCH)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

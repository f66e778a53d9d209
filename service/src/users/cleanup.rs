//! Account deletions whose messages and blocks are still to be deleted, and revocations that every replica has seen.

use chrono::{DateTime, TimeDelta, Utc};
use rocket::futures::future::{BoxFuture, FutureExt as _};
use sqlx::Row;

use crate::db::{Database, Error, with_connection};
use crate::jobs::{Progress, Turn};
use crate::model::user::UserId;
use crate::users::blocks;

/// Longer than any request that was authorized before the deletion takes. A message is never committed after its sender
/// was deleted, because the insertion locks the sender's row, but replicas of an older version do not lock it.
const GRACE: TimeDelta = TimeDelta::minutes(1);
/// The number of revocations that one statement deletes.
const BATCH: u64 = 500;

/// A deleted account that may still have messages.
pub(crate) struct PendingDeletion {
    pub(crate) user: u64,
    deleted_at: DateTime<Utc>,
}

/// The first pending deletion of an account with an id greater than `after`.
pub(crate) async fn next_pending_deletion(
    database: &Database,
    after: u64,
) -> Result<Option<PendingDeletion>, Error> {
    let row = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT user_id, deleted_at FROM account_deletions WHERE user_id > ? ORDER BY user_id LIMIT 1",
        )
        .bind(after)
        .fetch_optional(connection)
        .await
    })?;
    Ok(row.map(|row| PendingDeletion {
        user: row.get("user_id"),
        deleted_at: row.get("deleted_at"),
    }))
}

/// Deletes some blocks of a deleted account by others; returns whether there may be more.
pub(crate) async fn delete_blocks_of(database: &Database, user: UserId) -> Result<bool, Error> {
    blocks::store::delete_some_of(database, user).await
}

/// Forgets the deletion of an account of which nothing is left, unless a replica of an older version may still send
/// messages for it.
pub(crate) async fn complete_deletion(
    database: &Database,
    deletion: &PendingDeletion,
) -> Result<(), Error> {
    if Utc::now() - deletion.deleted_at < GRACE {
        return Ok(());
    }
    with_connection!(database, |connection| {
        sqlx::query("DELETE FROM account_deletions WHERE user_id = ?")
            .bind(deletion.user)
            .execute(connection)
            .await
            .map(drop)
    })
}

/// The job that deletes revocations that every replica has seen.
pub(super) fn revocations(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move { Turn::begin().run(|| delete_old_revocations(database)).await }.boxed()
}

/// Deletes a batch of revocations that every replica has seen; `true` if there may be more of them.
async fn delete_old_revocations(database: &Database) -> Result<bool, Error> {
    let deleted = with_connection!(database, |connection| {
        sqlx::query(
            "DELETE FROM revocations WHERE revoked_at < UTC_TIMESTAMP(3) - INTERVAL 1 HOUR ORDER BY revoked_at LIMIT ?",
        )
        .bind(BATCH)
        .execute(connection)
        .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

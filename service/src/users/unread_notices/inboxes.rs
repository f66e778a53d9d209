//! Looks at the inboxes of accounts that want notices. All times are those of the database.

use chrono::{DateTime, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::db::{Database, Error, with_connection};
use crate::mail::{Kind, add_one_for_owner};
use crate::model::user::UserId;

/// The number of inboxes that one transaction looks at.
const BATCH: u64 = 20;
/// The longest time between two looks, in minutes, at an inbox whose owner was told or cannot be told now: marks are
/// known for a day.
const MAX_PAUSE: u16 = 60;
/// The changes of one owner that one look reads: others can cause any number of them. The next look goes on after a
/// minute.
const CHANGES: u64 = 10_000;

/// An account whose inbox is to be looked at.
struct Due {
    user: u64,
    after_minutes: u16,
    told_until: u64,
    is_told: bool,
    /// No mark is among the owner's changes since the last mail up to this one.
    change_id: u64,
    /// Its address is verified, and it is neither suspended nor deleted.
    can_be_told: bool,
}

/// What the owner's changes since the last mail tell.
struct Changes {
    /// The owner has marked a message.
    has_mark: bool,
    /// No mark is among those up to this one.
    unmarked_until: u64,
    has_more: bool,
}

/// The oldest unread message that its receiver was not told of.
struct Oldest {
    /// It has been unread for as long as the setting says.
    is_due: bool,
    due_at: DateTime<Utc>,
}

/// Looks at a batch of inboxes that are due, and adds mails; `true` if there may be more of them. Concurrent runs look
/// at different ones.
pub(super) async fn look_at_some(database: &Database) -> Result<bool, Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let batch = claim(&mut transaction).await?;
        for due in &batch {
            look_at(&mut transaction, due).await?;
        }
        transaction.commit().await?;
        Ok(batch.len() as u64 == BATCH)
    })
}

/// The inboxes that have been due for the longest time. Their rows are locked.
async fn claim(transaction: &mut MySqlConnection) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query(
        "SELECT n.user_id, n.after_minutes, n.told_until, n.is_told, n.change_id, \
         EXISTS (SELECT 1 FROM users AS u JOIN account_emails AS a ON a.user_id = u.id WHERE u.id = n.user_id \
         AND a.verified_hash = UNHEX(SHA2(u.normalized_email, 256)) \
         AND NOT EXISTS (SELECT 1 FROM suspensions AS s WHERE s.user_id = u.id)) AS can_be_told \
         FROM unread_notices AS n FORCE INDEX (unread_notices_due) WHERE n.due_at <= UTC_TIMESTAMP(3) \
         ORDER BY n.due_at LIMIT ? FOR UPDATE OF n SKIP LOCKED",
    )
    .bind(BATCH)
    .fetch_all(transaction)
    .await?;
    let due = |row: &MySqlRow| {
        Ok(Due {
            user: row.try_get("user_id")?,
            after_minutes: row.try_get("after_minutes")?,
            told_until: row.try_get("told_until")?,
            is_told: row.try_get("is_told")?,
            change_id: row.try_get("change_id")?,
            can_be_told: row.try_get("can_be_told")?,
        })
    };
    rows.iter().map(due).collect()
}

async fn look_at(transaction: &mut MySqlConnection, due: &Due) -> sqlx::Result<()> {
    if due.is_told {
        let changes = changes(transaction, due).await?;
        if !changes.has_mark {
            return wait_for_return(transaction, due, &changes).await;
        }
    }
    if !due.can_be_told {
        return look_again_within(transaction, due, MAX_PAUSE).await;
    }
    match oldest(transaction, due).await? {
        Some(oldest) if oldest.is_due => tell(transaction, due.user).await,
        Some(oldest) => look_again_at(transaction, due.user, oldest.due_at).await,
        // A message that arrives in the next moment is due when that time is over.
        None => look_again_within(transaction, due, due.after_minutes).await,
    }
}

/// A change can become visible after later ones, so those of the last minute count as not read.
async fn changes(transaction: &mut MySqlConnection, due: &Due) -> sqlx::Result<Changes> {
    let rows = sqlx::query(
        "SELECT id, kind IN ('read', 'unread') AS is_mark, \
         created_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE AS is_settled \
         FROM message_changes FORCE INDEX (message_changes_user) WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?",
    )
    .bind(due.user)
    .bind(due.change_id)
    .bind(CHANGES)
    .fetch_all(transaction)
    .await?;
    let mut changes = Changes {
        has_mark: false,
        unmarked_until: due.change_id,
        has_more: rows.len() as u64 == CHANGES,
    };
    for row in &rows {
        changes.has_mark |= row.try_get::<bool, _>("is_mark")?;
        if row.try_get("is_settled")? {
            changes.unmarked_until = row.try_get("id")?;
        }
    }
    Ok(changes)
}

/// Looks at the changes after those that were read, within an hour.
async fn wait_for_return(
    transaction: &mut MySqlConnection,
    due: &Due,
    changes: &Changes,
) -> sqlx::Result<()> {
    let minutes = if changes.has_more { 1 } else { MAX_PAUSE };
    sqlx::query(
        "UPDATE unread_notices SET change_id = ?, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MINUTE WHERE user_id = ?",
    )
    .bind(changes.unmarked_until)
    .bind(due.after_minutes.min(minutes))
    .bind(due.user)
    .execute(transaction)
    .await
    .map(drop)
}

async fn oldest(transaction: &mut MySqlConnection, due: &Due) -> sqlx::Result<Option<Oldest>> {
    let row = sqlx::query(
        "SELECT m.created_at + INTERVAL ? MINUTE AS due_at, \
         m.created_at + INTERVAL ? MINUTE <= UTC_TIMESTAMP(3) AS is_due \
         FROM receipts AS r FORCE INDEX (receipts_read) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
         WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.is_read = FALSE AND r.message_id > ? \
         ORDER BY r.message_id LIMIT 1",
    )
    .bind(due.after_minutes)
    .bind(due.after_minutes)
    .bind(due.user)
    .bind(due.told_until)
    .fetch_optional(transaction)
    .await?;
    let oldest = |row: MySqlRow| {
        Ok(Oldest {
            is_due: row.try_get("is_due")?,
            due_at: row.try_get("due_at")?,
        })
    };
    row.map(oldest).transpose()
}

/// Adds a mail about all messages that are unread now. If an earlier one, which was delayed until after a return, is
/// still to be sent, it becomes the mail about them, because the worker finds out what is unread when it sends. If a
/// replica is sending that one at this moment, replacing it would have both sent. If it discards that one because the
/// SMTP server has refused it, another one would be refused, too; otherwise it has locked this inbox before, so this
/// does not run meanwhile.
async fn tell(transaction: &mut MySqlConnection, user: u64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE unread_notices SET is_told = TRUE, \
         due_at = UTC_TIMESTAMP(3) + INTERVAL LEAST(after_minutes, ?) MINUTE, \
         told_until = COALESCE((SELECT r.message_id FROM receipts AS r FORCE INDEX (PRIMARY) \
         WHERE r.receiver_id = ? AND r.is_deleted = FALSE ORDER BY r.message_id DESC LIMIT 1), 0), \
         change_id = COALESCE((SELECT c.id FROM message_changes AS c FORCE INDEX (message_changes_user) \
         WHERE c.user_id = ? ORDER BY c.id DESC LIMIT 1), change_id) WHERE user_id = ?",
    )
    .bind(MAX_PAUSE)
    .bind(user)
    .bind(user)
    .bind(user)
    .execute(&mut *transaction)
    .await?;
    add_one_for_owner(transaction, Kind::UnreadMessages, UserId::from(user)).await
}

/// The owner is not told. The next look is after the time of the setting, or so many minutes if that is sooner.
async fn look_again_within(
    transaction: &mut MySqlConnection,
    due: &Due,
    minutes: u16,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE unread_notices SET is_told = FALSE, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MINUTE WHERE user_id = ?",
    )
    .bind(due.after_minutes.min(minutes))
    .bind(due.user)
    .execute(transaction)
    .await
    .map(drop)
}

async fn look_again_at(
    transaction: &mut MySqlConnection,
    user: u64,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE unread_notices SET is_told = FALSE, due_at = ? WHERE user_id = ?")
        .bind(due_at)
        .bind(user)
        .execute(transaction)
        .await
        .map(drop)
}

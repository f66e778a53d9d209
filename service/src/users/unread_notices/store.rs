//! The settings of notices in MySQL.

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::model::unread_notices::UnreadNotices as Setting;
use crate::model::user::UserId;
use crate::users::caller_lock::lock_caller;

/// Turns notices on, or changes the setting: of messages that arrive from now on. The same setting again changes
/// nothing. `false` if the caller's tokens were revoked, or the account was deleted, after the request was authorized.
pub(super) async fn turn_on(
    database: &Database,
    caller: &Caller,
    setting: Setting,
) -> Result<bool, Error> {
    let user = u64::from(caller.id());
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        if !lock_caller(&mut transaction, caller).await? {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO unread_notices (user_id, after_minutes, told_until, due_at) \
             VALUES (?, ?, COALESCE((SELECT r.message_id FROM receipts AS r FORCE INDEX (PRIMARY) \
             WHERE r.receiver_id = ? AND r.is_deleted = FALSE ORDER BY r.message_id DESC LIMIT 1), 0), \
             UTC_TIMESTAMP(3) + INTERVAL ? MINUTE) AS new ON DUPLICATE KEY UPDATE \
             told_until = IF(unread_notices.after_minutes = new.after_minutes, unread_notices.told_until, \
                             new.told_until), \
             is_told = unread_notices.is_told AND unread_notices.after_minutes = new.after_minutes, \
             due_at = IF(unread_notices.after_minutes = new.after_minutes, unread_notices.due_at, new.due_at), \
             after_minutes = new.after_minutes",
        )
        .bind(user)
        .bind(setting.after_minutes)
        .bind(user)
        .bind(setting.after_minutes)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    })
}

/// Turns notices off.
pub(super) async fn turn_off(database: &Database, user: UserId) -> Result<(), Error> {
    with_connection!(database, |connection| delete_all_of(connection, user).await)
}

/// Forgets the setting of an account, in the transaction that ends it.
pub(in crate::users) async fn delete_all_of(
    connection: &mut MySqlConnection,
    user: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM unread_notices WHERE user_id = ?")
        .bind(u64::from(user))
        .execute(connection)
        .await
        .map(drop)
}

/// Records that a user who was told has returned: messages have the whole time again.
pub(super) async fn record_return(database: &Database, user: UserId) -> Result<(), Error> {
    with_connection!(database, |connection| {
        sqlx::query(
            "UPDATE unread_notices SET is_told = FALSE, due_at = UTC_TIMESTAMP(3) + INTERVAL after_minutes MINUTE \
             WHERE user_id = ? AND is_told = TRUE",
        )
        .bind(u64::from(user))
        .execute(connection)
        .await
        .map(drop)
    })
}

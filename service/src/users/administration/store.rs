//! The statements of the operator's work on accounts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::db::{Database, Error, with_connection};
use crate::mail::codes;
use crate::model::email::Email;
use crate::model::timestamp;
use crate::model::user::{UserId, Username};
use crate::users::store::{bury, raise_epoch, set_password};
use crate::users::{invitations, unread_notices};

/// An account, as the operator sees it.
#[derive(Debug, Serialize)]
pub(crate) struct AccountRecord {
    pub(crate) username: Username,
    pub(crate) email: Email,
    pub(crate) email_verified: bool,
    pub(crate) pending_email: Option<Email>,
    #[serde(serialize_with = "timestamp::rfc3339")]
    pub(crate) created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::optional_rfc3339")]
    pub(crate) suspended_at: Option<DateTime<Utc>>,
}

/// The columns of an [`AccountRecord`]. Each subquery looks up one row by its key, whereas a join may read the table.
macro_rules! accounts {
    ($from:literal) => {
        concat!(
            "SELECT username, email, created_at, \
             EXISTS (SELECT 1 FROM account_emails WHERE user_id = id \
             AND verified_hash = UNHEX(SHA2(normalized_email, 256))) AS email_verified, \
             (SELECT pending_email FROM account_emails WHERE user_id = id) AS pending_email, \
             (SELECT suspended_at FROM suspensions WHERE user_id = id) AS suspended_at FROM ",
            $from
        )
    };
}

fn record(row: &MySqlRow) -> sqlx::Result<AccountRecord> {
    let pending: Option<String> = row.try_get("pending_email")?;
    Ok(AccountRecord {
        username: Username::stored(row.try_get("username")?),
        email: Email::stored(row.try_get("email")?),
        email_verified: row.try_get("email_verified")?,
        pending_email: pending.map(Email::stored),
        created_at: row.try_get("created_at")?,
        suspended_at: row.try_get("suspended_at")?,
    })
}

/// Accounts in the order of their names, after this one; tombstones, whose names begin with `~`, come last.
pub(super) async fn accounts(
    database: &Database,
    after: &str,
    limit: u32,
    only_suspended: bool,
) -> Result<Vec<AccountRecord>, Error> {
    let statement = if only_suspended {
        accounts!(
            "suspensions AS suspended STRAIGHT_JOIN users ON id = suspended.user_id \
             WHERE username > ? AND username < '~' ORDER BY username LIMIT ?"
        )
    } else {
        accounts!(
            "users FORCE INDEX (users_username) WHERE username > ? AND username < '~' ORDER BY username LIMIT ?"
        )
    };
    with_connection!(database, |connection| {
        let rows = sqlx::query(statement)
            .bind(after)
            .bind(limit)
            .fetch_all(connection)
            .await?;
        rows.iter().map(record).collect()
    })
}

/// The account with this name.
pub(super) async fn account(
    database: &Database,
    username: &Username,
) -> Result<Option<AccountRecord>, Error> {
    with_connection!(database, |connection| {
        let row = sqlx::query(accounts!("users WHERE username = ?"))
            .bind(username.as_str())
            .fetch_optional(connection)
            .await?;
        row.as_ref().map(record).transpose()
    })
}

/// Locks the account with this name, and returns its id.
async fn lock(
    transaction: &mut MySqlConnection,
    username: &Username,
) -> sqlx::Result<Option<UserId>> {
    let id: Option<u64> = sqlx::query_scalar("SELECT id FROM users WHERE username = ? FOR UPDATE")
        .bind(username.as_str())
        .fetch_optional(transaction)
        .await?;
    Ok(id.map(UserId::from))
}

/// A change of the account with a name.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    /// Refuses the account's requests, revokes its tokens, deletes its invitations, voids its codes and turns its
    /// notices off.
    Suspend,
    /// Ends the suspension; the tokens stay revoked.
    Resume,
    /// Stores the hash of a new password, and revokes all tokens.
    ResetPassword(&'a str),
    /// Revokes all tokens.
    RevokeTokens,
    /// Replaces the account with a tombstone.
    Delete,
}

/// Changes the account with this name; `false` if there is none. Repeating a change has no further effect, except that
/// tokens are revoked again.
pub(super) async fn change(
    database: &Database,
    username: &Username,
    change: Change<'_>,
) -> Result<bool, Error> {
    let now = Utc::now();
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let Some(user) = lock(&mut transaction, username).await? else {
            return Ok(false);
        };
        match change {
            Change::Suspend => suspend(&mut transaction, user, now).await?,
            Change::Resume => end_suspension(&mut transaction, user).await?,
            Change::ResetPassword(hash) => set_password(&mut transaction, user, hash).await?,
            Change::RevokeTokens => revoke_tokens(&mut transaction, user).await?,
            Change::Delete => delete(&mut transaction, user, now).await?,
        }
        transaction.commit().await?;
        Ok(true)
    })
}

async fn suspend(
    transaction: &mut MySqlConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO suspensions (user_id, suspended_at) VALUES (?, ?) ON DUPLICATE KEY UPDATE user_id = user_id",
    )
    .bind(u64::from(user))
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    invitations::store::delete_all_of(transaction, user).await?;
    // Without its codes, the mails could not be stopped any more. Before the mails, as the worker locks both when it
    // discards one.
    unread_notices::store::delete_all_of(transaction, user).await?;
    codes::forget_account(transaction, user).await?;
    // It ends the event streams, and refuses sends that were authorized before.
    revoke_tokens(transaction, user).await
}

async fn end_suspension(transaction: &mut MySqlConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM suspensions WHERE user_id = ?")
        .bind(u64::from(user))
        .execute(transaction)
        .await
        .map(drop)
}

async fn revoke_tokens(transaction: &mut MySqlConnection, user: UserId) -> sqlx::Result<()> {
    let revocation = sqlx::query("UPDATE users SET token_epoch = token_epoch + 1 WHERE id = ?")
        .bind(u64::from(user));
    raise_epoch(transaction, user, revocation).await.map(drop)
}

async fn delete(
    transaction: &mut MySqlConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let tombstone = sqlx::query(
        "UPDATE users SET username = CONCAT('~', id), email = '', normalized_email = CONCAT('~', id), \
         password_hash = '', token_epoch = token_epoch + 1 WHERE id = ?",
    )
    .bind(u64::from(user));
    bury(transaction, user, tombstone, now).await?;
    end_suspension(transaction, user).await
}

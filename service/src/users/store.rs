//! The accounts in MySQL.

use chrono::{DateTime, Utc};
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::query::Query;
use sqlx::{Connection as _, MySql, Row};

use crate::auth::{Caller, Reauthenticated};
use crate::db::{Database, Error, with_connection};
use crate::mail::{Kind, Outbox, codes};
use crate::model::account::Account;
use crate::model::email::Email;
use crate::model::secret_code::CodeHash;
use crate::model::unread_notices::UnreadNotices;
use crate::model::user::{UserId, Username};
use crate::users::{blocks, emails, invitations, unread_notices};

/// Counting unread messages stops here, which bounds its cost.
const MAX_UNREAD: u64 = 1_000;

/// The unique values of a new account that another account has already.
pub(super) struct Taken {
    pub(super) username: bool,
    pub(super) email: bool,
}

/// An account to create.
pub(super) struct NewAccount<'a> {
    pub(super) username: &'a Username,
    pub(super) email: &'a Email,
    pub(super) password_hash: &'a str,
}

/// Creates an account, has a code sent to its address, and uses up an invitation if the code of one is given; or does
/// nothing: `false` if no open invitation has this code.
///
/// # Errors
/// [`Error::Duplicate`] if the name or the address is taken. The unique keys decide, also between concurrent requests.
pub(super) async fn insert(
    database: &Database,
    outbox: &Outbox,
    new: &NewAccount<'_>,
    invitation: Option<&CodeHash>,
) -> Result<bool, Error> {
    let now = Utc::now();
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        if let Some(code) = invitation
            && !invitations::store::use_up(&mut transaction, code, now).await?
        {
            return Ok(false);
        }
        let user = insert_user(&mut transaction, new, now).await?;
        outbox
            .add_for_owner(&mut transaction, Kind::EmailVerification, user)
            .await?;
        transaction.commit().await?;
        Ok(true)
    })
}

async fn insert_user(
    connection: &mut MySqlConnection,
    new: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<UserId> {
    let inserted = sqlx::query(
        "INSERT INTO users (username, email, normalized_email, password_hash, created_at) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(new.username.as_str())
    .bind(new.email.as_str())
    .bind(new.email.normalized())
    .bind(new.password_hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(UserId::from(inserted.last_insert_id()))
}

/// The values that made an insertion fail.
pub(super) async fn taken(
    database: &Database,
    username: &Username,
    email: &Email,
) -> Result<Taken, Error> {
    let row = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM users WHERE username = ?) AS username, \
                        EXISTS (SELECT 1 FROM users WHERE normalized_email = ?) AS email",
        )
        .bind(username.as_str())
        .bind(email.normalized())
        .fetch_one(connection)
        .await
    })?;
    Ok(Taken {
        username: row.get("username"),
        email: row.get("email"),
    })
}

/// The caller's account; `None` if it has been deleted since the token was checked.
pub(super) async fn account(
    database: &Database,
    caller: &Caller,
) -> Result<Option<Account>, Error> {
    let id = u64::from(caller.id());
    with_connection!(database, |connection| {
        let account = sqlx::query(
            "SELECT u.email, u.created_at, a.pending_email, n.after_minutes, \
             a.verified_hash <=> UNHEX(SHA2(u.normalized_email, 256)) AS email_verified \
             FROM users AS u LEFT JOIN account_emails AS a ON a.user_id = u.id \
             LEFT JOIN unread_notices AS n ON n.user_id = u.id WHERE u.id = ?",
        )
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(account) = account else {
            return Ok(None);
        };
        let unread = sqlx::query(
            "SELECT r.message_id FROM receipts AS r FORCE INDEX (receipts_read) \
             WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.is_read = FALSE LIMIT ?",
        )
        .bind(id)
        .bind(MAX_UNREAD)
        .fetch_all(connection)
        .await?;
        let pending: Option<String> = account.try_get("pending_email")?;
        let after_minutes: Option<u16> = account.try_get("after_minutes")?;
        Ok(Some(Account {
            username: caller.username().clone(),
            email: Email::stored(account.try_get("email")?),
            email_verified: account.try_get("email_verified")?,
            pending_email: pending.map(Email::stored),
            unread_notices: after_minutes.map(|after_minutes| UnreadNotices { after_minutes }),
            created_at: account.try_get("created_at")?,
            unread: unread.len(),
        }))
    })
}

/// Changes the password, revokes all tokens of the owner, voids codes for a new password, and withdraws a pending
/// address. `false` if the tokens were revoked in the meantime: of two concurrent changes one succeeds.
pub(super) async fn change_password(
    database: &Database,
    outbox: &Outbox,
    owner: &Reauthenticated<'_>,
    password_hash: &str,
) -> Result<bool, Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let change = sqlx::query(
            "UPDATE users SET password_hash = ?, token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(password_hash)
        .bind(u64::from(owner.id()))
        .bind(owner.token_epoch());
        if !raise_epoch(&mut transaction, owner.id(), change).await? {
            return Ok(false);
        }
        let (user, address) = (owner.id(), owner.email());
        codes::void(&mut transaction, Kind::PasswordReset, user).await?;
        emails::store::withdraw_pending(&mut transaction, user).await?;
        outbox
            .add(&mut transaction, Kind::PasswordChanged, user, address)
            .await?;
        transaction.commit().await?;
        Ok(true)
    })
}

/// Replaces the password, revokes all tokens, voids codes for a new password, and withdraws a pending change of the
/// address.
pub(super) async fn set_password(
    transaction: &mut MySqlConnection,
    user: UserId,
    hash: &str,
) -> sqlx::Result<()> {
    let update = sqlx::query(
        "UPDATE users SET password_hash = ?, token_epoch = token_epoch + 1 WHERE id = ?",
    )
    .bind(hash)
    .bind(u64::from(user));
    raise_epoch(transaction, user, update).await?;
    codes::void(transaction, Kind::PasswordReset, user).await?;
    emails::store::withdraw_pending(transaction, user).await
}

/// Executes an update that raises the user's epoch, which revokes all tokens, and announces that to all replicas, so
/// that they end the streams of those tokens. `false` if the update affects no row.
pub(super) async fn raise_epoch(
    connection: &mut MySqlConnection,
    user: UserId,
    update: Query<'_, MySql, MySqlArguments>,
) -> sqlx::Result<bool> {
    if update.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO revocations (user_id, token_epoch, revoked_at) \
         SELECT id, token_epoch, UTC_TIMESTAMP(3) FROM users WHERE id = ? \
         ON DUPLICATE KEY UPDATE token_epoch = users.token_epoch, revoked_at = UTC_TIMESTAMP(3)",
    )
    .bind(u64::from(user))
    .execute(connection)
    .await?;
    Ok(true)
}

/// Revokes all tokens of the caller. If they were revoked in the meantime, tokens that were issued since stay valid.
pub(super) async fn revoke_tokens(database: &Database, caller: &Caller) -> Result<(), Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let revocation = sqlx::query(
            "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(u64::from(caller.id()))
        .bind(caller.token_epoch());
        raise_epoch(&mut transaction, caller.id(), revocation).await?;
        transaction.commit().await
    })
}

/// Replaces the account with a tombstone: its name and address become free, and its row retains neither a password nor
/// personal data. The messages that it sent are deleted afterwards ([`crate::users::cleanup`]). `false` if the owner's
/// tokens were revoked in the meantime.
pub(super) async fn delete(
    database: &Database,
    owner: &Reauthenticated<'_>,
) -> Result<bool, Error> {
    let (id, now) = (u64::from(owner.id()), Utc::now());
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let tombstone = sqlx::query(
            "UPDATE users SET username = CONCAT('~', id), email = '', normalized_email = CONCAT('~', id), \
             password_hash = '', token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(id)
        .bind(owner.token_epoch());
        let is_deleted = bury(&mut transaction, owner.id(), tombstone, now).await?;
        if is_deleted {
            transaction.commit().await?;
        }
        Ok(is_deleted)
    })
}

/// Executes the update that replaces an account with a tombstone, and schedules the deletion of its messages. `false`
/// if the update affects no row.
pub(super) async fn bury(
    transaction: &mut MySqlConnection,
    user: UserId,
    tombstone: Query<'_, MySql, MySqlArguments>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    if !raise_epoch(transaction, user, tombstone).await? {
        return Ok(false);
    }
    sqlx::query("INSERT INTO account_deletions (user_id, deleted_at) VALUES (?, ?)")
        .bind(u64::from(user))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    invitations::store::delete_all_of(transaction, user).await?;
    blocks::store::delete_all_by(transaction, user).await?;
    // Before the mails, as the worker that discards one locks them.
    unread_notices::store::delete_all_of(transaction, user).await?;
    codes::forget_account(transaction, user).await?;
    emails::store::delete_all_of(transaction, user).await?;
    Ok(true)
}

//! The accounts in MySQL.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Row};

use crate::auth::{Caller, Confirmed};
use crate::db::{Database, Error, unit_of_work};
use crate::model::email::Email;
use crate::model::user::{UserId, Username};

/// An account as its owner sees it.
pub(crate) struct Account {
    pub(crate) email: Email,
    pub(crate) created_at: DateTime<Utc>,
    /// Unread messages, counted up to [`MOST_COUNTED`].
    pub(crate) unread: usize,
}

/// Counting ends here, so that it costs the same however many there are.
pub(crate) const MOST_COUNTED: u64 = 1_000;

/// Which unique values of a new account somebody else has.
pub(crate) struct Taken {
    pub(crate) username: bool,
    pub(crate) email: bool,
}

/// Creates an account.
///
/// # Errors
/// [`Error::Duplicate`] if the name or the address is taken: the unique keys decide, however many ask at once.
pub(crate) async fn insert(
    database: &Database,
    username: &Username,
    email: &Email,
    password_hash: &str,
) -> Result<(), Error> {
    let now = Utc::now();
    unit_of_work!(database, |connection| {
        sqlx::query(
                "INSERT INTO users (username, email, email_key, password_hash, created_at) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(username.as_str())
            .bind(email.as_str())
            .bind(email.key())
            .bind(password_hash)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
    })
}

/// Which of the two values made an insert fail.
pub(crate) async fn taken(
    database: &Database,
    username: &Username,
    email: &Email,
) -> Result<Taken, Error> {
    let row = unit_of_work!(database, |connection| {
        sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM users WHERE username = ?) AS username, \
                        EXISTS (SELECT 1 FROM users WHERE email_key = ?) AS email",
        )
        .bind(username.as_str())
        .bind(email.key())
        .fetch_one(connection)
        .await
    })?;
    Ok(Taken {
        username: row.get("username"),
        email: row.get("email"),
    })
}

/// The caller's account. `None` if it was deleted a moment ago.
pub(crate) async fn account(
    database: &Database,
    caller: &Caller,
) -> Result<Option<Account>, Error> {
    let id = u64::from(caller.id());
    unit_of_work!(database, |connection| {
        let account = sqlx::query("SELECT email, created_at FROM users WHERE id = ?")
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
        .bind(MOST_COUNTED)
        .fetch_all(connection)
        .await?;
        Ok(Some(Account {
            email: Email::stored(account.try_get("email")?),
            created_at: account.try_get("created_at")?,
            unread: unread.len(),
        }))
    })
}

/// Changes the password of somebody who has just confirmed the old one, and revokes all their tokens. Whether nothing
/// of the kind happened meanwhile: of two at once, one succeeds.
pub(crate) async fn change_password(
    database: &Database,
    owner: &Confirmed,
    password_hash: &str,
) -> Result<bool, Error> {
    unit_of_work!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let changed = sqlx::query(
            "UPDATE users SET password_hash = ?, token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(password_hash)
        .bind(u64::from(owner.id()))
        .bind(owner.token_epoch())
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        spread_revocation(&mut transaction, owner.id()).await?;
        transaction.commit().await?;
        Ok(true)
    })
}

/// Tells the replicas that tokens of the user were revoked, so that they end what those tokens listen to.
async fn spread_revocation(connection: &mut MySqlConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO revocations (user_id, token_epoch, revoked_at) \
         SELECT id, token_epoch, UTC_TIMESTAMP(3) FROM users WHERE id = ? \
         ON DUPLICATE KEY UPDATE token_epoch = users.token_epoch, revoked_at = UTC_TIMESTAMP(3)",
    )
    .bind(u64::from(user))
    .execute(connection)
    .await
    .map(drop)
}

/// Forgets some revocations that every replica has long heard of; whether there may be more of them.
pub(crate) async fn forget_revocations(database: &Database) -> Result<bool, Error> {
    const SOME: u64 = 500;
    let forgotten = unit_of_work!(database, |connection| {
        sqlx::query(
            "DELETE FROM revocations WHERE revoked_at < UTC_TIMESTAMP(3) - INTERVAL 1 HOUR ORDER BY revoked_at LIMIT ?",
        )
        .bind(SOME)
        .execute(connection)
        .await
    })?;
    Ok(forgotten.rows_affected() == SOME)
}

/// Changes the e-mail address. Whether the owner's tokens were not revoked meanwhile.
///
/// # Errors
/// [`Error::Duplicate`] if another account has the address.
pub(crate) async fn change_email(
    database: &Database,
    owner: &Confirmed,
    email: &Email,
) -> Result<bool, Error> {
    let changed = unit_of_work!(database, |connection| {
        sqlx::query("UPDATE users SET email = ?, email_key = ? WHERE id = ? AND token_epoch = ?")
            .bind(email.as_str())
            .bind(email.key())
            .bind(u64::from(owner.id()))
            .bind(owner.token_epoch())
            .execute(connection)
            .await
    })?;
    Ok(changed.rows_affected() == 1)
}

/// Revokes all tokens of the caller. Where they were revoked a moment ago, those that were issued since stay good.
pub(crate) async fn revoke_tokens(database: &Database, caller: &Caller) -> Result<(), Error> {
    unit_of_work!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let revoked = sqlx::query(
            "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(u64::from(caller.id()))
        .bind(caller.token_epoch())
        .execute(&mut *transaction)
        .await?;
        if revoked.rows_affected() == 0 {
            return Ok(());
        }
        spread_revocation(&mut transaction, caller.id()).await?;
        transaction.commit().await
    })
}

/// Deletes the account: nobody can log in, name and address are free, and what is left of the row says nothing of its
/// owner. Their messages are cleared away afterwards ([`crate::jobs`]). Whether their tokens were not revoked
/// meanwhile.
pub(crate) async fn delete(database: &Database, owner: &Confirmed) -> Result<bool, Error> {
    let (id, now) = (u64::from(owner.id()), Utc::now());
    unit_of_work!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let deleted = sqlx::query(
            "UPDATE users SET username = CONCAT('~', id), email = '', email_key = CONCAT('~', id), password_hash = '', \
             token_epoch = token_epoch + 1 WHERE id = ? AND token_epoch = ?",
        )
        .bind(id)
        .bind(owner.token_epoch())
        .execute(&mut *transaction)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO departures (user_id, departed_at) VALUES (?, ?)")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        spread_revocation(&mut transaction, owner.id()).await?;
        transaction.commit().await?;
        Ok(true)
    })
}

/// The first deleted account after this one whose messages are still to be cleared away.
pub(crate) async fn next_departure(
    database: &Database,
    after: u64,
) -> Result<Option<Departure>, Error> {
    let row = unit_of_work!(database, |connection| {
        sqlx::query(
            "SELECT user_id, departed_at FROM departures WHERE user_id > ? ORDER BY user_id LIMIT 1",
        )
        .bind(after)
        .fetch_optional(connection)
        .await
    })?;
    Ok(row.map(|row| Departure {
        user: row.get("user_id"),
        departed_at: row.get("departed_at"),
    }))
}

/// An account that was deleted.
pub(crate) struct Departure {
    pub(crate) user: u64,
    departed_at: DateTime<Utc>,
}

/// Far longer than a request that was authorised before can take. No message is committed after its sender has left (the
/// insertion locks the sender's row), but a replica of an older version does not look.
const LAST_SENDS: TimeDelta = TimeDelta::minutes(1);

/// Nothing is left of the account; its departure is forgotten once no older replica can still be sending for it.
pub(crate) async fn complete_departure(
    database: &Database,
    departure: &Departure,
) -> Result<(), Error> {
    if Utc::now() - departure.departed_at < LAST_SENDS {
        return Ok(());
    }
    unit_of_work!(database, |connection| {
        sqlx::query("DELETE FROM departures WHERE user_id = ?")
            .bind(departure.user)
            .execute(connection)
            .await
            .map(drop)
    })
}

//! The outbox in MySQL. All times are those of the database, because the clocks of replicas may differ.

use std::time::Duration;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::db::{Database, Error, with_connection};
use crate::mail::kind::Kind;
use crate::model::email::Email;
use crate::model::user::UserId;

/// The number of rows that one statement deletes.
const BATCH: u64 = 500;

/// A mail that this replica is to send.
pub(super) struct ClaimedMail {
    pub(super) claim: Claim,
    /// `None` if only a newer version knows the kind.
    pub(super) kind: Option<Kind>,
    pub(super) user: Option<UserId>,
    pub(super) requested_for: Option<String>,
    pub(super) recipient: Option<Email>,
    pub(super) message_id: [u8; 16],
    /// Attempts have failed for so long that there is no further one.
    pub(super) is_overdue: bool,
}

/// The right to complete an attempt. It ends when another attempt begins.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) mail: u64,
    /// The number of this attempt, from 1.
    pub(super) attempt: u32,
}

/// Adds a mail about an account to this address, or to the one that the account has when the mail is sent.
pub(super) async fn add(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
    recipient: Option<&Email>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO mails (kind, user_id, recipient, message_id, created_at, due_at) \
         VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))",
    )
    .bind(kind.name())
    .bind(u64::from(user))
    .bind(recipient.map(Email::as_str))
    .bind(&rand::random::<[u8; 16]>()[..])
    .execute(transaction)
    .await
    .map(drop)
}

/// Whether a mail of this kind about an account is still to be sent, or is being sent.
pub(super) async fn has_unsent(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
) -> sqlx::Result<bool> {
    let mail: Option<u64> = sqlx::query_scalar(
        "SELECT id FROM mails FORCE INDEX (mails_user) WHERE user_id = ? AND kind = ? AND sent_at IS NULL LIMIT 1",
    )
    .bind(u64::from(user))
    .bind(kind.name())
    .fetch_optional(transaction)
    .await?;
    Ok(mail.is_some())
}

/// Adds a mail to the owner of the account with this name or normalized address, if there is one: that is found out
/// when the mail is sent, so that the time of the request does not tell.
pub(super) async fn add_requested(
    database: &Database,
    kind: Kind,
    account: &str,
) -> Result<(), Error> {
    with_connection!(database, |connection| {
        sqlx::query(
            "INSERT INTO mails (kind, requested_for, message_id, created_at, due_at) \
             VALUES (?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))",
        )
        .bind(kind.name())
        .bind(account)
        .bind(&rand::random::<[u8; 16]>()[..])
        .execute(connection)
        .await
        .map(drop)
    })
}

/// Claims the mail that has been due for the longest time, for as long as the lease. Concurrent claims get different
/// mails. A claim whose replica ends leaves the mail to the others after the lease.
pub(super) async fn claim(
    database: &Database,
    lease: Duration,
) -> Result<Option<ClaimedMail>, Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let row = sqlx::query(
            "SELECT id, kind, user_id, requested_for, recipient, message_id, attempts, \
             created_at < UTC_TIMESTAMP(3) - INTERVAL 3 DAY AS is_overdue FROM mails FORCE INDEX (mails_due) \
             WHERE due_at <= UTC_TIMESTAMP(3) ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(mail) = row.as_ref().map(claimed).transpose()? else {
            return Ok(None);
        };
        let Claim { mail: id, attempt } = mail.claim;
        sqlx::query(
            "UPDATE mails SET attempts = ?, due_at = UTC_TIMESTAMP(3) + INTERVAL ? SECOND WHERE id = ?",
        )
        .bind(attempt)
        .bind(lease.as_secs())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(mail))
    })
}

fn claimed(row: &MySqlRow) -> sqlx::Result<ClaimedMail> {
    let message_id: Vec<u8> = row.try_get("message_id")?;
    let recipient: Option<String> = row.try_get("recipient")?;
    Ok(ClaimedMail {
        claim: Claim {
            mail: row.try_get("id")?,
            attempt: row.try_get::<u32, _>("attempts")?.saturating_add(1),
        },
        kind: Kind::named(row.try_get("kind")?),
        user: row.try_get::<Option<u64>, _>("user_id")?.map(UserId::from),
        requested_for: row.try_get("requested_for")?,
        recipient: recipient.map(Email::stored),
        message_id: message_id.try_into().unwrap_or_default(),
        is_overdue: row.try_get("is_overdue")?,
    })
}

/// Records that a mail was sent, and forgets its recipient.
pub(super) async fn record_sent(database: &Database, claim: Claim) -> Result<(), Error> {
    with_connection!(database, |connection| {
        sqlx::query(
            "UPDATE mails SET sent_at = UTC_TIMESTAMP(3), due_at = NULL, requested_for = NULL, recipient = NULL \
             WHERE id = ? AND attempts = ?",
        )
        .bind(claim.mail)
        .bind(claim.attempt)
        .execute(connection)
        .await
        .map(drop)
    })
}

/// Schedules another attempt.
pub(super) async fn postpone(
    database: &Database,
    claim: Claim,
    pause: Duration,
) -> Result<(), Error> {
    let microseconds = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    with_connection!(database, |connection| {
        sqlx::query(
            "UPDATE mails SET due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE id = ? AND attempts = ?",
        )
        .bind(microseconds)
        .bind(claim.mail)
        .bind(claim.attempt)
        .execute(connection)
        .await
        .map(drop)
    })
}

/// Deletes a batch of mails that were sent so long ago that no limit counts them; `true` if there may be more of them.
pub(super) async fn delete_sent(database: &Database) -> Result<bool, Error> {
    let deleted = with_connection!(database, |connection| {
        sqlx::query(
            "DELETE FROM mails WHERE sent_at < UTC_TIMESTAMP(3) - INTERVAL 2 HOUR ORDER BY sent_at LIMIT ?",
        )
        .bind(BATCH)
        .execute(connection)
        .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

/// Deletes a batch of expired codes; `true` if there may be more of them.
pub(super) async fn delete_expired_codes(database: &Database) -> Result<bool, Error> {
    let deleted = with_connection!(database, |connection| {
        sqlx::query(
            "DELETE FROM mail_codes WHERE expires_at < UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT ?",
        )
        .bind(BATCH)
        .execute(connection)
        .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

//! The account that a mail is about, and the mailbox that the mail goes to.

use sha2::{Digest as _, Sha256};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{MySql, Row, mysql::MySqlArguments, query::Query};

use crate::mail::kind::Kind;
use crate::mail::store::ClaimedMail;
use crate::model::email::Email;
use crate::model::user::{UserId, Username};

/// The account that a mail is about.
pub(super) struct Addressee {
    pub(super) user: UserId,
    pub(super) username: Username,
    pub(super) recipient: Email,
}

/// SHA-256 of a normalized address.
pub(crate) type MailboxHash = [u8; 32];

/// What the database has instead of an address.
pub(crate) fn mailbox_hash(email: &Email) -> MailboxHash {
    Sha256::digest(email.normalized()).into()
}

/// The account and the recipient, unless it was deleted. An account that a mail was requested for must not be
/// suspended. Its row is locked, so that concurrent requests for one account are counted one after the other.
pub(super) async fn find(
    transaction: &mut MySqlConnection,
    mail: &ClaimedMail,
    kind: Kind,
) -> sqlx::Result<Option<Addressee>> {
    let row = query(mail, kind).fetch_optional(transaction).await?;
    let addressee = row.map(|row| addressee(&row, mail)).transpose()?;
    Ok(addressee.filter(|addressee| !addressee.username.is_tombstone()))
}

fn query(mail: &ClaimedMail, kind: Kind) -> Query<'_, MySql, MySqlArguments> {
    match (&mail.requested_for, mail.user) {
        (Some(address), _) if address.contains('@') => sqlx::query(
            "SELECT id, username, email FROM users WHERE normalized_email = ? \
             AND NOT EXISTS (SELECT 1 FROM suspensions WHERE user_id = id) FOR UPDATE",
        )
        .bind(address),
        (Some(username), _) => sqlx::query(
            "SELECT id, username, email FROM users WHERE username = ? \
             AND NOT EXISTS (SELECT 1 FROM suspensions WHERE user_id = id) FOR UPDATE",
        )
        .bind(username),
        // The pending address, else the current one if it is not verified.
        (None, user) if kind == Kind::EmailVerification => sqlx::query(
            "SELECT u.id, u.username, COALESCE(a.pending_email, u.email) AS email FROM users AS u \
             LEFT JOIN account_emails AS a ON a.user_id = u.id WHERE u.id = ? \
             AND (a.pending_email IS NOT NULL \
             OR NOT (a.verified_hash <=> UNHEX(SHA2(u.normalized_email, 256)))) \
             AND NOT EXISTS (SELECT 1 FROM suspensions AS s WHERE s.user_id = u.id) FOR UPDATE OF u",
        )
        .bind(user.map_or(0, u64::from)),
        // A verified address, unless the owner has turned the notices off, has returned, or has read all messages.
        (None, user) if kind == Kind::UnreadMessages => sqlx::query(
            "SELECT u.id, u.username, u.email FROM users AS u JOIN unread_notices AS n ON n.user_id = u.id \
             JOIN account_emails AS a ON a.user_id = u.id WHERE u.id = ? AND n.is_told = TRUE \
             AND a.verified_hash = UNHEX(SHA2(u.normalized_email, 256)) \
             AND NOT EXISTS (SELECT 1 FROM suspensions AS s WHERE s.user_id = u.id) \
             AND NOT EXISTS (SELECT 1 FROM message_changes AS c FORCE INDEX (message_changes_user) \
             WHERE c.user_id = u.id AND c.id > n.change_id AND c.kind IN ('read', 'unread')) \
             AND EXISTS (SELECT 1 FROM receipts AS r FORCE INDEX (receipts_read) WHERE r.receiver_id = u.id \
             AND r.is_deleted = FALSE AND r.is_read = FALSE AND r.message_id <= n.told_until) FOR UPDATE OF u",
        )
        .bind(user.map_or(0, u64::from)),
        (None, user) => {
            sqlx::query("SELECT id, username, email FROM users WHERE id = ? FOR UPDATE")
                .bind(user.map_or(0, u64::from))
        }
    }
}

fn addressee(row: &MySqlRow, mail: &ClaimedMail) -> sqlx::Result<Addressee> {
    let email = Email::stored(row.try_get("email")?);
    Ok(Addressee {
        user: UserId::from(row.try_get::<u64, _>("id")?),
        username: Username::stored(row.try_get("username")?),
        recipient: mail.recipient.clone().unwrap_or(email),
    })
}

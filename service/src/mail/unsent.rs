//! The end of mails that are not sent.

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::db::{Database, Error, with_connection};
use crate::mail::kind::Kind;
use crate::mail::store::{Claim, ClaimedMail};
use crate::model::user::UserId;

/// Why a mail is not sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was refused for good, as the next mail to its recipient would be.
    Refused,
    /// Anything that may be different for the next one.
    Prevented,
}

/// Deletes a mail that is not sent; nothing if its claim has ended.
pub(super) async fn discard(
    database: &Database,
    mail: &ClaimedMail,
    cause: Cause,
) -> Result<(), Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        discard_in(&mut transaction, mail, cause).await?;
        transaction.commit().await
    })
}

/// The same in a transaction.
pub(super) async fn discard_in(
    transaction: &mut MySqlConnection,
    mail: &ClaimedMail,
    cause: Cause,
) -> sqlx::Result<()> {
    let notice = match mail.user {
        Some(user) if mail.kind == Some(Kind::UnreadMessages) && cause == Cause::Prevented => {
            lock_notices(transaction, user).await?;
            Some(user)
        }
        _ => None,
    };
    let Claim { mail: id, attempt } = mail.claim;
    let deleted = sqlx::query("DELETE FROM mails WHERE id = ? AND attempts = ?")
        .bind(id)
        .bind(attempt)
        .execute(&mut *transaction)
        .await?;
    match notice {
        Some(user) if deleted.rows_affected() == 1 => count_as_not_told(transaction, user).await,
        _ => Ok(()),
    }
}

/// Keeps the job that tells owners from this inbox until the transaction ends. Otherwise it could still find the mail,
/// add no other one, and count the owner as told.
async fn lock_notices(transaction: &mut MySqlConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("SELECT user_id FROM unread_notices WHERE user_id = ? FOR UPDATE")
        .bind(u64::from(user))
        .execute(transaction)
        .await
        .map(drop)
}

/// Lets the next look at an inbox, within an hour, tell its owner of what is unread now. Without this, no later message
/// would cause a mail until the owner returns. An owner who has returned has seen the inbox, and is not told.
///
/// What `told_until` was before the mail is not known. It becomes lower only if messages that the mail was about are
/// unread. Older ones that are unread count as well then.
async fn count_as_not_told(transaction: &mut MySqlConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE unread_notices SET is_told = FALSE, \
         told_until = LEAST(told_until, COALESCE((SELECT r.message_id - 1 FROM receipts AS r \
         FORCE INDEX (receipts_read) WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.is_read = FALSE \
         ORDER BY r.message_id LIMIT 1), told_until)) WHERE user_id = ? AND is_told = TRUE \
         AND NOT EXISTS (SELECT 1 FROM message_changes AS c FORCE INDEX (message_changes_user) \
         WHERE c.user_id = unread_notices.user_id AND c.id > unread_notices.change_id \
         AND c.kind IN ('read', 'unread'))",
    )
    .bind(u64::from(user))
    .bind(u64::from(user))
    .execute(transaction)
    .await
    .map(drop)
}

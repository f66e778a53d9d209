//! What a mail needs when it is sent: its recipient, as far as the limits of the mailbox allow it, and a new code.

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::db::{Database, Error, with_connection};
use crate::mail::addressee::{Addressee, MailboxHash, find, mailbox_hash};
use crate::mail::kind::{Kind, Limit};
use crate::mail::store::{Claim, ClaimedMail};
use crate::mail::unsent::{Cause, discard_in};
use crate::model::email::Email;
use crate::model::secret_code::SecretCode;
use crate::model::user::{UserId, Username};

/// The content of a mail.
pub(super) struct Letter {
    pub(super) kind: Kind,
    pub(super) recipient: Email,
    pub(super) username: Username,
    pub(super) code: Option<SecretCode>,
    pub(super) message_id: [u8; 16],
}

/// Prepares an attempt. `None` if the mail is not to be sent, and is discarded: there is no such account, or as many
/// mails of this kind as may be were sent to the mailbox or about the account.
pub(super) async fn prepare(
    database: &Database,
    mail: &ClaimedMail,
    kind: Kind,
) -> Result<Option<Letter>, Error> {
    let code = kind.code_lifetime().map(|_| SecretCode::random());
    let addressee = with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let addressee = admit(&mut transaction, mail, kind, code.as_ref()).await?;
        if addressee.is_none() {
            // In the transaction that has counted, so that two mails to one account cannot refuse each other.
            discard_in(&mut transaction, mail, Cause::Prevented).await?;
        }
        transaction.commit().await?;
        Ok(addressee)
    })?;
    Ok(addressee.map(|addressee| Letter {
        kind,
        recipient: addressee.recipient,
        username: addressee.username,
        code,
        message_id: mail.message_id,
    }))
}

/// The addressee of a mail that may be sent, which then counts for its mailbox and makes its code valid. The account is
/// locked until the end of the transaction.
async fn admit(
    transaction: &mut MySqlConnection,
    mail: &ClaimedMail,
    kind: Kind,
    code: Option<&SecretCode>,
) -> sqlx::Result<Option<Addressee>> {
    let Some(addressee) = find(transaction, mail, kind).await? else {
        return Ok(None);
    };
    let mailbox = mailbox_hash(&addressee.recipient);
    if exceeds_limit(transaction, mail.claim, kind, &addressee, &mailbox).await?
        || !address(transaction, mail.claim, &addressee, &mailbox).await?
    {
        return Ok(None);
    }
    if let Some(code) = code {
        issue(transaction, kind, addressee.user, &mailbox, code).await?;
    }
    Ok(Some(addressee))
}

/// Whether as many mails of this kind as may be were sent to the mailbox or about the account, or are about to be.
///
/// A mail counts for its mailbox once it is prepared. Mails to one account are prepared one after the other, but in any
/// order, since replicas claim them concurrently: each other one counts. Mails to other accounts may be prepared at the
/// same time: only earlier ones count, so that two of them cannot refuse each other.
async fn exceeds_limit(
    transaction: &mut MySqlConnection,
    Claim { mail, .. }: Claim,
    kind: Kind,
    addressee: &Addressee,
    mailbox: &MailboxHash,
) -> sqlx::Result<bool> {
    let Limit {
        pause_minutes,
        per_hour,
    } = kind.limit();
    let (in_hour, recent): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(user_id = ? AND (sent_at IS NULL \
         OR sent_at > UTC_TIMESTAMP(3) - INTERVAL ? MINUTE)), 0) AS SIGNED) \
         FROM mails FORCE INDEX (mails_mailbox) WHERE mailbox_hash = ? AND kind = ? AND id <> ? \
         AND (sent_at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR OR sent_at IS NULL AND (user_id = ? OR id < ?))",
    )
    .bind(u64::from(addressee.user))
    .bind(pause_minutes)
    .bind(&mailbox[..])
    .bind(kind.name())
    .bind(mail)
    .bind(u64::from(addressee.user))
    .bind(mail)
    .fetch_one(&mut *transaction)
    .await?;
    let is_paused = pause_minutes > 0
        && recent > 0
        && has_code(transaction, kind, addressee.user, mailbox).await?;
    Ok(is_paused
        || in_hour >= per_hour
        || about_account(transaction, mail, kind, addressee.user).await? >= per_hour)
}

/// The mails of this kind about an account in the last hour, whatever their mailboxes.
async fn about_account(
    transaction: &mut MySqlConnection,
    mail: u64,
    kind: Kind,
    user: UserId,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM mails FORCE INDEX (mails_user) WHERE user_id = ? AND kind = ? AND id <> ? \
         AND (sent_at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR OR sent_at IS NULL AND id < ?)",
    )
    .bind(u64::from(user))
    .bind(kind.name())
    .bind(mail)
    .bind(mail)
    .fetch_one(transaction)
    .await
}

/// Whether the mailbox has a code that can be used. If it was used or voided, its owner need not wait for the next one.
async fn has_code(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
    mailbox: &MailboxHash,
) -> sqlx::Result<bool> {
    let code: Option<u64> = sqlx::query_scalar(
        "SELECT user_id FROM mail_codes FORCE INDEX (mail_codes_user) WHERE user_id = ? AND kind = ? \
         AND mailbox_hash = ? AND expires_at > UTC_TIMESTAMP(3) LIMIT 1",
    )
    .bind(u64::from(user))
    .bind(kind.name())
    .bind(&mailbox[..])
    .fetch_optional(transaction)
    .await?;
    Ok(code.is_some())
}

/// Makes a mail count for its mailbox and its account; `false` if the claim has ended.
async fn address(
    transaction: &mut MySqlConnection,
    claim: Claim,
    addressee: &Addressee,
    mailbox: &MailboxHash,
) -> sqlx::Result<bool> {
    let updated =
        sqlx::query("UPDATE mails SET user_id = ?, mailbox_hash = ? WHERE id = ? AND attempts = ?")
            .bind(u64::from(addressee.user))
            .bind(&mailbox[..])
            .bind(claim.mail)
            .bind(claim.attempt)
            .execute(transaction)
            .await?;
    Ok(updated.rows_affected() == 1)
}

/// Makes a code valid.
async fn issue(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
    mailbox: &MailboxHash,
    code: &SecretCode,
) -> sqlx::Result<()> {
    let lifetime = kind.code_lifetime().unwrap_or_default();
    sqlx::query(
        "INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at) \
         VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3) + INTERVAL ? SECOND)",
    )
    .bind(&code.hash()[..])
    .bind(u64::from(user))
    .bind(kind.name())
    .bind(&mailbox[..])
    .bind(lifetime.as_secs())
    .execute(transaction)
    .await
    .map(drop)
}

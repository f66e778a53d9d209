//! The codes in mails, as they are used up.

use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::db::{Database, Error, with_connection};
use crate::mail::addressee::MailboxHash;
use crate::mail::kind::Kind;
use crate::model::email::Email;
use crate::model::secret_code::CodeHash;
use crate::model::user::{UserId, Username};

/// The account that a code was sent to.
pub(crate) struct CodeOwner {
    pub(crate) user: UserId,
    pub(crate) username: Username,
    /// The account's address at this time.
    pub(crate) email: Email,
    /// Of the address that the code was sent to.
    pub(crate) mailbox_hash: MailboxHash,
}

/// The owner of a code that can be used, unless the account is suspended.
pub(crate) async fn owner(
    database: &Database,
    kind: Kind,
    code: &CodeHash,
) -> Result<Option<CodeOwner>, Error> {
    let row = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT u.id, u.username, u.email, c.mailbox_hash FROM mail_codes AS c JOIN users AS u ON u.id = c.user_id \
             WHERE c.code_hash = ? AND c.kind = ? AND c.expires_at > UTC_TIMESTAMP(3) \
             AND NOT EXISTS (SELECT 1 FROM suspensions AS s WHERE s.user_id = u.id)",
        )
        .bind(&code[..])
        .bind(kind.name())
        .fetch_optional(connection)
        .await
    })?;
    let owner = |row: MySqlRow| CodeOwner {
        user: UserId::from(row.get::<u64, _>("id")),
        username: Username::stored(row.get("username")),
        email: Email::stored(row.get("email")),
        mailbox_hash: row
            .get::<Vec<u8>, _>("mailbox_hash")
            .try_into()
            .unwrap_or_default(),
    };
    Ok(row.map(owner))
}

/// Uses a code up, in the transaction of what it is used for; `false` if it cannot be used any more. Of concurrent
/// requests with one code, the later ones wait for the first.
pub(crate) async fn use_up(
    transaction: &mut MySqlConnection,
    kind: Kind,
    code: &CodeHash,
) -> sqlx::Result<bool> {
    let used = sqlx::query(
        "DELETE FROM mail_codes WHERE code_hash = ? AND kind = ? AND expires_at > UTC_TIMESTAMP(3)",
    )
    .bind(&code[..])
    .bind(kind.name())
    .execute(transaction)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Voids the codes of one kind of an account.
pub(crate) async fn void(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM mail_codes WHERE user_id = ? AND kind = ?")
        .bind(u64::from(user))
        .bind(kind.name())
        .execute(transaction)
        .await
        .map(drop)
}

/// Voids all codes of an account and deletes its mails that were not sent yet, in the transaction that ends or suspends
/// it. What was sent still counts for its mailbox.
pub(crate) async fn forget_account(
    transaction: &mut MySqlConnection,
    user: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM mail_codes WHERE user_id = ?")
        .bind(u64::from(user))
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM mails WHERE user_id = ? AND sent_at IS NULL")
        .bind(u64::from(user))
        .execute(transaction)
        .await
        .map(drop)
}

//! Addresses in MySQL.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::auth::{Caller, Reauthenticated};
use crate::db::{Database, Error, with_connection};
use crate::mail::codes::CodeOwner;
use crate::mail::{Kind, Outbox, codes, mailbox_hash};
use crate::model::email::Email;
use crate::model::secret_code::CodeHash;
use crate::model::user::UserId;

/// The outcome of a request to change an address.
pub(super) enum EmailChanged {
    /// The address is changed; or only its spelling, which withdraws a pending change.
    AtOnce,
    /// The account keeps its address until the new one is verified.
    Pending { current: Email },
    /// The owner's tokens were revoked in the meantime.
    TokenRevoked,
}

/// The address of an account, and the one that is to replace it.
struct Addresses {
    current: Email,
    pending: Option<Email>,
    token_epoch: u32,
}

/// Locks an account, and returns its addresses.
async fn lock(transaction: &mut MySqlConnection, user: UserId) -> sqlx::Result<Option<Addresses>> {
    let row = sqlx::query(
        "SELECT u.email, u.token_epoch, a.pending_email FROM users AS u \
         LEFT JOIN account_emails AS a ON a.user_id = u.id WHERE u.id = ? FOR UPDATE OF u",
    )
    .bind(u64::from(user))
    .fetch_optional(transaction)
    .await?;
    let addresses = |row: MySqlRow| {
        let pending: Option<String> = row.try_get("pending_email")?;
        Ok(Addresses {
            current: Email::stored(row.try_get("email")?),
            pending: pending.map(Email::stored),
            token_epoch: row.try_get("token_epoch")?,
        })
    };
    row.map(addresses).transpose()
}

/// Changes the address at once, or makes it pending if the service sends mails and it is another mailbox.
///
/// # Errors
/// [`Error::Duplicate`] if another account has an address that is to be changed at once.
pub(super) async fn change(
    database: &Database,
    outbox: &Outbox,
    owner: &Reauthenticated<'_>,
    email: &Email,
) -> Result<EmailChanged, Error> {
    let user = owner.id();
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let addresses = lock(&mut transaction, user).await?;
        let Some(Addresses {
            current, pending, ..
        }) = addresses.filter(|addresses| addresses.token_epoch == owner.token_epoch())
        else {
            return Ok(EmailChanged::TokenRevoked);
        };
        let is_same_mailbox = current.normalized() == email.normalized();
        if is_same_mailbox || !outbox.is_on() {
            replace(&mut transaction, user, email).await?;
            withdraw_pending(&mut transaction, user).await?;
            transaction.commit().await?;
            return Ok(EmailChanged::AtOnce);
        }
        let is_known = pending.is_some_and(|pending| pending.normalized() == email.normalized());
        if !is_known {
            withdraw_pending(&mut transaction, user).await?;
            let notice = Kind::EmailChangeRequested;
            outbox.add(&mut transaction, notice, user, &current).await?;
        }
        make_pending(&mut transaction, user, email).await?;
        outbox
            .add_for_owner(&mut transaction, Kind::EmailVerification, user)
            .await?;
        transaction.commit().await?;
        Ok(EmailChanged::Pending { current })
    })
}

/// Replaces the address, and voids codes for a new password: those in mails to the former one prove nothing any more.
async fn replace(
    transaction: &mut MySqlConnection,
    user: UserId,
    email: &Email,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET email = ?, normalized_email = ? WHERE id = ?")
        .bind(email.as_str())
        .bind(email.normalized())
        .bind(u64::from(user))
        .execute(&mut *transaction)
        .await?;
    codes::void(transaction, Kind::PasswordReset, user).await
}

async fn make_pending(
    transaction: &mut MySqlConnection,
    user: UserId,
    email: &Email,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO account_emails (user_id, pending_email) VALUES (?, ?) AS new \
         ON DUPLICATE KEY UPDATE pending_email = new.pending_email",
    )
    .bind(u64::from(user))
    .bind(email.as_str())
    .execute(transaction)
    .await
    .map(drop)
}

/// Withdraws a change of the address that is pending, if there is one, and voids its code, in the transaction that
/// replaces the password, too: whoever asked for it may have had the former one.
pub(in crate::users) async fn withdraw_pending(
    transaction: &mut MySqlConnection,
    user: UserId,
) -> sqlx::Result<()> {
    let withdrawn = sqlx::query(
        "UPDATE account_emails SET pending_email = NULL WHERE user_id = ? AND pending_email IS NOT NULL",
    )
    .bind(u64::from(user))
    .execute(&mut *transaction)
    .await?;
    if withdrawn.rows_affected() == 0 {
        return Ok(());
    }
    codes::void(transaction, Kind::EmailVerification, user).await
}

/// Forgets all about the addresses of an account, in the transaction that ends it.
pub(in crate::users) async fn delete_all_of(
    transaction: &mut MySqlConnection,
    user: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM account_emails WHERE user_id = ?")
        .bind(u64::from(user))
        .execute(transaction)
        .await
        .map(drop)
}

/// Adds a mail with a code. Its recipient is determined when it is sent.
pub(super) async fn request_verification(
    database: &Database,
    outbox: &Outbox,
    caller: &Caller,
) -> Result<(), Error> {
    with_connection!(database, |connection| {
        outbox
            .add_for_owner(connection, Kind::EmailVerification, caller.id())
            .await
    })
}

/// An address that was verified.
pub(super) struct Verified {
    pub(super) email: Email,
    /// The address that is still to replace it.
    pub(super) pending: Option<Email>,
}

/// Uses a code up and verifies the address that it was sent to: the pending one, which replaces the current one, or the
/// current one. Returns that address; `None` if it is neither, or the code cannot be used any more.
///
/// # Errors
/// [`Error::Duplicate`] if another account has the pending address.
pub(super) async fn verify(
    database: &Database,
    outbox: &Outbox,
    owner: &CodeOwner,
    code: &CodeHash,
) -> Result<Option<Verified>, Error> {
    let user = owner.user;
    let is_proved = |email: &Email| mailbox_hash(email) == owner.mailbox_hash;
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let Some(addresses) = lock(&mut transaction, user).await? else {
            return Ok(None);
        };
        if !codes::use_up(&mut transaction, Kind::EmailVerification, code).await? {
            return Ok(None);
        }
        let Addresses {
            current, pending, ..
        } = addresses;
        let verified = if let Some(new) = pending.clone().filter(is_proved) {
            replace(&mut transaction, user, &new).await?;
            withdraw_pending(&mut transaction, user).await?;
            outbox
                .add(&mut transaction, Kind::EmailChanged, user, &current)
                .await?;
            Verified {
                email: new,
                pending: None,
            }
        } else if is_proved(&current) {
            Verified {
                email: current,
                pending,
            }
        } else {
            return Ok(None);
        };
        record_verified(&mut transaction, owner).await?;
        transaction.commit().await?;
        Ok(Some(verified))
    })
}

async fn record_verified(transaction: &mut MySqlConnection, owner: &CodeOwner) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO account_emails (user_id, verified_hash) VALUES (?, ?) AS new \
         ON DUPLICATE KEY UPDATE verified_hash = new.verified_hash",
    )
    .bind(u64::from(owner.user))
    .bind(&owner.mailbox_hash[..])
    .execute(transaction)
    .await
    .map(drop)
}

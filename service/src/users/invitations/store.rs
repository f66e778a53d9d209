//! The invitations in MySQL.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::model::invitation::{Invitation, InvitationId, LIFETIME, NewInvitation};
use crate::model::secret_code::{CodeHash, SecretCode};
use crate::model::user::UserId;
use crate::users::caller_lock::lock_caller;

/// An account has at most so many invitations that have not expired, so a list needs no pages.
pub(super) const MAX_QUOTA: u32 = 100;
/// The number of invitations that one statement deletes.
const BATCH: u64 = 500;

/// The outcome of an account's request to invite.
pub(super) enum Invited {
    New(NewInvitation),
    /// The quota is used up until then.
    QuotaUsed(DateTime<Utc>),
    /// The caller's tokens were revoked, or the account was deleted, after the request was authorized.
    TokenRevoked,
}

/// Whether there is an open invitation with this code. A sign-up checks it first, because what follows is expensive,
/// and then uses the code up with [`use_up`].
pub(in crate::users) async fn is_open(database: &Database, code: &CodeHash) -> Result<bool, Error> {
    let now = Utc::now();
    let open: Option<u64> = with_connection!(database, |connection| {
        sqlx::query_scalar(
            "SELECT id FROM invitations WHERE code_hash = ? AND used_at IS NULL AND expires_at > ?",
        )
        .bind(&code[..])
        .bind(now)
        .fetch_optional(connection)
        .await
    })?;
    Ok(open.is_some())
}

/// Uses an invitation up in the transaction that creates the account; `false` if there is no open one with this code.
/// Of concurrent sign-ups with one code, the later ones wait for the first.
pub(in crate::users) async fn use_up(
    transaction: &mut MySqlConnection,
    code: &CodeHash,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let used = sqlx::query(
        "UPDATE invitations SET used_at = ? WHERE code_hash = ? AND used_at IS NULL AND expires_at > ?",
    )
    .bind(now)
    .bind(&code[..])
    .bind(now)
    .execute(transaction)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Makes an invitation of the caller, unless as many as the quota have not expired. The caller's row is locked, so
/// concurrent requests are counted one after the other, and none succeeds after a revocation.
pub(super) async fn invite(
    database: &Database,
    caller: &Caller,
    quota: u32,
) -> Result<Invited, Error> {
    let (code, now) = (SecretCode::random(), Utc::now().trunc_subsecs(3));
    let outcome = with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        if !lock_caller(&mut transaction, caller).await? {
            return Ok(Err(Invited::TokenRevoked));
        }
        let expiries = expiries(&mut transaction, caller.id(), now).await?;
        // An invitation is possible again once fewer than the quota are left.
        if let Some(excess) = expiries.len().checked_sub(quota as usize) {
            return Ok(Err(Invited::QuotaUsed(expiries[excess])));
        }
        let id = insert(&mut transaction, Some(caller.id()), &code, now, LIFETIME).await?;
        transaction.commit().await?;
        Ok(Ok(id))
    })?;
    Ok(match outcome {
        Ok(id) => Invited::New(NewInvitation {
            id,
            code,
            created_at: now,
            expires_at: now + LIFETIME,
        }),
        Err(refused) => refused,
    })
}

/// The expiry of each invitation of an account that has not expired, used or not, in ascending order.
async fn expiries(
    connection: &mut MySqlConnection,
    inviter: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<DateTime<Utc>>> {
    sqlx::query_scalar(
        "SELECT expires_at FROM invitations FORCE INDEX (invitations_inviter) \
         WHERE inviter_id = ? AND expires_at > ? ORDER BY expires_at",
    )
    .bind(u64::from(inviter))
    .bind(now)
    .fetch_all(connection)
    .await
}

/// Stores an invitation of an account, or of the operator.
pub(in crate::users) async fn insert(
    connection: &mut MySqlConnection,
    inviter: Option<UserId>,
    code: &SecretCode,
    now: DateTime<Utc>,
    lifetime: TimeDelta,
) -> sqlx::Result<InvitationId> {
    let inserted = sqlx::query(
        "INSERT INTO invitations (code_hash, inviter_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
    )
    .bind(&code.hash()[..])
    .bind(inviter.map(u64::from))
    .bind(now)
    .bind(now + lifetime)
    .execute(connection)
    .await?;
    InvitationId::stored(inserted.last_insert_id())
        .ok_or_else(|| sqlx::Error::Protocol("an invitation has no id".to_owned()))
}

/// The caller's open invitations, the newest first.
pub(super) async fn open_invitations(
    database: &Database,
    caller: &Caller,
) -> Result<Vec<Invitation>, Error> {
    let now = Utc::now();
    with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT id, created_at, expires_at FROM invitations FORCE INDEX (invitations_inviter) \
             WHERE inviter_id = ? AND expires_at > ? AND used_at IS NULL ORDER BY expires_at DESC, id DESC LIMIT ?",
        )
        .bind(u64::from(caller.id()))
        .bind(now)
        .bind(MAX_QUOTA)
        .fetch_all(connection)
        .await?;
        rows.iter().map(invitation).collect()
    })
}

fn invitation(row: &MySqlRow) -> sqlx::Result<Invitation> {
    let id = InvitationId::stored(row.try_get("id")?)
        .ok_or_else(|| sqlx::Error::Protocol("an invitation has no id".to_owned()))?;
    Ok(Invitation {
        id,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}

/// Withdraws an open invitation of the caller; `false` if there is none with this id.
pub(super) async fn withdraw(
    database: &Database,
    caller: &Caller,
    id: InvitationId,
) -> Result<bool, Error> {
    let now = Utc::now();
    let deleted = with_connection!(database, |connection| {
        sqlx::query(
            "DELETE FROM invitations WHERE id = ? AND inviter_id = ? AND used_at IS NULL AND expires_at > ?",
        )
        .bind(id.get())
        .bind(u64::from(caller.id()))
        .bind(now)
        .execute(connection)
        .await
    })?;
    Ok(deleted.rows_affected() == 1)
}

/// Deletes all invitations of an account, in the transaction that ends it.
pub(in crate::users) async fn delete_all_of(
    transaction: &mut MySqlConnection,
    inviter: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM invitations WHERE inviter_id = ?")
        .bind(u64::from(inviter))
        .execute(transaction)
        .await
        .map(drop)
}

/// Deletes a batch of expired invitations; `true` if there may be more of them.
pub(super) async fn delete_expired(database: &Database) -> Result<bool, Error> {
    let now = Utc::now();
    let deleted = with_connection!(database, |connection| {
        sqlx::query("DELETE FROM invitations WHERE expires_at < ? ORDER BY expires_at LIMIT ?")
            .bind(now)
            .bind(BATCH)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

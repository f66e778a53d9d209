//! The blocks in MySQL. Sends read them in the statements that insert receipts (`messages/store/send.rs`).

use std::cmp::Reverse;

use chrono::{SubsecRound as _, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row};

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::model::block::{Block, MAX_BLOCKS};
use crate::model::user::{UserId, Username};
use crate::users::caller_lock::lock_caller;

/// The number of blocks that one statement deletes.
const BATCH: u64 = 500;

/// The outcome of a request to block a user.
pub(super) enum Outcome {
    /// The user is blocked, whether or not they were before.
    Blocked,
    /// There is no user with this name.
    NoSuchUser,
    /// The account blocks [`MAX_BLOCKS`] others.
    LimitReached,
    /// The caller's tokens were revoked, or the account was deleted, after the request was authorized.
    TokenRevoked,
}

/// Blocks a user. The caller's row is locked, so concurrent requests are counted one after the other, and none succeeds
/// after a revocation. The user's row is locked, too: a block of an account that is being deleted either precedes the
/// deletion, whose cleanup finds it, or fails.
pub(super) async fn block(
    database: &Database,
    caller: &Caller,
    name: &Username,
) -> Result<Outcome, Error> {
    let (blocker, now) = (u64::from(caller.id()), Utc::now().trunc_subsecs(3));
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        if !lock_caller(&mut transaction, caller).await? {
            return Ok(Outcome::TokenRevoked);
        }
        let Some(found) = find(&mut transaction, blocker, name).await? else {
            return Ok(Outcome::NoSuchUser);
        };
        if found.is_blocked {
            return Ok(Outcome::Blocked);
        }
        if found.blocks >= MAX_BLOCKS {
            return Ok(Outcome::LimitReached);
        }
        sqlx::query("INSERT INTO blocks (blocker_id, blocked_id, created_at) VALUES (?, ?, ?)")
            .bind(blocker)
            .bind(found.id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Outcome::Blocked)
    })
}

/// A user to be blocked.
struct Found {
    id: u64,
    is_blocked: bool,
    /// The number of users that the blocker blocks, without deleted ones: their blocks are deleted later.
    blocks: i64,
}

async fn find(
    transaction: &mut MySqlConnection,
    blocker: u64,
    name: &Username,
) -> sqlx::Result<Option<Found>> {
    let row = sqlx::query(
        "SELECT user.id, \
         (SELECT COUNT(*) FROM blocks AS b FORCE INDEX (PRIMARY) \
          STRAIGHT_JOIN users AS blocked ON blocked.id = b.blocked_id \
          WHERE b.blocker_id = ? AND blocked.username < '~') AS blocks, \
         EXISTS (SELECT 1 FROM blocks WHERE blocker_id = ? AND blocked_id = user.id) AS is_blocked \
         FROM users AS user WHERE user.username = ? FOR SHARE",
    )
    .bind(blocker)
    .bind(blocker)
    .bind(name.as_str())
    .fetch_optional(transaction)
    .await?;
    let found = |row: MySqlRow| {
        Ok(Found {
            id: row.try_get("id")?,
            is_blocked: row.try_get("is_blocked")?,
            blocks: row.try_get("blocks")?,
        })
    };
    row.map(found).transpose()
}

/// Unblocks a user, if there is one with this name that the caller blocks.
pub(super) async fn unblock(
    database: &Database,
    caller: &Caller,
    name: &Username,
) -> Result<(), Error> {
    with_connection!(database, |connection| {
        sqlx::query(
            "DELETE FROM blocks WHERE blocker_id = ? AND blocked_id = (SELECT id FROM users WHERE username = ?)",
        )
        .bind(u64::from(caller.id()))
        .bind(name.as_str())
        .execute(connection)
        .await
        .map(drop)
    })
}

/// The users that the caller blocks, the most recently blocked first. Without deleted ones, as they are counted.
pub(super) async fn blocks(database: &Database, caller: &Caller) -> Result<Vec<Block>, Error> {
    let mut blocks: Vec<Block> = with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT blocked.username, b.created_at FROM blocks AS b FORCE INDEX (PRIMARY) \
             STRAIGHT_JOIN users AS blocked ON blocked.id = b.blocked_id \
             WHERE b.blocker_id = ? AND blocked.username < '~'",
        )
        .bind(u64::from(caller.id()))
        .fetch_all(connection)
        .await?;
        rows.iter().map(block_of).collect::<sqlx::Result<_>>()
    })?;
    // Here rather than in MySQL, because the order of the index is that of the users' ids.
    blocks.sort_unstable_by(|one, other| {
        let key = |block: &Block| Reverse(block.created_at);
        key(one)
            .cmp(&key(other))
            .then_with(|| one.username.cmp(&other.username))
    });
    Ok(blocks)
}

fn block_of(row: &MySqlRow) -> sqlx::Result<Block> {
    Ok(Block {
        username: Username::stored(row.try_get("username")?),
        created_at: row.try_get("created_at")?,
    })
}

/// Deletes all blocks by an account, in the transaction that ends it.
pub(in crate::users) async fn delete_all_by(
    transaction: &mut MySqlConnection,
    blocker: UserId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM blocks WHERE blocker_id = ?")
        .bind(u64::from(blocker))
        .execute(transaction)
        .await
        .map(drop)
}

/// Deletes a batch of the blocks of a deleted account by others, of which there can be any number; `true` if there may
/// be more of them.
pub(in crate::users) async fn delete_some_of(
    database: &Database,
    blocked: UserId,
) -> Result<bool, Error> {
    let deleted = with_connection!(database, |connection| {
        sqlx::query("DELETE FROM blocks WHERE blocked_id = ? LIMIT ?")
            .bind(u64::from(blocked))
            .bind(BATCH)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == BATCH)
}

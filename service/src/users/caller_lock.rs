//! The lock of the caller's row, under which an account's resources are counted and added.

use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;

/// Locks the caller's row until the end of the transaction, so that concurrent requests are counted one after the
/// other. Returns `false` if the caller's tokens were revoked, or the account was deleted, after the request was
/// authorized.
pub(super) async fn lock_caller(
    transaction: &mut MySqlConnection,
    caller: &Caller,
) -> sqlx::Result<bool> {
    let epoch: Option<u32> =
        sqlx::query_scalar("SELECT token_epoch FROM users WHERE id = ? FOR UPDATE")
            .bind(u64::from(caller.id()))
            .fetch_optional(transaction)
            .await?;
    Ok(epoch == Some(caller.token_epoch()))
}

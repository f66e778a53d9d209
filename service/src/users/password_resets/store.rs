//! Forgotten passwords in MySQL.

use sqlx::Connection as _;

use crate::db::{Database, Error, with_connection};
use crate::mail::codes::CodeOwner;
use crate::mail::{Kind, Outbox, codes};
use crate::model::secret_code::CodeHash;
use crate::users::store::set_password;

/// Uses a code up and replaces the password of its owner, or does neither; `false` if the code cannot be used any more.
pub(super) async fn complete(
    database: &Database,
    outbox: &Outbox,
    owner: &CodeOwner,
    code: &CodeHash,
    password_hash: &str,
) -> Result<bool, Error> {
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        if !codes::use_up(&mut transaction, Kind::PasswordReset, code).await? {
            return Ok(false);
        }
        set_password(&mut transaction, owner.user, password_hash).await?;
        outbox
            .add(
                &mut transaction,
                Kind::PasswordChanged,
                owner.user,
                &owner.email,
            )
            .await?;
        transaction.commit().await?;
        Ok(true)
    })
}

//! The columns of accounts that access tokens and passwords are checked against.

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::db::{Database, Error, MAX_BATCH, SizedStatement, sized_statement, with_connection};
use crate::model::user::{UserId, Username};

/// An account, as access tokens are checked against it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) id: UserId,
    pub(crate) username: Username,
    pub(crate) token_epoch: u32,
}

/// An account, as passwords are checked against it.
pub(crate) struct Credentials {
    pub(crate) id: UserId,
    pub(crate) password_hash: String,
    pub(crate) token_epoch: u32,
}

const IDENTITIES: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    "SELECT id, username, token_epoch FROM users FORCE INDEX (PRIMARY) WHERE id IN (",
    "?",
    ")"
);
const _: () = assert!(IDENTITIES.capacity() >= MAX_BATCH);

/// Those of at most [`MAX_BATCH`] users that still exist, in any order.
pub(crate) async fn identities(
    database: &Database,
    users: &[UserId],
) -> Result<Vec<Identity>, Error> {
    with_connection!(database, |connection| select_identities(connection, users)
        .await)
}

/// The same on a connection that the caller has.
pub(crate) async fn select_identities(
    connection: &mut MySqlConnection,
    users: &[UserId],
) -> sqlx::Result<Vec<Identity>> {
    let (statement, places) = IDENTITIES.for_values(users);
    let rows = places
        .fold(sqlx::query(statement), |query, user| {
            query.bind(u64::from(*user))
        })
        .fetch_all(connection)
        .await?;
    let identity = |row: &MySqlRow| {
        Ok(Identity {
            id: UserId::from(row.try_get::<u64, _>("id")?),
            username: Username::stored(row.try_get("username")?),
            token_epoch: row.try_get("token_epoch")?,
        })
    };
    rows.iter().map(identity).collect()
}

/// The account with this name, if there is one.
pub(crate) async fn credentials(
    database: &Database,
    username: &Username,
) -> Result<Option<Credentials>, Error> {
    let row = with_connection!(database, |connection| {
        sqlx::query("SELECT id, password_hash, token_epoch FROM users WHERE username = ?")
            .bind(username.as_str())
            .fetch_optional(connection)
            .await
    })?;
    Ok(row.map(|row| Credentials {
        id: UserId::from(row.get::<u64, _>("id")),
        password_hash: row.get("password_hash"),
        token_epoch: row.get("token_epoch"),
    }))
}

/// Replaces an outdated password hash, unless the password was changed in the meantime.
pub(crate) async fn replace_hash(
    database: &Database,
    user: UserId,
    old: &str,
    new: &str,
) -> Result<(), Error> {
    with_connection!(database, |connection| {
        sqlx::query("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?")
            .bind(new)
            .bind(u64::from(user))
            .bind(old)
            .execute(connection)
            .await
            .map(drop)
    })
}

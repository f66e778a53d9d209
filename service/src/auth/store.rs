//! Reads the columns of accounts against which access tokens and passwords are checked.

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::db::{Database, Error, MAX_BATCH, SizedStatement, sized_statement, with_connection};
use crate::model::email::Email;
use crate::model::user::{UserId, Username};

/// An account, as access tokens are checked against it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) id: UserId,
    pub(crate) username: Username,
    pub(crate) token_epoch: u32,
    pub(crate) is_suspended: bool,
}

/// An account, as passwords are checked against it.
pub(crate) struct Credentials {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) password_hash: String,
    pub(crate) token_epoch: u32,
    pub(crate) is_suspended: bool,
}

/// The columns that [`identity`] reads, of `users AS caller LEFT JOIN suspensions AS suspension`.
macro_rules! identity_columns {
    () => {
        "caller.id AS caller_id, caller.username AS caller_name, caller.token_epoch, \
         suspension.user_id IS NOT NULL AS is_suspended"
    };
}
pub(crate) use identity_columns;

/// The tables of [`identity_columns`], after which others may be joined; with the condition of the first one if another
/// precedes it.
macro_rules! identity_tables {
    () => {
        $crate::auth::store::identity_tables!("")
    };
    ($on:literal) => {
        concat!(
            "users AS caller FORCE INDEX (PRIMARY) ",
            $on,
            " LEFT JOIN suspensions AS suspension ON suspension.user_id = caller.id"
        )
    };
}
pub(crate) use identity_tables;

const IDENTITIES: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    concat!(
        "SELECT ",
        identity_columns!(),
        " FROM ",
        identity_tables!(),
        " WHERE caller.id IN ("
    ),
    "?",
    ")"
);
const _: () = assert!(IDENTITIES.capacity() >= MAX_BATCH);

/// The identities of up to [`MAX_BATCH`] users, in any order, without users that do not exist.
pub(crate) async fn identities(
    database: &Database,
    users: &[UserId],
) -> Result<Vec<Identity>, Error> {
    with_connection!(database, |connection| select_identities(connection, users)
        .await)
}

/// The same on the caller's connection.
pub(crate) async fn select_identities(
    connection: &mut MySqlConnection,
    users: &[UserId],
) -> sqlx::Result<Vec<Identity>> {
    let (statement, values) = IDENTITIES.for_values(users);
    let rows = values
        .fold(sqlx::query(statement), |query, user| {
            query.bind(u64::from(*user))
        })
        .fetch_all(connection)
        .await?;
    rows.iter().map(identity).collect()
}

/// The identity of a row with the [`identity_columns`].
pub(crate) fn identity(row: &MySqlRow) -> sqlx::Result<Identity> {
    Ok(Identity {
        id: UserId::from(row.try_get::<u64, _>("caller_id")?),
        username: Username::stored(row.try_get("caller_name")?),
        token_epoch: row.try_get("token_epoch")?,
        is_suspended: row.try_get("is_suspended")?,
    })
}

/// The account with this name, if there is one.
pub(crate) async fn credentials(
    database: &Database,
    username: &Username,
) -> Result<Option<Credentials>, Error> {
    let row = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT id, email, password_hash, token_epoch, \
             EXISTS (SELECT 1 FROM suspensions WHERE user_id = id) AS is_suspended FROM users WHERE username = ?",
        )
        .bind(username.as_str())
        .fetch_optional(connection)
        .await
    })?;
    Ok(row.map(|row| Credentials {
        id: UserId::from(row.get::<u64, _>("id")),
        email: Email::stored(row.get("email")),
        password_hash: row.get("password_hash"),
        token_epoch: row.get("token_epoch"),
        is_suspended: row.get("is_suspended"),
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

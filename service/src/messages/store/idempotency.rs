//! Idempotency keys. A key is stored with its message, so that a retry gets the first response and sends nothing.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Executor as _, Row};

use crate::auth::Caller;
use crate::messages::store::message_key::SizedByKeys;
use crate::messages::store::row::id;
use crate::model::new_message::{IdempotencyKey, NewMessage, SentMetadata};

/// The state of a sender that explains why a message was not sent.
pub(super) struct Sender {
    pub(super) token_epoch: u32,
    /// The send that the key was used for before.
    pub(super) first_send: Option<FirstSend>,
}

/// The send that a key was used for.
pub(super) struct FirstSend {
    pub(super) fingerprint: Vec<u8>,
    pub(super) sent: SentMetadata,
}

/// The id of a user and a key, of which a user can use each once.
pub(super) type UserKey<'k> = (u64, &'k str);

pub(super) fn user_key<'k>(user: &Caller, key: &'k IdempotencyKey) -> UserKey<'k> {
    (u64::from(user.id()), key.as_str())
}

/// A message that was inserted for a request with a key.
pub(super) struct KeyedSend<'s> {
    pub(super) key: UserKey<'s>,
    pub(super) new: &'s NewMessage,
    pub(super) sent: SentMetadata,
}

mod statements {
    use crate::db::{ComposedStatement, composed_statement, placeholders};
    use crate::messages::store::message_key::{SizedByKeys, sized_by_keys};

    /// A lookup of each key by its own, which reads no other rows: those may be locked, and a scan of a small table
    /// would find them. Nothing is locked for keys that no transaction has stored.
    pub(super) const USED: SizedByKeys = sized_by_keys!(
        "SELECT STRAIGHT_JOIN used.user_id, used.idempotency_key FROM (VALUES ",
        "ROW(?,?)",
        ") AS asked (user_id, idempotency_key) JOIN idempotency_keys AS used FORCE INDEX (PRIMARY) \
         ON used.user_id = CAST(asked.user_id AS UNSIGNED) \
         AND used.idempotency_key = CONVERT(asked.idempotency_key USING ascii) COLLATE ascii_bin \
         FOR SHARE OF used NOWAIT"
    );
    /// As they are, whatever locks they have.
    pub(super) const TAKEN: SizedByKeys = sized_by_keys!(
        "SELECT user_id, idempotency_key FROM idempotency_keys FORCE INDEX (PRIMARY) \
         WHERE (user_id, idempotency_key) IN (",
        "(?,?)",
        ")"
    );

    macro_rules! insertion {
        ($count:tt) => {
            const_str::concat!(
                "INSERT INTO idempotency_keys (user_id, idempotency_key, fingerprint, message_id, created_at) VALUES ",
                placeholders!($count, "(?,?,?,?,?)")
            )
        };
    }
    pub(super) const INSERTIONS: ComposedStatement<&str> = composed_statement!(insertion);
}
use statements::{INSERTIONS, TAKEN, USED};

/// Stores the keys of messages. If one of them was used before, it violates the unique index.
pub(super) async fn insert(
    connection: &mut MySqlConnection,
    sends: &[KeyedSend<'_>],
) -> sqlx::Result<()> {
    for (statement, part) in INSERTIONS.parts(sends) {
        let query = part.iter().fold(sqlx::query(*statement), |query, send| {
            let (user, key) = send.key;
            query
                .bind(user)
                .bind(key)
                .bind(send.new.fingerprint().to_vec())
                .bind(send.sent.id.get())
                .bind(send.sent.created_at)
        });
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Which of the keys were used before; a conflict if a transaction that has not ended uses one of them.
pub(super) async fn used(
    connection: &mut MySqlConnection,
    keys: &[UserKey<'_>],
) -> sqlx::Result<Vec<(u64, String)>> {
    find_keys(connection, &USED, keys).await
}

/// If there are no keys, no statement is executed.
async fn find_keys(
    connection: &mut MySqlConnection,
    statement: &SizedByKeys,
    keys: &[UserKey<'_>],
) -> sqlx::Result<Vec<(u64, String)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (statement, keys) = statement.for_values(keys);
    let query = keys.fold(sqlx::query_as(statement), |query, (user, key)| {
        query.bind(*user).bind(*key)
    });
    query.fetch_all(connection).await
}

/// Which of the keys were used before, or are used by transactions that have not ended: a read that ignores whether
/// those will commit.
pub(super) async fn taken(
    connection: &mut MySqlConnection,
    keys: &[UserKey<'_>],
) -> sqlx::Result<Vec<(u64, String)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // It holds for the next transaction, which ends in any case.
    connection
        .execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        .await?;
    let mut transaction = connection.begin().await?;
    let taken = find_keys(&mut transaction, &TAKEN, keys).await?;
    transaction.rollback().await?;
    Ok(taken)
}

/// The sender, and the send that the key was used for, if there is one; `None` if the account does not exist.
pub(super) async fn find(
    connection: &mut MySqlConnection,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
) -> sqlx::Result<Option<Sender>> {
    let row = sqlx::query(
        "SELECT sender.token_epoch, used.fingerprint, used.message_id AS id, used.created_at \
         FROM users AS sender LEFT JOIN idempotency_keys AS used \
         ON used.user_id = sender.id AND used.idempotency_key = ? WHERE sender.id = ?",
    )
    // No key is empty.
    .bind(key.map_or("", IdempotencyKey::as_str))
    .bind(u64::from(caller.id()))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(sender).transpose()
}

fn sender(row: &MySqlRow) -> sqlx::Result<Sender> {
    let token_epoch = row.try_get("token_epoch")?;
    let first_send = match row.try_get("fingerprint")? {
        None => None,
        Some(fingerprint) => Some(FirstSend {
            fingerprint,
            sent: SentMetadata {
                id: id(row)?,
                created_at: row.try_get("created_at")?,
            },
        }),
    };
    Ok(Sender {
        token_epoch,
        first_send,
    })
}

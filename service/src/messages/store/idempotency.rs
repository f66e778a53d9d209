//! Idempotency keys. A key is stored with its message, so that a retry gets the first response and sends nothing.

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Caller;
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

/// Stores a key with its message.
pub(super) async fn insert(
    connection: &mut MySqlConnection,
    caller: &Caller,
    key: &IdempotencyKey,
    new: &NewMessage,
    sent: SentMetadata,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO idempotency_keys (user_id, idempotency_key, fingerprint, message_id, created_at) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(u64::from(caller.id()))
    .bind(key.as_str())
    .bind(&new.fingerprint()[..])
    .bind(sent.id.get())
    .bind(sent.created_at)
    .execute(connection)
    .await
    .map(drop)
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

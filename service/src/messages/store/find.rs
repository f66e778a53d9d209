//! A single message. Concurrent requests share a statement, which also looks up their users.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::store::{identity, identity_columns, identity_tables};
use crate::auth::{Caller, Sealed};
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, SizedStatement, sized_statement,
    with_connection,
};
use crate::messages::store::message_key::{self, MessageKey};
use crate::messages::store::receivers::ReceiversByMessage;
use crate::messages::store::row::{content, message_columns, sender};
use crate::model::message::{Message, MessageId};
use crate::model::user::UserId;

const STATEMENT: &str = concat!(
    "SELECT ",
    message_columns!(sender, viewer: "?"),
    ", m.sender_id = ? AS is_sender, r.is_read \
     FROM messages AS m STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
     LEFT JOIN receipts AS r FORCE INDEX (receipts_message) \
         ON r.message_id = m.id AND r.receiver_id = ? AND r.is_deleted = FALSE \
     WHERE m.id = ? AND (m.sender_id = ? OR r.receiver_id IS NOT NULL)"
);

/// The columns of [`Found`], for the user and the message of a key.
macro_rules! found_columns {
    () => {
        concat!(
            identity_columns!(),
            ", ",
            message_columns!(sender, viewer: "caller.id"),
            ", m.sender_id = caller.id AS is_sender, r.is_read"
        )
    };
}

/// The tables of [`found_columns`] after those of the identity, with an expression for the id of the message. A user
/// without such a message has a row without a message.
macro_rules! found_tables {
    ($message:literal) => {
        concat!(
            " LEFT JOIN receipts AS r FORCE INDEX (receipts_message) \
                 ON r.message_id = ",
            $message,
            " AND r.receiver_id = caller.id AND r.is_deleted = FALSE \
             LEFT JOIN messages AS m \
                 ON m.id = ",
            $message,
            " AND (m.sender_id = caller.id OR r.receiver_id IS NOT NULL) \
             LEFT JOIN users AS sender ON sender.id = m.sender_id"
        )
    };
}

/// Looked up by constants, which MySQL plans in less time than a join.
const ONE: &str = concat!(
    "SELECT ",
    found_columns!(),
    " FROM ",
    identity_tables!(),
    found_tables!("?"),
    " WHERE caller.id = ?"
);

const SEVERAL: SizedStatement<3> = sized_statement!(
    [2, 4, 8],
    concat!(
        "SELECT asked.message AS asked_id, ",
        found_columns!(),
        " FROM (VALUES "
    ),
    "ROW(?,?)",
    // The values have no type of their own, and compared as others they would not be looked up in an index.
    concat!(
        ") AS asked (caller, message) STRAIGHT_JOIN ",
        identity_tables!("ON caller.id = CAST(asked.caller AS UNSIGNED)"),
        found_tables!("CAST(asked.message AS UNSIGNED)")
    )
);

/// A request for a message that its user sent, or received and has not deleted.
pub(crate) struct FindRequest {
    pub(crate) user: UserId,
    pub(crate) message: MessageId,
}

/// What there is of a message for a user.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    Received(Message),
    /// The user sent it, and its receivers are read separately: see [`find`].
    Sent,
}

impl FindRequest {
    fn key(&self) -> MessageKey {
        (u64::from(self.user), self.message.get())
    }
}

fn found(row: &MySqlRow) -> sqlx::Result<Sealed<Found>> {
    let identity = identity(row)?;
    let found = match row.try_get("is_sender")? {
        None => Found::Nothing,
        Some(true) => Found::Sent,
        Some(false) => {
            let content = content(row, sender(row)?)?;
            let read = row.try_get("is_read")?;
            Found::Received(Message::of_receiver(
                content,
                identity.username.clone(),
                read,
            ))
        }
    };
    Ok(Sealed::new(Some(identity), found))
}

/// What there is of each of the messages for its user, without users that do not exist.
async fn select_several(
    connection: &mut MySqlConnection,
    keys: &[MessageKey],
) -> sqlx::Result<HashMap<MessageKey, Sealed<Found>>> {
    let (statement, keys) = SEVERAL.for_values(keys);
    let rows = message_key::bind(sqlx::query(statement), keys)
        .fetch_all(connection)
        .await?;
    let entry = |row: &MySqlRow| {
        let key = (row.try_get("caller_id")?, row.try_get("asked_id")?);
        Ok((key, found(row)?))
    };
    rows.iter().map(entry).collect()
}

impl Batch for FindRequest {
    type Context = Database;
    type Output = Sealed<Found>;

    /// Small, as those of pages: messages may be long, and MySQL's time is the cost.
    const LIMITS: BatchLimits = BatchLimits {
        concurrency: 2,
        max_in_flight: 8,
        min_batch: 4,
        max_batch: SEVERAL.capacity(),
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, database: &Database) -> Result<Sealed<Found>, Error> {
        let (user, message) = self.key();
        with_connection!(database, |connection| {
            let row = sqlx::query(ONE)
                .bind(message)
                .bind(message)
                .bind(user)
                .fetch_optional(connection)
                .await?;
            row.as_ref()
                .map_or_else(|| Ok(Sealed::new(None, Found::Nothing)), found)
        })
    }

    async fn run_batch(
        database: &Database,
        requests: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Sealed<Found>>>, Error> {
        let keys: Vec<_> = requests.iter().map(|request| request.key()).collect();
        with_connection!(database, |connection| {
            let found = select_several(connection, &keys).await?;
            let nothing = || Sealed::new(None, Found::Nothing);
            let outcome = |key| found.get(key).cloned().unwrap_or_else(nothing);
            Ok(keys.iter().map(outcome).map(BatchOutcome::Done).collect())
        })
    }
}

/// A message that the caller sent, or received and has not deleted.
pub(crate) async fn find(
    database: &Database,
    caller: &Caller,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    with_connection!(database, |connection| select_one(connection, caller, id)
        .await)
}

/// If the caller is both the sender and a receiver, the result is the message as received, with all its receivers.
pub(super) async fn select_one(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<Option<Message>> {
    let caller_id = u64::from(caller.id());
    let row = sqlx::query(STATEMENT)
        .bind(caller_id)
        .bind(caller_id)
        .bind(caller_id)
        .bind(id.get())
        .bind(caller_id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let content = content(&row, sender(&row)?)?;
    let own: Option<bool> = row.try_get("is_read")?;
    let name = || caller.username().clone();
    if let (Some(read), false) = (own, row.try_get("is_sender")?) {
        return Ok(Some(Message::of_receiver(content, name(), read)));
    }
    let ids = id.get()..=id.get();
    let mut receivers = ReceiversByMessage::of_range(connection, caller, ids).await?;
    let sent = receivers.message(content);
    Ok(sent.map(|sent| sent_by(caller, sent, own)))
}

/// A message that the caller sent, which the caller may also have received, and marked as read.
pub(super) fn sent_by(caller: &Caller, sent: Message, received: Option<bool>) -> Message {
    match received {
        Some(read) => Message {
            receiver: caller.username().clone(),
            read,
            ..sent
        },
        None => sent,
    }
}

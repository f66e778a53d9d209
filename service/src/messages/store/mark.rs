//! Marks received messages as read or unread.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Row};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, MAX_BATCH, SizedStatement, run_individually,
    sized_statement, unless_in_conflict, with_connection,
};
use crate::messages::store::changes::Changes;
use crate::messages::store::find::select_one;
use crate::messages::store::message_key::{MessageKey, bind, message_key};
use crate::messages::store::row::{content, message_columns, sender};
use crate::model::change::ChangeKind;
use crate::model::message::{Message, MessageId};

/// A request to mark a received message as read or unread.
pub(crate) struct MarkRequest<const READ: bool> {
    caller: Caller,
    id: MessageId,
}

/// Changes only receipts with the other status. It locks them by the primary key, as all other changes of receipts do;
/// see `mark_several`.
const MARK: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    "UPDATE receipts FORCE INDEX (PRIMARY) SET is_read = ? WHERE is_read = ? \
     AND (receiver_id, is_deleted, message_id) IN (",
    "(?,0,?)",
    ")"
);
const MESSAGES: SizedStatement<4> = sized_statement!(
    [1, 4, 16, 64],
    concat!(
        "SELECT ",
        message_columns!(sender, viewer: "r.receiver_id"),
        ", r.is_read, r.receiver_id, m.sender_id = r.receiver_id AS is_to_oneself \
     FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
     STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
     WHERE (r.receiver_id, r.is_deleted, r.message_id) IN ("
    ),
    "(?,0,?)",
    ")"
);

const _: () = assert!(MARK.capacity() >= MAX_BATCH && MESSAGES.capacity() >= MAX_BATCH);

impl<const READ: bool> MarkRequest<READ> {
    pub(crate) fn new(caller: Caller, id: MessageId) -> Self {
        Self { caller, id }
    }

    fn key(&self) -> MessageKey {
        message_key(&self.caller, self.id)
    }
}

/// The output is the message; `None` if the caller has not received it, or has deleted it.
impl<const READ: bool> Batch for MarkRequest<READ> {
    type Context = Database;
    type Output = Option<Message>;

    const LIMITS: BatchLimits = BatchLimits::GROUP_COMMIT;

    async fn run_one(&self, database: &Database) -> Result<Option<Message>, Error> {
        let (requests, keys) = ([self], [self.key()]);
        with_connection!(database, |connection| {
            loop {
                // Each repetition follows another transaction that has changed the receipt.
                if let Some(mut marked) = mark_all(database, connection, &requests, &keys).await? {
                    return Ok(marked.pop().flatten());
                }
            }
        })
    }

    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Option<Message>>>, Error> {
        let requests: Vec<_> = all.iter().map(|one| &**one).collect();
        let keys: Vec<_> = all.iter().map(|one| one.key()).collect();
        with_connection!(database, |connection| {
            let marked = mark_all(database, connection, &requests, &keys).await;
            unless_in_conflict(
                all,
                marked.map(|marked| match marked {
                    None => run_individually(all),
                    Some(marked) => marked.into_iter().map(BatchOutcome::Done).collect(),
                }),
            )
        })
    }
}

/// Marks the messages, and returns them as their receivers see them; `None`, without marking any, if one of them is
/// changed concurrently. Nothing is written for messages that have the status already.
async fn mark_all<const READ: bool>(
    database: &Database,
    connection: &mut MySqlConnection,
    all: &[&MarkRequest<READ>],
    keys: &[MessageKey],
) -> sqlx::Result<Option<Vec<Option<Message>>>> {
    let (statement, values) = MESSAGES.for_values(keys);
    let rows = bind(sqlx::query(statement), values)
        .fetch_all(&mut *connection)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    let mut others = BTreeSet::new();
    for row in &rows {
        let key: MessageKey = (row.try_get("receiver_id")?, row.try_get("id")?);
        if row.try_get::<bool, _>("is_read")? != READ {
            others.insert(key);
        }
        found.insert(key, row);
    }
    if !others.is_empty() && !change(database, connection, READ, &others).await? {
        return Ok(None);
    }
    let mut messages = Vec::with_capacity(all.len());
    for (request, key) in all.iter().zip(keys) {
        messages.push(match found.get(key) {
            None => None,
            // A sender sees a message with all its receivers.
            Some(row) if row.try_get("is_to_oneself")? => {
                let message = select_one(connection, &request.caller, request.id).await?;
                message.map(|message| Message {
                    read: READ, // although another request may have marked it otherwise before it was read
                    ..message
                })
            }
            Some(row) => {
                let content = content(row, sender(row)?)?;
                let receiver = request.caller.username().clone();
                Some(Message::of_receiver(content, receiver, READ))
            }
        });
    }
    Ok(Some(messages))
}

/// Changes the status of all the receipts and records that, or returns `false`.
async fn change(
    database: &Database,
    connection: &mut MySqlConnection,
    read: bool,
    keys: &BTreeSet<MessageKey>,
) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    let keys: Vec<_> = keys.iter().copied().collect();
    let (statement, values) = MARK.for_values(&keys);
    let marked = bind(sqlx::query(statement).bind(read).bind(!read), values)
        .execute(&mut *transaction)
        .await?;
    if marked.rows_affected() != keys.len() as u64 {
        transaction.rollback().await?;
        return Ok(false);
    }
    let changes: Changes = keys.into_iter().collect();
    changes
        .record(&mut transaction, ChangeKind::marked(read))
        .await?;
    database.commit_events(transaction).await?;
    Ok(true)
}

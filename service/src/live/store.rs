//! The statements of the tailer, and those that read the backlog of a stream.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, Row};

use crate::auth::{Caller, store as auth};
use crate::db::{Database, Error, MAX_BATCH, SizedStatement, with_connection};
use crate::messages::store::{content, received_message};
use crate::model::message::{Content, Message};
use crate::model::user::{UserId, Username};

/// A receipt: a message and one of its receivers.
pub(super) struct ReceiptRow {
    pub(super) message: u64,
    pub(super) receiver: u64,
    /// Deleted by the receiver, or on arrival because the receiver blocks the sender.
    pub(super) is_deleted: bool,
}

/// Receipts that are read by one statement. More than one message can have receivers.
const RECEIPTS_PER_POLL: u64 = 1_000;
/// Entries of a backlog that are read by one statement.
const BACKLOG_PAGE: u64 = 100;

/// Missing ids that one statement can look for.
pub(super) const MAX_MISSING: usize = by_ids::ARRIVED.capacity();

/// The statements that select several messages by id.
mod by_ids {
    use crate::db::{SizedStatement, sized_statement};
    use crate::messages::store::message_columns;

    pub(super) const ARRIVED: SizedStatement<2> = sized_statement!(
        [100, 400],
        "SELECT message_id, receiver_id, is_deleted FROM receipts FORCE INDEX (receipts_message) WHERE message_id IN (",
        "?",
        ")"
    );
    pub(super) const CONTENTS: SizedStatement<1> = sized_statement!(
        [100],
        concat!(
            "SELECT ",
            message_columns!(sender, viewer: "m.sender_id"),
            " FROM messages AS m FORCE INDEX (PRIMARY) STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
             WHERE m.id IN ("
        ),
        "?",
        ")"
    );
    pub(super) const REPLY_VIEWERS: SizedStatement<1> = sized_statement!(
        [100],
        "SELECT message_id, user_id FROM replies FORCE INDEX (PRIMARY) WHERE message_id IN (",
        "?",
        ")"
    );
    /// The messages of a receiver that has not deleted them.
    pub(super) const BACKLOG_PAGE: SizedStatement<1> = sized_statement!(
        [100],
        concat!(
            "SELECT ",
            message_columns!(sender, viewer: "r.receiver_id"),
            ", r.is_read FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
             STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id WHERE r.message_id IN ("
        ),
        "?",
        ") AND r.receiver_id = ? AND r.is_deleted = FALSE"
    );
}

/// A statement with these ids, up to its capacity.
pub(super) fn query_by_ids<const N: usize>(
    statement: &SizedStatement<N>,
    ids: &[u64],
) -> Query<'static, MySql, MySqlArguments> {
    let (statement, values) = statement.for_values(ids);
    values.fold(sqlx::query(statement), |query, id| query.bind(*id))
}

fn receipts(rows: &[MySqlRow]) -> Vec<ReceiptRow> {
    let receipt = |row: &MySqlRow| ReceiptRow {
        message: row.get("message_id"),
        receiver: row.get("receiver_id"),
        is_deleted: row.get("is_deleted"),
    };
    rows.iter().map(receipt).collect()
}

/// The receipts after this id, all those of a message together, and whether there may be more.
pub(super) async fn receipts_after(
    database: &Database,
    id: u64,
) -> Result<(Vec<ReceiptRow>, bool), Error> {
    let rows = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT message_id, receiver_id, is_deleted FROM receipts FORCE INDEX (receipts_message) \
             WHERE message_id > ? ORDER BY message_id LIMIT ?",
        )
        .bind(id)
        .bind(RECEIPTS_PER_POLL)
        .fetch_all(connection)
        .await
    })?;
    let mut receipts = receipts(&rows);
    let is_truncated = receipts.len() as u64 == RECEIPTS_PER_POLL;
    if is_truncated {
        // The last message may have further receipts beyond the limit.
        let last = receipts.last().map_or(0, |last| last.message);
        receipts.retain(|receipt| receipt.message < last);
    }
    Ok((receipts, is_truncated))
}

/// The receipts of those of these messages, up to [`MAX_MISSING`], that are committed.
pub(super) async fn receipts_of(
    database: &Database,
    ids: &[u64],
) -> Result<Vec<ReceiptRow>, Error> {
    let rows = with_connection!(database, |connection| {
        query_by_ids(&by_ids::ARRIVED, ids)
            .fetch_all(connection)
            .await
    })?;
    Ok(receipts(&rows))
}

/// A message, and the users who see that it is a reply.
pub(super) struct NewMessage {
    pub(super) content: Content,
    pub(super) reply_viewers: Vec<u64>,
}

impl NewMessage {
    /// The content as this user sees it.
    pub(super) fn content_for(&self, user: UserId) -> Content {
        let is_viewer = self.reply_viewers.contains(&u64::from(user));
        Content {
            in_reply_to: self.content.in_reply_to.filter(|_| is_viewer),
            ..self.content.clone()
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.content.memory_bytes() + size_of_val(&self.reply_viewers[..])
    }
}

/// Those of these messages, up to 100, that still exist.
pub(super) async fn contents(database: &Database, ids: &[u64]) -> Result<Vec<NewMessage>, Error> {
    with_connection!(database, |connection| {
        let rows = query_by_ids(&by_ids::CONTENTS, ids)
            .fetch_all(&mut *connection)
            .await?;
        let content = |row| content(row, Username::stored(row.try_get("sender")?));
        let contents = rows.iter().map(content).collect::<sqlx::Result<Vec<_>>>()?;
        // The sender sees every reply as one.
        let replies = contents.iter().filter(|one| one.in_reply_to.is_some());
        let replies: Vec<_> = replies.map(|reply| reply.id.get()).collect();
        let mut viewers = reply_viewers(connection, &replies).await?;
        let message = |content: Content| NewMessage {
            reply_viewers: viewers.remove(&content.id.get()).unwrap_or_default(),
            content,
        };
        Ok(contents.into_iter().map(message).collect())
    })
}

/// The users who see that these messages are replies, by message. If there are none, no statement is executed.
async fn reply_viewers(
    connection: &mut MySqlConnection,
    replies: &[u64],
) -> sqlx::Result<BTreeMap<u64, Vec<u64>>> {
    let mut viewers = BTreeMap::<_, Vec<_>>::new();
    if replies.is_empty() {
        return Ok(viewers);
    }
    let rows = query_by_ids(&by_ids::REPLY_VIEWERS, replies)
        .fetch_all(connection)
        .await?;
    for row in &rows {
        let of_message = viewers.entry(row.try_get("message_id")?).or_default();
        of_message.push(row.try_get("user_id")?);
    }
    Ok(viewers)
}

/// Users whose tokens were revoked within the last seconds, each with the first epoch whose tokens are valid.
pub(super) async fn revocations(database: &Database) -> Result<Vec<(u64, u32)>, Error> {
    let rows = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT user_id, token_epoch FROM revocations WHERE revoked_at > UTC_TIMESTAMP(3) - INTERVAL 15 SECOND",
        )
        .fetch_all(connection)
        .await
    })?;
    let revocation = |row: &MySqlRow| (row.get("user_id"), row.get("token_epoch"));
    Ok(rows.iter().map(revocation).collect())
}

/// The first epoch whose tokens are valid, of each user; no token of a deleted account is valid.
pub(super) async fn epochs(database: &Database, ids: &[u64]) -> Result<Vec<(u64, u32)>, Error> {
    let mut epochs = Vec::with_capacity(ids.len());
    for some in ids.chunks(MAX_BATCH) {
        let asked: Vec<_> = some.iter().copied().map(UserId::from).collect();
        let found = auth::identities(database, &asked).await?;
        epochs.extend(some.iter().map(|id| {
            let user = found.iter().find(|user| u64::from(user.id) == *id);
            (*id, user.map_or(u32::MAX, |user| user.token_epoch))
        }));
    }
    Ok(epochs)
}

/// A message of a backlog, and its size.
#[derive(Clone, Copy)]
pub(super) struct BacklogEntry {
    pub(super) id: u64,
    pub(super) bytes: u64,
}

/// The first entries of the backlog in a range of ids, oldest first, without messages that the caller has deleted; and
/// whether there may be more.
pub(super) async fn backlog(
    database: &Database,
    caller: &Caller,
    ids: &RangeInclusive<u64>,
) -> Result<(Vec<BacklogEntry>, bool), Error> {
    with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT m.id, CAST(LENGTH(m.subject) + LENGTH(m.body) AS UNSIGNED) AS bytes \
             FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
             WHERE r.receiver_id = ? AND r.is_deleted = FALSE AND r.message_id BETWEEN ? AND ? \
             ORDER BY r.message_id LIMIT ?",
        )
        .bind(u64::from(caller.id()))
        .bind(ids.start())
        .bind(ids.end())
        .bind(BACKLOG_PAGE)
        .fetch_all(connection)
        .await?;
        let entry = |row: &MySqlRow| {
            Ok(BacklogEntry {
                id: row.try_get("id")?,
                bytes: row.try_get("bytes")?,
            })
        };
        let is_truncated = rows.len() as u64 == BACKLOG_PAGE;
        let entries: sqlx::Result<Vec<_>> = rows.iter().map(entry).collect();
        Ok((entries?, is_truncated))
    })
}

/// These messages, up to 100, oldest first, without those that the caller has deleted or never received.
pub(super) async fn backlog_messages(
    database: &Database,
    caller: &Caller,
    ids: &[u64],
) -> Result<Vec<Message>, Error> {
    let mut messages = with_connection!(database, |connection| {
        let rows = query_by_ids(&by_ids::BACKLOG_PAGE, ids)
            .bind(u64::from(caller.id()))
            .fetch_all(connection)
            .await?;
        let message = |row| received_message(row, caller.username().clone());
        rows.iter()
            .map(message)
            .collect::<sqlx::Result<Vec<Message>>>()
    })?;
    messages.sort_unstable_by_key(|message| message.id);
    Ok(messages)
}

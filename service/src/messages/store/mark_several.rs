//! Marks several received messages as read or unread by one request.

use sqlx::Connection;

use crate::auth::Caller;
use crate::db::{Database, Error, SizedStatement, sized_statement, with_connection};
use crate::messages::store::changes::{Changes, MAX_IDS_PER_ROW};
use crate::model::change::ChangeKind;
use crate::model::marking::{IDS, Marking, Selection};
use crate::model::message::MessageId;

/// Messages that one request changes; the client repeats the request for the others.
const MAX_CHANGES: usize = 1_000;

/// The outcome of a request.
pub(crate) struct Marked {
    /// The number of messages whose status has changed.
    pub(crate) changed: u64,
    /// Whether there may be more messages to change.
    pub(crate) has_more: bool,
}

/// The newest messages with the other status. The index has them next to each other, however large the inbox is.
const FIND: &str = "SELECT message_id FROM receipts FORCE INDEX (receipts_read) \
     WHERE receiver_id = ? AND is_deleted = FALSE AND is_read = ? AND message_id <= ? ORDER BY message_id DESC LIMIT ?";
/// Locks those of the receipts that have the other status, by the primary key in the order of ids, as all other changes
/// of receipts do. By `receipts_read`, which they change, it would lock the entries of the two indexes in the opposite
/// order, and deadlock with them.
const LOCK: SizedStatement<2> = sized_statement!(
    [10, 100],
    "SELECT message_id FROM receipts FORCE INDEX (PRIMARY) \
     WHERE receiver_id = ? AND is_deleted = FALSE AND is_read = ? AND message_id IN (",
    "?",
    ") FOR UPDATE"
);
const MARK: SizedStatement<2> = sized_statement!(
    [10, 100],
    "UPDATE receipts FORCE INDEX (PRIMARY) SET is_read = ? \
     WHERE receiver_id = ? AND is_deleted = FALSE AND message_id IN (",
    "?",
    ")"
);
const _: () = assert!(LOCK.capacity() >= *IDS.end() && MARK.capacity() >= LOCK.capacity());
const _: () = assert!(LOCK.capacity() <= MAX_IDS_PER_ROW);

/// Marks the messages in portions, each of which is a transaction of its own: no change waits for
/// more than one portion. If one of them fails, those before it stay, and the request can be repeated.
pub(crate) async fn mark_several(
    database: &Database,
    caller: &Caller,
    marking: &Marking,
) -> Result<Marked, Error> {
    let read = marking.read;
    match &marking.selection {
        Selection::Ids(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| id.get()).collect();
            let changed = mark_portion(database, caller, read, &ids).await?;
            let has_more = false;
            Ok(Marked { changed, has_more })
        }
        Selection::Until(last) => {
            let mut ids = find(database, caller, !read, *last).await?;
            let has_more = ids.len() > MAX_CHANGES;
            ids.truncate(MAX_CHANGES);
            let mut changed = 0;
            for portion in ids.chunks(LOCK.capacity()) {
                changed += mark_portion(database, caller, read, portion).await?;
            }
            Ok(Marked { changed, has_more })
        }
    }
}

/// The newest messages up to `last` with this status, and one more than a request changes if there are as many.
async fn find(
    database: &Database,
    caller: &Caller,
    read: bool,
    last: MessageId,
) -> Result<Vec<u64>, Error> {
    with_connection!(database, |connection| {
        sqlx::query_scalar(FIND)
            .bind(u64::from(caller.id()))
            .bind(read)
            .bind(last.get())
            .bind(MAX_CHANGES as u64 + 1)
            .fetch_all(connection)
            .await
    })
}

/// Marks at most as many messages as the statement has placeholders for; returns how many have changed.
async fn mark_portion(
    database: &Database,
    caller: &Caller,
    read: bool,
    ids: &[u64],
) -> Result<u64, Error> {
    let user = u64::from(caller.id());
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let (statement, values) = LOCK.for_values(ids);
        let locking = sqlx::query_scalar(statement).bind(user).bind(!read);
        let changed: Vec<u64> = values
            .fold(locking, |query, id| query.bind(*id))
            .fetch_all(&mut *transaction)
            .await?;
        if changed.is_empty() {
            transaction.rollback().await?;
            return Ok(0);
        }
        let (statement, values) = MARK.for_values(&changed);
        let marking = sqlx::query(statement).bind(read).bind(user);
        values
            .fold(marking, |query, id| query.bind(*id))
            .execute(&mut *transaction)
            .await?;
        let count = changed.len() as u64;
        let marked: Changes = changed.into_iter().map(|id| (user, id)).collect();
        marked
            .record(&mut transaction, ChangeKind::marked(read))
            .await?;
        database.commit_events(transaction).await?;
        Ok(count)
    })
}

//! The changes of messages: their rows, and their events.

use std::ops::RangeInclusive;

use serde::Serialize;
use sqlx::Row;
use sqlx::mysql::MySqlRow;

use crate::auth::Caller;
use crate::db::{Database, Error, SizedStatement, sized_statement, with_connection};
use crate::live::store::{MAX_MISSING, query_by_ids};
use crate::model::change::ChangeKind;

/// Changes that one statement of the tailer reads.
const CHANGES_PER_POLL: u64 = 500;
/// Changes that a stream reads at once, of up to 2 KB each.
const MISSED_PER_PAGE: u64 = 50;

const BY_IDS: SizedStatement<2> = sized_statement!(
    [100, 400],
    "SELECT id, user_id, kind, message_ids FROM message_changes FORCE INDEX (PRIMARY) WHERE id IN (",
    "?",
    ")"
);
const _: () = assert!(BY_IDS.capacity() >= MAX_MISSING);

/// Messages of one user that were changed by one transaction.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) id: u64,
    pub(super) user: u64,
    /// `None` if it is from a later version, or of no user.
    kind: Option<ChangeKind>,
    messages: Vec<u64>,
}

/// The data of a `marked` event.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MarkedEvent {
    /// The messages, in the order of their ids.
    #[schema(min_items = 1, max_items = 100, example = json!([8, 9]))]
    ids: Vec<u64>,
    /// Whether they are read now.
    #[schema(example = true)]
    read: bool,
}

/// The data of a `deleted` event.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DeletedEvent {
    /// The messages, in the order of their ids.
    #[schema(min_items = 1, max_items = 100, example = json!([8, 9]))]
    ids: Vec<u64>,
}

impl Change {
    fn from_row(row: &MySqlRow) -> sqlx::Result<Self> {
        let kind: String = row.try_get("kind")?;
        let messages: String = row.try_get("message_ids")?;
        let messages = messages.split(',').filter_map(|id| id.parse().ok());
        Ok(Self {
            id: row.try_get("id")?,
            user: row.try_get("user_id")?,
            kind: ChangeKind::stored(&kind),
            messages: messages.collect(),
        })
    }

    /// The name and the data of its event; `None` if it has none.
    pub(super) fn event(&self) -> Option<(&'static str, String)> {
        let ids = self.messages.clone();
        let (name, data) = match self.kind? {
            ChangeKind::Deleted => ("deleted", serde_json::to_string(&DeletedEvent { ids })),
            kind => {
                let read = kind == ChangeKind::Read;
                ("marked", serde_json::to_string(&MarkedEvent { ids, read }))
            }
        };
        Some((name, data.unwrap_or_default()))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&self.messages[..])
    }
}

fn changes(rows: &[MySqlRow]) -> sqlx::Result<Vec<Change>> {
    rows.iter().map(Change::from_row).collect()
}

/// The changes after this id, oldest first, and whether there may be more.
pub(super) async fn after(database: &Database, id: u64) -> Result<(Vec<Change>, bool), Error> {
    let found = with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT id, user_id, kind, message_ids FROM message_changes FORCE INDEX (PRIMARY) \
             WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(id)
        .bind(CHANGES_PER_POLL)
        .fetch_all(connection)
        .await?;
        changes(&rows)
    })?;
    let is_truncated = found.len() as u64 == CHANGES_PER_POLL;
    Ok((found, is_truncated))
}

/// Those of these changes, up to [`MAX_MISSING`], that are committed.
pub(super) async fn committed(database: &Database, ids: &[u64]) -> Result<Vec<Change>, Error> {
    with_connection!(database, |connection| {
        let rows = query_by_ids(&BY_IDS, ids).fetch_all(connection).await?;
        changes(&rows)
    })
}

/// The first changes of the caller in a range of ids, oldest first, and whether there may be more.
pub(super) async fn of_caller(
    database: &Database,
    caller: &Caller,
    ids: &RangeInclusive<u64>,
) -> Result<(Vec<Change>, bool), Error> {
    let found = with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT id, user_id, kind, message_ids FROM message_changes FORCE INDEX (message_changes_user) \
             WHERE user_id = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?",
        )
        .bind(u64::from(caller.id()))
        .bind(ids.start())
        .bind(ids.end())
        .bind(MISSED_PER_PAGE)
        .fetch_all(connection)
        .await?;
        changes(&rows)
    })?;
    let is_truncated = found.len() as u64 == MISSED_PER_PAGE;
    Ok((found, is_truncated))
}

/// Whether changes from this id on may have been deleted, since they are kept for a day. The newest of those that have
/// expired stays, so the first row of the table tells.
pub(super) async fn are_incomplete_from(database: &Database, id: u64) -> Result<bool, Error> {
    let first: Option<u64> = with_connection!(database, |connection| {
        sqlx::query_scalar("SELECT MIN(id) FROM message_changes")
            .fetch_one(connection)
            .await
    })?;
    Ok(first.is_some_and(|first| id < first))
}

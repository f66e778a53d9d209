//! The tables that a tailer follows by their ids: the statements that tell which ids are assigned and committed.

use sqlx::Row;

use crate::db::{
    BatchLimits, Database, Error, MAX_BATCH, SizedStatement, is_locked, sized_statement,
    with_connection,
};
use crate::live::id_cursor::IdCursor;
use crate::live::id_ranges::IdRanges;
use crate::live::store::{MAX_MISSING, query_by_ids};

/// A table with increasing ids.
pub(super) struct FollowedTable {
    /// Ids before the newest that may belong to rows not yet committed.
    pub(super) window: u64,
    newest: &'static str,
    after: &'static str,
    /// The newest row that was inserted longer ago than a transaction takes from its first insertion to its last one,
    /// and than the clocks of hosts differ. A lower id belongs to a row in flight only if it is locked.
    newest_old: &'static str,
    /// The first id, if its row is older than any transaction; no lower one is in flight then. `None` if rows in the
    /// middle are deleted, too.
    settled: Option<&'static str>,
    /// Fails if a transaction is inserting or deleting one of the rows.
    in_flight: SizedStatement<2>,
    definition: &'static str,
}

/// The most replicas that share a database: ten on each of six hosts.
const MAX_REPLICAS: usize = 60;
/// The connections of a replica by default, each of which can have a transaction in progress. If settings give replicas
/// more, the windows are enough for fewer of them.
const CONNECTIONS: usize = 16;

/// The messages.
pub(super) const MESSAGES: FollowedTable = FollowedTable {
    window: 20_000,
    newest: "SELECT MAX(id) FROM messages",
    after: "SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id > ?",
    newest_old: "SELECT id FROM messages FORCE INDEX (PRIMARY) \
                 WHERE id > ? AND created_at < UTC_TIMESTAMP(3) - INTERVAL 10 SECOND ORDER BY id DESC LIMIT 1",
    settled: None,
    in_flight: sized_statement!(
        [100, 400],
        "SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id IN (",
        "?",
        ") FOR SHARE NOWAIT"
    ),
    definition: "SHOW CREATE TABLE messages",
};

/// The changes. Those of a statement are consecutive, so few ranges are missing.
pub(super) const CHANGES: FollowedTable = FollowedTable {
    window: 100_000,
    newest: "SELECT MAX(id) FROM message_changes",
    after: "SELECT id FROM message_changes FORCE INDEX (PRIMARY) WHERE id > ?",
    newest_old: "SELECT id FROM message_changes FORCE INDEX (PRIMARY) \
                 WHERE id > ? AND created_at < UTC_TIMESTAMP(3) - INTERVAL 10 SECOND ORDER BY id DESC LIMIT 1",
    settled: Some(
        "SELECT CAST(IF(created_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE, id, 0) AS UNSIGNED) \
         FROM message_changes WHERE id = (SELECT MIN(id) FROM message_changes)",
    ),
    in_flight: sized_statement!(
        [100, 400],
        "SELECT id FROM message_changes FORCE INDEX (PRIMARY) WHERE id IN (",
        "?",
        ") FOR SHARE NOWAIT"
    ),
    definition: "SHOW CREATE TABLE message_changes",
};

/// The transactions of one kind of group commit that a replica can have in progress.
const BATCHES: usize = BatchLimits::GROUP_COMMIT.max_in_flight;
/// The ids that a replica can have in flight: those of its batches of sends, and one on each connection.
const MESSAGES_IN_FLIGHT: usize = BATCHES * MAX_BATCH + CONNECTIONS;
/// The same for changes: batches of marks as read and of marks as unread have an id for each item, and those of
/// deletions and transactions on all other connections up to twice as many.
const CHANGES_IN_FLIGHT: usize =
    2 * BATCHES * MAX_BATCH + (CONNECTIONS - 2 * BATCHES) * 2 * MAX_BATCH;
const _: () = assert!(MESSAGES.window >= (MAX_REPLICAS * MESSAGES_IN_FLIGHT) as u64);
const _: () = assert!(CHANGES.window >= (MAX_REPLICAS * CHANGES_IN_FLIGHT) as u64);

const _: () = assert!(MESSAGES.in_flight.capacity() >= MAX_MISSING);
const _: () = assert!(CHANGES.in_flight.capacity() >= MAX_MISSING);

impl FollowedTable {
    /// The cursor at the newest row. Ids shortly before it that do not exist may be in flight.
    pub(super) async fn newest(&self, database: &Database) -> Result<IdCursor, Error> {
        with_connection!(database, |connection| {
            let newest: Option<u64> = sqlx::query_scalar(self.newest)
                .fetch_one(&mut *connection)
                .await?;
            let reached = newest.unwrap_or(0);
            let settled = match self.settled {
                Some(statement) => {
                    sqlx::query_scalar(statement)
                        .fetch_optional(&mut *connection)
                        .await?
                }
                None => None,
            };
            let begin = reached
                .saturating_sub(self.window)
                .max(settled.unwrap_or(0));
            let there: Vec<u64> = sqlx::query_scalar(self.after)
                .bind(begin)
                .fetch_all(connection)
                .await?;
            let mut missing = IdRanges::default();
            if begin + 1 < reached {
                missing.append(begin + 1, reached - 1);
            }
            for id in there {
                missing.remove(id);
            }
            Ok(IdCursor { reached, missing })
        })
    }

    /// The first missing id that may belong to a row in flight although it is not locked: one after the newest old row.
    pub(super) async fn first_recent(
        &self,
        database: &Database,
        missing: &IdRanges,
    ) -> Result<u64, Error> {
        let Some(first) = missing.first() else {
            return Ok(0);
        };
        let old: Option<u64> = with_connection!(database, |connection| {
            sqlx::query_scalar(self.newest_old)
                .bind(first)
                .fetch_optional(connection)
                .await
        })?;
        Ok(old.map_or(first, |old| old + 1))
    }

    /// Whether a transaction is inserting or deleting one of these rows, up to [`MAX_MISSING`]. An uncommitted row is
    /// locked by its transaction.
    pub(super) async fn are_in_flight(
        &self,
        database: &Database,
        ids: &[u64],
    ) -> Result<bool, Error> {
        let looked = with_connection!(database, |connection| {
            query_by_ids(&self.in_flight, ids)
                .fetch_all(connection)
                .await
        });
        match looked {
            Ok(_) => Ok(false),
            Err(error) if is_locked(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Whether the database has assigned this id or a later one, to a row that may be in flight, deleted, or rolled
    /// back. It has not if the id is forged, or was assigned after the backup from which the database was restored.
    pub(super) async fn has_assigned(&self, database: &Database, id: u64) -> Result<bool, Error> {
        let table: String = with_connection!(database, |connection| {
            // The value in information_schema may be a day old.
            let row = sqlx::raw_sql(self.definition).fetch_one(connection).await?;
            row.try_get(1)
        })?;
        Ok(id < next_id(&table))
    }
}

/// The next id to be assigned, from the definition of the table, which omits the first one.
fn next_id(table: &str) -> u64 {
    let options = table.rsplit_once(" AUTO_INCREMENT=");
    let digits = options.map(|(_, rest)| rest.split(' ').next().unwrap_or(rest));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::next_id;

    #[test]
    fn the_next_id_is_read_from_the_definition_of_the_table() {
        let table = |options: &str| {
            format!(
                "CREATE TABLE `messages` (\n  `id` bigint AUTO_INCREMENT,\n) \
                 ENGINE=InnoDB{options} DEFAULT CHARSET=utf8mb4"
            )
        };
        assert_eq!(next_id(&table("")), 1);
        assert_eq!(next_id(&table(" AUTO_INCREMENT=43")), 43);
    }
}

//! The tables that a tailer follows by their ids: the statements that tell which ids are assigned and committed.

use sqlx::Row;

use crate::db::{Database, Error, SizedStatement, is_locked, sized_statement, with_connection};
use crate::live::id_cursor::IdCursor;
use crate::live::id_ranges::IdRanges;
use crate::live::store::{MAX_IDS, query_by_ids};

/// A table with increasing ids.
pub(super) struct FollowedTable {
    /// Ids before the newest that may belong to rows not yet committed.
    pub(super) window: u64,
    newest: &'static str,
    after: &'static str,
    /// The first id, if its row is older than any transaction; no lower one is in flight then. `None` if rows in the
    /// middle are deleted, too.
    settled: Option<&'static str>,
    /// Fails if a transaction is inserting or deleting one of the rows.
    in_flight: SizedStatement<1>,
    definition: &'static str,
}

/// The messages. More ids than the window cannot be in flight at once: a replica sends four batches of 64 messages, and
/// some individually. All of them fit into a cursor, whatever their pattern.
pub(super) const MESSAGES: FollowedTable = FollowedTable {
    window: 2_000,
    newest: "SELECT MAX(id) FROM messages",
    after: "SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id > ?",
    settled: None,
    in_flight: sized_statement!(
        [100],
        "SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id IN (",
        "?",
        ") FOR SHARE NOWAIT"
    ),
    definition: "SHOW CREATE TABLE messages",
};

/// The changes. A replica commits twelve batches at once, four of which have up to 128 ids and the others up to 64, and
/// on each other connection up to 128 ids. Those of a statement are consecutive, so few ranges are missing.
pub(super) const CHANGES: FollowedTable = FollowedTable {
    window: 10_000,
    newest: "SELECT MAX(id) FROM message_changes",
    after: "SELECT id FROM message_changes FORCE INDEX (PRIMARY) WHERE id > ?",
    settled: Some(
        "SELECT CAST(IF(created_at < UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE, id, 0) AS UNSIGNED) \
         FROM message_changes WHERE id = (SELECT MIN(id) FROM message_changes)",
    ),
    in_flight: sized_statement!(
        [100],
        "SELECT id FROM message_changes FORCE INDEX (PRIMARY) WHERE id IN (",
        "?",
        ") FOR SHARE NOWAIT"
    ),
    definition: "SHOW CREATE TABLE message_changes",
};

const _: () = assert!(MESSAGES.in_flight.capacity() >= MAX_IDS);
const _: () = assert!(CHANGES.in_flight.capacity() >= MAX_IDS);

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

    /// Whether a transaction is inserting or deleting one of these rows, up to [`MAX_IDS`]. An uncommitted row is
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

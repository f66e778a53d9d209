//! What the one reader of each replica asks MySQL, and what a listener who comes back has missed.

use std::ops::RangeInclusive;

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, Row};

use crate::auth::{Caller, store as auth};
use crate::db::{Database, Error, MAX_BATCH, SizedStatement, is_locked, with_connection};
use crate::live::WINDOW;
use crate::live::ids::Ids;
use crate::live::position::Position;
use crate::messages::store::{content, received_message};
use crate::model::message::{Content, Message};
use crate::model::user::{UserId, Username};

/// A message arrived for somebody.
pub(super) struct Arrival {
    pub(super) message: u64,
    pub(super) receiver: u64,
}

/// Receipts that are read at once. More than the receivers of one message.
const ARRIVALS: u64 = 1_000;
/// Messages that a listener who comes back asks about at once.
const MISSED: u64 = 100;

/// Messages that are asked about at once.
pub(super) const MOST_IDS: usize = by_ids::ARRIVED.capacity();

/// The statements about several messages by their ids.
mod by_ids {
    use crate::db::{SizedStatement, sized_statement};
    use crate::messages::store::message_columns;

    pub(super) const ARRIVED: SizedStatement<1> = sized_statement!(
        [100],
        "SELECT message_id, receiver_id FROM receipts FORCE INDEX (receipts_message) WHERE message_id IN (",
        "?",
        ")"
    );
    pub(super) const CONTENTS: SizedStatement<1> = sized_statement!(
        [100],
        concat!(
            "SELECT ",
            message_columns!(sender),
            " FROM messages AS m FORCE INDEX (PRIMARY) STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
             WHERE m.id IN ("
        ),
        "?",
        ")"
    );
    /// Those of a receiver, who has not deleted them.
    pub(super) const MISSED: SizedStatement<1> = sized_statement!(
        [100],
        concat!(
            "SELECT ",
            message_columns!(sender),
            ", r.is_read FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id \
             STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id WHERE r.message_id IN ("
        ),
        "?",
        ") AND r.receiver_id = ? AND r.is_deleted = FALSE"
    );
    /// Fails where one of them is being written or deleted.
    pub(super) const UNDER_WAY: SizedStatement<1> = sized_statement!(
        [100],
        "SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id IN (",
        "?",
        ") FOR SHARE NOWAIT"
    );
}

fn about(statement: &SizedStatement<1>, ids: &[u64]) -> Query<'static, MySql, MySqlArguments> {
    let (statement, places) = statement.for_values(ids);
    places.fold(sqlx::query(statement), |query, id| query.bind(*id))
}

fn arrivals(rows: &[MySqlRow]) -> Vec<Arrival> {
    let arrival = |row: &MySqlRow| Arrival {
        message: row.get("message_id"),
        receiver: row.get("receiver_id"),
    };
    rows.iter().map(arrival).collect()
}

/// Where the reader begins: at the newest message. Ids shortly before it that are not there may be on their way.
pub(super) async fn newest(database: &Database) -> Result<Position, Error> {
    with_connection!(database, |connection| {
        let newest: Option<u64> = sqlx::query_scalar("SELECT MAX(id) FROM messages")
            .fetch_one(&mut *connection)
            .await?;
        let reached = newest.unwrap_or(0);
        let begin = reached.saturating_sub(WINDOW);
        let there: Vec<u64> =
            sqlx::query_scalar("SELECT id FROM messages FORCE INDEX (PRIMARY) WHERE id > ?")
                .bind(begin)
                .fetch_all(connection)
                .await?;
        let mut missing = Ids::default();
        if begin + 1 < reached {
            missing.append(begin + 1, reached - 1);
        }
        for id in there {
            missing.remove(id);
        }
        Ok(Position { reached, missing })
    })
}

/// What arrived after this id, each message with all its receivers, and whether there may be more.
pub(super) async fn arrived_after(
    database: &Database,
    id: u64,
) -> Result<(Vec<Arrival>, bool), Error> {
    let rows = with_connection!(database, |connection| {
        sqlx::query(
            "SELECT message_id, receiver_id FROM receipts FORCE INDEX (receipts_message) WHERE message_id > ? \
             ORDER BY message_id LIMIT ?",
        )
        .bind(id)
        .bind(ARRIVALS)
        .fetch_all(connection)
        .await
    })?;
    let mut arrivals = arrivals(&rows);
    let is_cut_off = arrivals.len() as u64 == ARRIVALS;
    if is_cut_off {
        // The last message's other receivers may be beyond the cut.
        let last = arrivals.last().map_or(0, |last| last.message);
        arrivals.retain(|arrival| arrival.message < last);
    }
    Ok((arrivals, is_cut_off))
}

/// Which of these messages, up to [`MOST_IDS`], have arrived.
pub(super) async fn arrived(database: &Database, ids: &[u64]) -> Result<Vec<Arrival>, Error> {
    let rows = with_connection!(database, |connection| {
        about(&by_ids::ARRIVED, ids).fetch_all(connection).await
    })?;
    Ok(arrivals(&rows))
}

/// Whether somebody writes or deletes one of these messages, up to [`MOST_IDS`], right now. A message that was not
/// committed yet is locked by who writes it.
pub(super) async fn are_under_way(database: &Database, ids: &[u64]) -> Result<bool, Error> {
    let looked = with_connection!(database, |connection| {
        about(&by_ids::UNDER_WAY, ids).fetch_all(connection).await
    });
    match looked {
        Ok(_) => Ok(false),
        Err(fault) if is_locked(&fault) => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// Those of these messages, up to [`MOST_IDS`], that are still there.
pub(super) async fn contents(database: &Database, ids: &[u64]) -> Result<Vec<Content>, Error> {
    with_connection!(database, |connection| {
        let rows = about(&by_ids::CONTENTS, ids).fetch_all(connection).await?;
        rows.iter()
            .map(|row| content(row, Username::stored(row.try_get("sender")?)))
            .collect()
    })
}

/// Users whose tokens were revoked within the last seconds, with the epoch from which on tokens are good.
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

/// Which users' tokens are good from which epoch on; of one who left, none is.
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

/// Whether the database has given out this id, or one after it: to a message that may be under way, deleted since, or
/// taken back. It has not if the id is forged, or of a time after the backup that the database was restored from.
pub(super) async fn has_given_out(database: &Database, id: u64) -> Result<bool, Error> {
    let table: String = with_connection!(database, |connection| {
        // What information_schema says of it may be a day old.
        let row = sqlx::raw_sql("SHOW CREATE TABLE messages")
            .fetch_one(connection)
            .await?;
        row.try_get(1)
    })?;
    Ok(id < next_id(&table))
}

/// The next id that will be given out, of the table's definition. The first one is not mentioned there.
fn next_id(table: &str) -> u64 {
    let options = table.rsplit_once(" AUTO_INCREMENT=");
    let digits = options.map(|(_, rest)| rest.split(' ').next().unwrap_or(rest));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

/// A message that a listener may have missed, and the bytes of it.
#[derive(Clone, Copy)]
pub(super) struct Missed {
    pub(super) id: u64,
    pub(super) bytes: u64,
}

/// Some of the messages of a range that the caller received and has not deleted, oldest first, and whether there may be
/// more.
pub(super) async fn missed(
    database: &Database,
    caller: &Caller,
    ids: &RangeInclusive<u64>,
) -> Result<(Vec<Missed>, bool), Error> {
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
        .bind(MISSED)
        .fetch_all(connection)
        .await?;
        let missed = |row: &MySqlRow| {
            Ok(Missed {
                id: row.try_get("id")?,
                bytes: row.try_get("bytes")?,
            })
        };
        let is_cut_off = rows.len() as u64 == MISSED;
        let missed: sqlx::Result<Vec<_>> = rows.iter().map(missed).collect();
        Ok((missed?, is_cut_off))
    })
}

/// Those of these messages, up to [`MOST_IDS`], that the caller received and has not deleted, oldest first.
pub(super) async fn received(
    database: &Database,
    caller: &Caller,
    ids: &[u64],
) -> Result<Vec<Message>, Error> {
    let mut messages = with_connection!(database, |connection| {
        let rows = about(&by_ids::MISSED, ids)
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

#[cfg(test)]
mod tests {
    use super::next_id;

    #[test]
    fn the_next_id_is_read_from_the_definition_of_the_table() {
        let table = |options: &str| {
            format!(
                "CREATE TABLE `messages` (\n  `id` bigint AUTO_INCREMENT,\n) ENGINE=InnoDB{options} DEFAULT CHARSET=utf8mb4"
            )
        };
        assert_eq!(next_id(&table("")), 1);
        assert_eq!(next_id(&table(" AUTO_INCREMENT=43")), 43);
    }
}

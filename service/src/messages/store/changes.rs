//! The log of changes, from which event streams learn of marks and deletions. Each change is recorded by its own
//! transaction, after the receipt was locked: so the changes of one receipt have ids in the order of their commits.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::db::{Database, Error, MAX_BATCH, SizedStatement, sized_statement, with_connection};
use crate::messages::store::message_key::MessageKey;
use crate::model::change::ChangeKind;

/// Messages that one row can name.
pub(super) const MAX_IDS_PER_ROW: usize = 100;
/// Rows that one statement can insert: one for each user. It suffices for the deletion of a message with as many
/// receivers as a message can have. It bounds how many ids are assigned and not yet committed; see
/// `live::followed_table`.
pub(super) const MAX_USERS: usize = INSERT.capacity();
const _: () = assert!(MAX_USERS >= MAX_BATCH && MAX_USERS > 100);

/// Inserts a known number of rows, so that their ids are consecutive: any id that MySQL reserved and did not use would
/// be missing, and looked for by all tailers. Surplus placeholders get rows of no user.
const INSERT: SizedStatement<8> = sized_statement!(
    [1, 2, 4, 8, 16, 32, 64, 128],
    "INSERT INTO message_changes (user_id, kind, message_ids, created_at) VALUES ",
    "(?, ?, ?, UTC_TIMESTAMP(3))",
    ""
);
/// The id of no user.
const NOBODY: u64 = 0;

/// The changed messages of each user.
#[derive(Default)]
pub(super) struct Changes(BTreeMap<u64, BTreeSet<u64>>);

impl FromIterator<MessageKey> for Changes {
    fn from_iter<I: IntoIterator<Item = MessageKey>>(keys: I) -> Self {
        let mut changes = Self::default();
        changes.extend(keys);
        changes
    }
}

impl Extend<MessageKey> for Changes {
    fn extend<I: IntoIterator<Item = MessageKey>>(&mut self, keys: I) {
        for (user, message) in keys {
            self.0.entry(user).or_default().insert(message);
        }
    }
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of users.
    pub(super) fn users(&self) -> usize {
        self.0.len()
    }

    /// Records the changes, of up to [`MAX_USERS`] users by one statement, within the transaction that makes them.
    pub(super) async fn record(
        &self,
        connection: &mut MySqlConnection,
        kind: ChangeKind,
    ) -> sqlx::Result<()> {
        let users: Vec<_> = self.0.iter().collect();
        for some in users.chunks(MAX_USERS) {
            let (count, statement) = INSERT.for_len(some.len());
            let mut query = sqlx::query(statement);
            for row in 0..count {
                let (user, ids) = match some.get(row) {
                    Some((user, ids)) => (**user, list(ids)),
                    None => (NOBODY, String::new()),
                };
                query = query.bind(user).bind(kind.as_str()).bind(ids);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn list(ids: &BTreeSet<u64>) -> String {
    debug_assert!(ids.len() <= MAX_IDS_PER_ROW);
    let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
    ids.join(",")
}

/// Deletes some of the oldest changes, after a day; returns whether there may be more. The newest expired one stays: no
/// row before the first one of the table can be relied on.
pub(crate) async fn delete_expired_changes(database: &Database) -> Result<bool, Error> {
    /// Small, so that locks are held briefly.
    const BATCH: u64 = 500;
    with_connection!(database, |connection| {
        let rows = sqlx::query(
            "SELECT id, created_at < UTC_TIMESTAMP(3) - INTERVAL 1 DAY AS is_expired \
             FROM message_changes FORCE INDEX (PRIMARY) WHERE id > 0 ORDER BY id LIMIT ?",
        )
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await?;
        let is_expired = |row: &&MySqlRow| row.get::<bool, _>("is_expired");
        let expired: Vec<u64> = rows
            .iter()
            .take_while(is_expired)
            .map(|row| row.get("id"))
            .collect();
        // A single expired row is the one that stays.
        let [_, .., newest] = expired[..] else {
            return Ok(false);
        };
        sqlx::query("DELETE FROM message_changes WHERE id < ?")
            .bind(newest)
            .execute(connection)
            .await?;
        Ok(expired.len() as u64 == BATCH)
    })
}

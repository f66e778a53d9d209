//! The names of those whose messages are read, kept in memory.

use std::collections::{BTreeMap, BTreeSet};

use quick_cache::sync::Cache;
use sqlx::mysql::MySqlConnection;

use crate::auth::store;
use crate::db::MAX_BATCH;
use crate::model::user::{UserId, Username};

/// Names of users that were read before. A user's name changes once, when the account is deleted; from then until their
/// messages are gone, `departures` has a row. So who finds messages and no such row at the same time may be given names
/// that were read before, at any replica.
pub(crate) struct Names {
    kept: Cache<UserId, Username>,
}

impl Names {
    /// How many are kept at most. A hundred thousand take 3.5 MiB; the longest names take four times as much. Which ones are given up its eviction decides (S3-FIFO,
    /// <https://docs.rs/quick_cache>): not those that are asked for again and again.
    const MOST: usize = 1 << 17;

    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::new(Self::MOST),
        }
    }

    /// The names of these users, in their order. No statement if all are known; while somebody is leaving none is.
    pub(crate) async fn of(
        &self,
        connection: &mut MySqlConnection,
        users: &[UserId],
        is_somebody_leaving: bool,
    ) -> sqlx::Result<Vec<Username>> {
        let known: Vec<_> = users
            .iter()
            .map(|user| self.kept.get(user).filter(|_| !is_somebody_leaving))
            .collect();
        let unknown = users.iter().zip(&known);
        let unknown: BTreeSet<_> = unknown
            .filter(|(_, name)| name.is_none())
            .map(|(user, _)| *user)
            .collect();
        let read = self.read(connection, unknown).await?;
        let name = |(user, known): (&UserId, Option<Username>)| {
            let name = known.or_else(|| read.get(user).cloned());
            name.ok_or(sqlx::Error::RowNotFound)
        };
        users.iter().zip(known).map(name).collect()
    }

    async fn read(
        &self,
        connection: &mut MySqlConnection,
        users: BTreeSet<UserId>,
    ) -> sqlx::Result<BTreeMap<UserId, Username>> {
        let users: Vec<_> = users.into_iter().collect();
        let mut names = BTreeMap::new();
        for some in users.chunks(MAX_BATCH) {
            for user in store::select_identities(&mut *connection, some).await? {
                self.kept.insert(user.id, user.username.clone());
                names.insert(user.id, user.username);
            }
        }
        Ok(names)
    }
}

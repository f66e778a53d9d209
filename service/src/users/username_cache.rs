//! A cache of usernames.

use std::collections::{BTreeMap, BTreeSet};

use quick_cache::sync::Cache;
use sqlx::mysql::MySqlConnection;

use crate::auth::store;
use crate::db::MAX_BATCH;
use crate::model::user::{UserId, Username};

/// Caches the names of the senders of messages. A user's name changes once, when the account is deleted; from then
/// until the user's messages are deleted, `account_deletions` has a row. So if a statement that finds messages finds no
/// such row, the cached names of their senders are current, at every replica.
pub(crate) struct UsernameCache {
    names: Cache<UserId, Username>,
}

impl UsernameCache {
    /// A hundred thousand names take 3.5 MiB; the longest names take four times as much. The eviction policy (S3-FIFO,
    /// <https://docs.rs/quick_cache>) keeps those that are used again and again.
    const CAPACITY: usize = 1 << 17;

    pub(crate) fn new() -> Self {
        Self {
            names: Cache::new(Self::CAPACITY),
        }
    }

    /// The names of these users, in their order. Needs no statement if all of them are cached; while a deletion is
    /// pending, all of them are read from the database.
    pub(crate) async fn resolve(
        &self,
        connection: &mut MySqlConnection,
        users: &[UserId],
        has_pending_deletions: bool,
    ) -> sqlx::Result<Vec<Username>> {
        let cached: Vec<_> = users
            .iter()
            .map(|user| self.names.get(user).filter(|_| !has_pending_deletions))
            .collect();
        let missing: BTreeSet<_> = users
            .iter()
            .zip(&cached)
            .filter(|(_, name)| name.is_none())
            .map(|(user, _)| *user)
            .collect();
        let read = self.read(connection, missing).await?;
        let name = |(user, cached): (&UserId, Option<Username>)| {
            let name = cached.or_else(|| read.get(user).cloned());
            name.ok_or(sqlx::Error::RowNotFound)
        };
        users.iter().zip(cached).map(name).collect()
    }

    async fn read(
        &self,
        connection: &mut MySqlConnection,
        users: BTreeSet<UserId>,
    ) -> sqlx::Result<BTreeMap<UserId, Username>> {
        let users: Vec<_> = users.into_iter().collect();
        let mut names = BTreeMap::new();
        for chunk in users.chunks(MAX_BATCH) {
            for user in store::select_identities(&mut *connection, chunk).await? {
                self.names.insert(user.id, user.username.clone());
                names.insert(user.id, user.username);
            }
        }
        Ok(names)
    }
}

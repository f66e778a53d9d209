//! How far a tailer has followed a table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::db::{Database, Error};
use crate::live::followed_table::FollowedTable;
use crate::live::id_cursor::IdCursor;
use crate::live::id_ranges::IdRanges;
use crate::live::store::MAX_MISSING;

/// After this time, an id without a lock is abandoned. The ids of messages in one group commit are assigned at once,
/// before the first of them is inserted and locked; this is longer than the whole commit may take.
const ABANDONED_AFTER: Duration = Duration::from_secs(4);

/// The ids of a table that were delivered, and those that may still be committed.
pub(super) struct Sequence {
    table: &'static FollowedTable,
    pub(super) cursor: IdCursor,
    /// The time at which each id was first found missing.
    missing_since: BTreeMap<u64, Instant>,
}

impl Sequence {
    pub(super) fn new(table: &'static FollowedTable, cursor: IdCursor) -> Self {
        let mut sequence = Self {
            table,
            cursor,
            missing_since: BTreeMap::new(),
        };
        sequence.track_missing();
        sequence
    }

    /// Starts over at the newest row.
    pub(super) async fn restart(&mut self, database: &Database) -> Result<(), Error> {
        let mut newest = self.table.newest(database).await?;
        newest.missing = self.without_deleted(database, &newest.missing).await?;
        *self = Self::new(self.table, newest);
        Ok(())
    }

    /// These missing ids without those that are known to be of deleted rows and rolled back transactions. There can be
    /// thousands of them, so many that a cursor cannot name them, and it would be seconds until they are abandoned.
    async fn without_deleted(
        &self,
        database: &Database,
        missing: &IdRanges,
    ) -> Result<IdRanges, Error> {
        let recent = self.table.first_recent(database, missing).await?;
        let old: Vec<_> = missing.iter().take_while(|id| *id < recent).collect();
        let mut rest = IdRanges::default();
        for some in old.chunks(MAX_MISSING) {
            if self.table.are_in_flight(database, some).await? {
                for id in some {
                    rest.append(*id, *id);
                }
            }
        }
        for (first, last) in missing.from(recent).ranges() {
            rest.append(*first, *last);
        }
        Ok(rest)
    }

    /// Whether the database was restored to a state in which it has not assigned these ids.
    pub(super) async fn is_ahead(&self, database: &Database) -> Result<bool, Error> {
        let has_assigned = self.table.has_assigned(database, self.cursor.reached);
        Ok(!has_assigned.await?)
    }

    /// The ids that may still be committed; the window bounds their number.
    pub(super) fn missing(&self) -> Vec<u64> {
        let missing: Vec<_> = self.cursor.missing.iter().collect();
        debug_assert!(missing.len() as u64 <= self.table.window);
        missing
    }

    /// Records a committed id.
    pub(super) fn record(&mut self, id: u64) {
        self.cursor.record(id, self.table.window);
    }

    /// Updates the times after ids were recorded.
    pub(super) fn track_missing(&mut self) {
        let missing: BTreeSet<_> = self.cursor.missing.iter().collect();
        self.missing_since.retain(|id, _| missing.contains(id));
        for id in missing {
            self.missing_since.entry(id).or_insert_with(Instant::now);
        }
    }

    /// Missing ids that no transaction can commit any more, up to [`MAX_MISSING`], unless they have been committed
    /// since the last poll: they are of transactions that were rolled back, and of deleted rows. If one of the ids is
    /// locked, all of them are tracked for another period, so that they do not delay others.
    pub(super) async fn abandoned(&mut self, database: &Database) -> Result<Vec<u64>, Error> {
        let old = |since: &Instant| since.elapsed() > ABANDONED_AFTER;
        let old: Vec<_> = self
            .missing_since
            .iter()
            .filter(|(_, since)| old(since))
            .map(|(id, _)| *id)
            .take(MAX_MISSING)
            .collect();
        if !old.is_empty() && self.table.are_in_flight(database, &old).await? {
            for id in old {
                self.missing_since.insert(id, Instant::now());
            }
            return Ok(Vec::new());
        }
        Ok(old)
    }

    /// Drops abandoned ids, without those that were committed.
    pub(super) fn drop_abandoned(&mut self, ids: &[u64], committed: impl Iterator<Item = u64>) {
        let committed: BTreeSet<_> = committed.collect();
        for id in ids.iter().filter(|id| !committed.contains(id)) {
            self.cursor.missing.remove(*id);
        }
        self.track_missing();
    }
}

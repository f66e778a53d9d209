//! The reader of a replica: what arrives, from the database to those who listen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::db::{Database, Error};
use crate::live::position::Position;
use crate::live::seat::Parcel;
use crate::live::store::Arrival;
use crate::live::{Live, WINDOW, store};
use crate::model::message::Content;

/// After this time an id that nobody holds a lock on will not come any more. The ids of messages that are sent together
/// are given out at once, before the first of them is written and locked; this is longer than all of it may take.
const GRACE: Duration = Duration::from_secs(4);
/// Looks at what has arrived before those who wait are let in, and revocations asked for.
const MOST_LOOKS: usize = 10;
/// Messages that are in memory at once before they are handed on, of up to 64 KiB each.
const MOST_READ: usize = 32;
/// Between two looks at whether the database has fallen behind the reader.
const CHECKS: Duration = Duration::from_secs(15);
/// How long revocations may have been out of sight before all tokens are looked at. The look at revocations goes back
/// further.
const OUT_OF_SIGHT: Duration = Duration::from_secs(5);

pub(super) struct Reader<'a> {
    database: &'a Database,
    live: &'a Live,
    position: Position,
    /// When each id was first seen to be missing.
    missing_since: BTreeMap<u64, Instant>,
    /// When it was last seen that the database has not fallen behind.
    checked: Instant,
    /// When revocations were last looked at.
    revocations_seen: Option<Instant>,
}

impl<'a> Reader<'a> {
    /// Begins at the newest message, or goes on from where another reader had to stop.
    pub(super) async fn begin(
        database: &'a Database,
        live: &'a Live,
        before: Option<Position>,
    ) -> Result<Self, Error> {
        let position = match &before {
            Some(position) => position.clone(),
            None => store::newest(database).await?,
        };
        let mut reader = Self {
            database,
            live,
            position,
            missing_since: BTreeMap::new(),
            checked: Instant::now(),
            revocations_seen: None,
        };
        if before.is_some() {
            reader.check().await?;
        }
        reader.time_missing();
        Ok(reader)
    }

    /// One round: those who wait are let in, those whose tokens were revoked are let go, and what arrived is handed on.
    pub(super) async fn go_on(&mut self) -> Result<(), Error> {
        if self.checked.elapsed() > CHECKS {
            self.check().await?;
        }
        self.live.audience().let_in(&self.position);
        self.end_revoked().await?;
        for _ in 0..MOST_LOOKS {
            if !self.look().await? {
                break;
            }
        }
        self.settle().await
    }

    /// A database that was restored from a backup has not given out the ids that the reader knows, and gives them to
    /// other messages.
    async fn check(&mut self) -> Result<(), Error> {
        if !store::has_given_out(self.database, self.position.reached).await? {
            tracing::warn!(
                reached = self.position.reached,
                "the database is behind what was read from it: listeners begin anew"
            );
            self.position = store::newest(self.database).await?;
            self.missing_since.clear();
            self.live.audience().reset(&self.position);
            self.time_missing();
        }
        self.checked = Instant::now();
        Ok(())
    }

    /// Ends the streams of revoked tokens. If revocations were out of sight for a while, each token is looked at.
    async fn end_revoked(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        let seen = self.revocations_seen;
        if seen.is_none_or(|seen| seen.elapsed() > OUT_OF_SIGHT) {
            let users = self.live.audience().users();
            for (user, epoch) in store::epochs(self.database, &users).await? {
                self.live.audience().end_before(user, epoch);
            }
        }
        for (user, epoch) in store::revocations(self.database).await? {
            self.live.audience().end_before(user, epoch);
        }
        self.revocations_seen = Some(begin);
        Ok(())
    }

    fn time_missing(&mut self) {
        let missing: BTreeSet<_> = self.position.missing.each().collect();
        self.missing_since.retain(|id, _| missing.contains(id));
        for id in missing {
            self.missing_since.entry(id).or_insert_with(Instant::now);
        }
    }

    /// Hands on what has arrived; whether there may be more.
    async fn look(&mut self) -> Result<bool, Error> {
        // A window of them at most.
        let missing: Vec<_> = self.position.missing.each().collect();
        debug_assert!(missing.len() as u64 <= WINDOW);
        let mut arrivals = Vec::new();
        for some in missing.chunks(store::MOST_IDS) {
            arrivals.extend(store::arrived(self.database, some).await?);
        }
        let (new, has_more) = store::arrived_after(self.database, self.position.reached).await?;
        arrivals.extend(new);
        self.hand_on_all(&arrivals).await?;
        self.time_missing();
        Ok(has_more)
    }

    /// In the order of the ids, so that the reader is never beyond what it has handed on; a few contents at a time.
    async fn hand_on_all(&mut self, arrivals: &[Arrival]) -> Result<(), Error> {
        let mut receivers = BTreeMap::<_, Vec<_>>::new();
        for arrival in arrivals {
            let of_message = receivers.entry(arrival.message).or_default();
            if self.live.audience().has(arrival.receiver) {
                of_message.push(arrival.receiver);
            }
        }
        while !receivers.is_empty() {
            let heard = receivers.iter().filter(|(_, heard)| !heard.is_empty());
            let heard: Vec<_> = heard.map(|(id, _)| *id).take(MOST_READ + 1).collect();
            let rest = match heard.get(MOST_READ) {
                Some(beyond) => receivers.split_off(beyond),
                None => BTreeMap::new(),
            };
            let some = &heard[..heard.len().min(MOST_READ)];
            let contents = if some.is_empty() {
                Vec::new()
            } else {
                store::contents(self.database, some).await?
            };
            self.hand_on(receivers, contents);
            receivers = rest;
        }
        Ok(())
    }

    fn hand_on(&mut self, receivers: BTreeMap<u64, Vec<u64>>, contents: Vec<Content>) {
        let mut contents: BTreeMap<_, _> = contents
            .into_iter()
            .map(|content| (content.id.get(), content))
            .collect();
        let mut audience = self.live.audience();
        for (id, heard) in receivers {
            self.position.note(id);
            let Some(content) = contents.remove(&id) else {
                continue;
            };
            let parcel = self.parcel(content);
            for receiver in heard {
                audience.hand(receiver, &parcel);
            }
            // Ours was the last but those of the queues.
            drop(parcel);
            audience.relieve(&self.live.budget);
        }
        audience.position = Some(self.position.clone());
    }

    fn parcel(&self, content: Content) -> Arc<Parcel> {
        let bytes = content.memory_bytes() + self.position.bytes();
        Arc::new(Parcel {
            content,
            position: self.position.clone(),
            charge: self.live.budget.charge(bytes),
        })
    }

    /// Strikes out some of the missing ids that nobody can be writing any more: sends that were taken back, and messages
    /// that were deleted. If one of them is locked, all of them have another grace, so that they are not in the way of
    /// others.
    async fn settle(&mut self) -> Result<(), Error> {
        let old = |since: &Instant| since.elapsed() > GRACE;
        let old: Vec<_> = self
            .missing_since
            .iter()
            .filter(|(_, since)| old(since))
            .map(|(id, _)| *id)
            .take(store::MOST_IDS)
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        if store::are_under_way(self.database, &old).await? {
            for id in old {
                self.missing_since.insert(id, Instant::now());
            }
            return Ok(());
        }
        // Committed between the last look and this one: the next look finds it.
        let arrived = store::arrived(self.database, &old).await?;
        let arrived: BTreeSet<_> = arrived.iter().map(|arrival| arrival.message).collect();
        for id in old.iter().filter(|id| !arrived.contains(id)) {
            self.position.missing.remove(*id);
        }
        self.time_missing();
        Ok(())
    }
}

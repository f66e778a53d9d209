//! What was counted for whom, in memory that does not grow.

use std::sync::{Arc, Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Sets of places, of which each key belongs to one.
const SETS: usize = 512;
/// Places of a set. Looked through one after the other, all in four lines of the processor's cache.
const PLACES: usize = 16;

/// Somebody who was counted. The time is the one at which all that was counted is forgotten (GCRA's theoretical arrival
/// time), in nanoseconds since the start; 0 where there is nobody.
#[derive(Clone, Copy, Default)]
struct Place {
    key: u64,
    until: u64,
}

type Set = Mutex<[Place; PLACES]>;

/// The counts of up to 8,192 keys; clones share them. Where more come, a key that is new takes the place of the one of
/// its set that is forgotten soonest. So whoever is at their limit is the last to be forgotten: for each that is to make
/// room for nothing, an attacker has to bring sixteen up to their limits, in a set that they cannot know.
#[derive(Clone)]
pub(super) struct Table(Arc<[Set]>);

impl Table {
    pub(super) fn new() -> Self {
        Self((0..SETS).map(|_| Set::default()).collect())
    }

    /// Does something with the key's place, or the one that it would take.
    fn at<T>(&self, key: u64, action: impl FnOnce(&mut Place) -> T) -> T {
        let set = usize::try_from(key % SETS as u64).unwrap_or(0);
        let mut places = self.0[set].lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |place: &Place| place.until > 0 && place.key == key;
        let soonest = || {
            let places = places.iter().enumerate();
            places
                .min_by_key(|(_, place)| place.until)
                .map_or(0, |(at, _)| at)
        };
        let at = places.iter().position(is_known);
        let at = at.unwrap_or_else(soonest);
        action(&mut places[at])
    }

    /// Forgets what was counted for this key.
    pub(super) fn forget(&self, key: u64) {
        self.at(key, |place| {
            if place.key == key {
                *place = Place::default();
            }
        });
    }
}

impl StateStore for Table {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.at(*key, |place| {
            let is_known = place.until > 0 && place.key == *key;
            let (outcome, until) = decide(is_known.then(|| place.until.into()))?;
            *place = Place {
                key: *key,
                until: until.into(),
            };
            Ok(outcome)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raises what is counted for a key by this, and gives what was there.
    fn count(table: &Table, key: u64, by: u64) -> u64 {
        let outcome: Result<u64, ()> = table.measure_and_replace(&key, |until| {
            let until = until.map_or(0, u64::from);
            Ok((until, (until + by).into()))
        });
        outcome.expect("nothing is refused")
    }

    #[test]
    fn each_key_has_a_count_of_its_own_and_those_of_a_full_set_that_count_least_make_room() {
        let table = Table::new();
        let key = |number: usize| (number * SETS) as u64;
        for number in 0..PLACES {
            assert_eq!(count(&table, key(number), 100 + number as u64), 0);
        }
        assert_eq!(count(&table, key(0) + 1, 1), 0, "another set");
        assert_eq!(count(&table, key(7), 1), 107);
        assert_eq!(count(&table, key(PLACES), 1), 0);
        assert_eq!(count(&table, key(PLACES), 1_000), 1);
        assert_eq!(count(&table, key(0), 1), 0, "it made room");
        for number in 2..PLACES {
            assert!(count(&table, key(number), 1) > 0, "{number}");
        }
    }

    #[test]
    fn what_is_forgotten_begins_anew_and_nothing_else_does() {
        let table = Table::new();
        count(&table, 5, 10);
        count(&table, 5 + SETS as u64, 20);
        table.forget(5 + 2 * SETS as u64);
        assert_eq!(count(&table, 5, 1), 10);
        table.forget(5);
        assert_eq!(count(&table, 5, 1), 0);
        assert_eq!(count(&table, 5 + SETS as u64, 1), 20);
    }

    #[test]
    fn a_refusal_counts_nothing() {
        let table = Table::new();
        count(&table, 1, 10);
        let refused: Result<(), ()> = table.measure_and_replace(&1, |_| Err(()));
        assert_eq!((refused, count(&table, 1, 1)), (Err(()), 10));
    }
}

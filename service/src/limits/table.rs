//! The counts of rate limits, in a table of a fixed size.

use std::sync::{Arc, Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// The sets of the table, as in a set-associative cache: each key belongs to one.
const SETS: usize = 512;
/// The slots of a set. They are searched linearly and fill four cache lines of the processor.
const WAYS: usize = 16;

/// The count of a key: GCRA's theoretical arrival time in nanoseconds since the start, after which the count is zero
/// again. An empty slot has 0.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    arrival: u64,
}

impl Slot {
    fn is_of(&self, key: u64) -> bool {
        self.arrival > 0 && self.key == key
    }
}

type Set = Mutex<[Slot; WAYS]>;

/// The counts of up to 8,192 keys; clones share them. A new key in a full set replaces the one whose count expires
/// first, so a key that has reached its limit is replaced last: to evict one, an attacker has to bring sixteen others
/// of the same set, which is not predictable, to their limits.
#[derive(Clone)]
pub(super) struct Table(Arc<[Set]>);

impl Table {
    pub(super) fn new() -> Self {
        Self((0..SETS).map(|_| Set::default()).collect())
    }

    /// Calls `action` with the key's slot, or with the one that it would replace.
    fn with_slot<T>(&self, key: u64, action: impl FnOnce(&mut Slot) -> T) -> T {
        let set = usize::try_from(key % SETS as u64).unwrap_or(0);
        let mut slots = self.0[set].lock().unwrap_or_else(PoisonError::into_inner);
        let first_to_expire = || {
            let slots = slots.iter().enumerate();
            slots
                .min_by_key(|(_, slot)| slot.arrival)
                .map_or(0, |(index, _)| index)
        };
        let index = slots.iter().position(|slot| slot.is_of(key));
        let index = index.unwrap_or_else(first_to_expire);
        action(&mut slots[index])
    }

    /// Removes the count of a key.
    pub(super) fn remove(&self, key: u64) {
        self.with_slot(key, |slot| {
            if slot.is_of(key) {
                *slot = Slot::default();
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
        self.with_slot(*key, |slot| {
            let arrival = slot.is_of(*key).then(|| slot.arrival.into());
            let (outcome, arrival) = decide(arrival)?;
            *slot = Slot {
                key: *key,
                arrival: arrival.into(),
            };
            Ok(outcome)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Increases the count of a key, and returns the previous count.
    fn count(table: &Table, key: u64, by: u64) -> u64 {
        let outcome: Result<u64, ()> = table.measure_and_replace(&key, |arrival| {
            let arrival = arrival.map_or(0, u64::from);
            Ok((arrival, (arrival + by).into()))
        });
        outcome.expect("nothing is refused")
    }

    #[test]
    fn a_full_set_replaces_the_keys_with_the_lowest_counts() {
        let table = Table::new();
        let key = |number: usize| (number * SETS) as u64;
        for number in 0..WAYS {
            assert_eq!(count(&table, key(number), 100 + number as u64), 0);
        }
        assert_eq!(count(&table, key(0) + 1, 1), 0, "another set");
        assert_eq!(count(&table, key(7), 1), 107);
        assert_eq!(count(&table, key(WAYS), 1), 0);
        assert_eq!(count(&table, key(WAYS), 1_000), 1);
        assert_eq!(count(&table, key(0), 1), 0, "it was replaced");
        for number in 2..WAYS {
            assert!(count(&table, key(number), 1) > 0, "{number}");
        }
    }

    #[test]
    fn removing_a_key_resets_its_count_alone() {
        let table = Table::new();
        count(&table, 5, 10);
        count(&table, 5 + SETS as u64, 20);
        table.remove(5 + 2 * SETS as u64);
        assert_eq!(count(&table, 5, 1), 10);
        table.remove(5);
        assert_eq!(count(&table, 5, 1), 0);
        assert_eq!(count(&table, 5 + SETS as u64, 1), 20);
    }

    #[test]
    fn a_refused_request_is_not_counted() {
        let table = Table::new();
        count(&table, 1, 10);
        let refused: Result<(), ()> = table.measure_and_replace(&1, |_| Err(()));
        assert_eq!((refused, count(&table, 1, 1)), (Err(()), 10));
    }
}

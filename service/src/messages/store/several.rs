//! Statements about several messages at once. sqlx takes statements that are constants, so each comes in fixed lengths;
//! places that are left over repeat the last value, which changes nothing.

use crate::database::LARGEST_ROUND;

/// A statement in its lengths: how many places each has, from the shortest to the longest.
pub(super) struct Several(pub(super) [(usize, &'static str); 3]);

/// A statement with a list of places between two pieces of text: `several!("... IN (", "?", ")")`.
macro_rules! several {
    ($before:literal, $place:literal, $after:literal) => {
        $crate::messages::store::several::Several([
            (
                4,
                concat!($before, $crate::database::places!(4, $place), $after),
            ),
            (
                16,
                concat!($before, $crate::database::places!(16, $place), $after),
            ),
            (
                64,
                concat!($before, $crate::database::places!(64, $place), $after),
            ),
        ])
    };
}
pub(super) use several;

const LONGEST: usize = 64;
const _: () = assert!(LONGEST >= LARGEST_ROUND);

impl Several {
    /// The statement, and the values for all its places.
    pub(super) fn about<T: Copy>(&self, values: &[T]) -> (&'static str, impl Iterator<Item = T>) {
        let Self(lengths) = self;
        let enough = lengths.iter().find(|(places, _)| *places >= values.len());
        let (places, statement) = *enough.unwrap_or(&lengths[2]);
        let last = values.iter().last();
        let repeated = values.iter().chain(std::iter::repeat(last).flatten());
        (statement, repeated.copied().take(places))
    }
}

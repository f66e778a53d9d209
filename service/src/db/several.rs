//! Statements about several things at once. sqlx takes statements that are constants, so one about several things has a
//! fixed number of places; and it comes in few lengths, because each is prepared on each connection.

/// A place of a statement, so many times, between commas: `places!(100, "?")`.
macro_rules! places {
    (1, $place:literal) => {
        $place
    };
    (2, $place:literal) => {
        $crate::db::twice!(1, $place)
    };
    (4, $place:literal) => {
        $crate::db::twice!(2, $place)
    };
    (8, $place:literal) => {
        $crate::db::twice!(4, $place)
    };
    (16, $place:literal) => {
        $crate::db::twice!(8, $place)
    };
    (32, $place:literal) => {
        $crate::db::twice!(16, $place)
    };
    (64, $place:literal) => {
        $crate::db::twice!(32, $place)
    };
    (128, $place:literal) => {
        $crate::db::twice!(64, $place)
    };
    (20, $place:literal) => {
        concat!(
            $crate::db::places!(16, $place),
            ",",
            $crate::db::places!(4, $place)
        )
    };
    (100, $place:literal) => {
        concat!(
            $crate::db::places!(64, $place),
            ",",
            $crate::db::places!(32, $place),
            ",",
            $crate::db::places!(4, $place)
        )
    };
}
macro_rules! twice {
    ($count:tt, $place:literal) => {
        concat!(
            $crate::db::places!($count, $place),
            ",",
            $crate::db::places!($count, $place)
        )
    };
}
pub(crate) use places;
pub(crate) use twice;

/// A statement in its lengths, each with the number of its places, from the shortest to the longest.
pub(crate) struct Several<const N: usize>(pub(crate) [(usize, &'static str); N]);

/// A statement with a list of places between two pieces of text, in these lengths:
/// `several!([4, 16], "... WHERE id IN (", "?", ")")`.
macro_rules! several {
    ([$($count:tt),+], $before:literal, $place:literal, $after:literal) => {
        $crate::db::Several([$((
            $count,
            concat!($before, $crate::db::places!($count, $place), $after),
        )),+])
    };
}
pub(crate) use several;

impl<const N: usize> Several<N> {
    /// How many values it can be about; who has a bound of their own asserts that this is enough.
    pub(crate) const fn most(&self) -> usize {
        self.0[N - 1].0
    }

    /// The shortest statement that has a place for each of the values, and the values for all its places. Those that are
    /// left over repeat values, so the statement must be one that this does not change, such as one with `IN`.
    pub(crate) fn about<'v, T>(
        &self,
        values: &'v [T],
    ) -> (&'static str, impl Iterator<Item = &'v T> + use<'v, T, N>) {
        debug_assert!(values.len() <= self.most());
        let enough = self.0.iter().find(|(places, _)| *places >= values.len());
        let (places, statement) = *enough.unwrap_or(&self.0[N - 1]);
        (statement, values.iter().cycle().take(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: Several<2> = several!([2, 4], "IN (", "?", ")");

    #[test]
    fn every_place_of_the_shortest_statement_is_taken() {
        for (values, expected, repeated) in [
            (&[1][..], "IN (?,?)", vec![1, 1]),
            (&[1, 2], "IN (?,?)", vec![1, 2]),
            (&[1, 2, 3], "IN (?,?,?,?)", vec![1, 2, 3, 1]),
        ] {
            let (statement, places) = NAMED.about(values);
            assert_eq!(statement, expected);
            assert_eq!(places.copied().collect::<Vec<_>>(), repeated);
        }
        assert_eq!(NAMED.most(), 4);
    }
}

//! Statements with a variable number of values. sqlx requires constant statements, so each has a fixed number of
//! placeholders; and it comes in few sizes, because each is prepared on each connection.

use std::iter;

/// The same placeholder several times, between commas: `placeholders!(100, "?")`.
macro_rules! placeholders {
    ($count:expr, $placeholder:literal) => {
        const_str::concat!(
            const_str::repeat!(concat!($placeholder, ","), $count - 1),
            $placeholder
        )
    };
}
pub(crate) use placeholders;

/// A statement in its sizes, each with the number of its placeholders, in ascending order.
pub(crate) struct SizedStatement<const N: usize>(pub(crate) [(usize, &'static str); N]);

/// A statement with a list of placeholders between two pieces of text, in these sizes:
/// `sized_statement!([4, 16], "... WHERE id IN (", "?", ")")`.
macro_rules! sized_statement {
    ([$($count:literal),+], $before:expr, $placeholder:literal, $after:expr) => {
        $crate::db::SizedStatement([$((
            $count,
            const_str::concat!($before, $crate::db::placeholders!($count, $placeholder), $after),
        )),+])
    };
}
pub(crate) use sized_statement;

impl<const N: usize> SizedStatement<N> {
    /// The maximum number of values. Callers with a bound of their own assert that it is sufficient.
    pub(crate) const fn capacity(&self) -> usize {
        self.0[N - 1].0
    }

    /// The smallest statement with a placeholder for each of the values, and the number of its placeholders.
    pub(crate) fn for_len(&self, len: usize) -> (usize, &'static str) {
        debug_assert!(len <= self.capacity());
        let sized = self.0.iter().find(|(capacity, _)| *capacity >= len);
        *sized.unwrap_or(&self.0[N - 1])
    }

    /// The smallest statement for the values, and a value for each of its placeholders. Values are repeated to fill
    /// all placeholders, so repetition must not change the result of the statement, as with `IN`.
    pub(crate) fn for_values<'v, T>(
        &self,
        values: &'v [T],
    ) -> (&'static str, impl Iterator<Item = &'v T> + use<'v, T, N>) {
        let (count, statement) = self.for_len(values.len());
        (statement, values.iter().cycle().take(count))
    }
}

/// Statements for fixed numbers of values, in descending order down to 1, of which any number of values takes several:
/// for insertions, in which surplus placeholders cannot repeat a value. `S` is the statement, or several for the same
/// values.
pub(crate) struct ComposedStatement<S>(pub(crate) [(usize, S); 7]);

/// A composed statement, by a macro that makes the statement for a number: `composed_statement!(insertion)`.
macro_rules! composed_statement {
    ($make:ident) => {
        $crate::db::ComposedStatement([
            (64, $make!(64)),
            (32, $make!(32)),
            (16, $make!(16)),
            (8, $make!(8)),
            (4, $make!(4)),
            (2, $make!(2)),
            (1, $make!(1)),
        ])
    };
}
pub(crate) use composed_statement;

impl<S> ComposedStatement<S> {
    /// The values in parts, in their order, each with the statement for it.
    pub(crate) fn parts<'v, T>(
        &self,
        mut values: &'v [T],
    ) -> impl Iterator<Item = (&S, &'v [T])> + use<'_, 'v, S, T> {
        iter::from_fn(move || {
            let fits = |(count, _): &&(usize, S)| *count <= values.len();
            let (count, statement) = self.0.iter().find(fits)?;
            let part = values.split_off(..*count)?;
            Some((statement, part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: SizedStatement<2> = sized_statement!([2, 4], "IN (", "?", ")");

    #[test]
    fn every_placeholder_of_the_smallest_statement_is_filled() {
        for (values, expected, repeated) in [
            (&[1][..], "IN (?,?)", vec![1, 1]),
            (&[1, 2], "IN (?,?)", vec![1, 2]),
            (&[1, 2, 3], "IN (?,?,?,?)", vec![1, 2, 3, 1]),
        ] {
            let (statement, filled) = NAMED.for_values(values);
            assert_eq!(statement, expected);
            assert_eq!(filled.copied().collect::<Vec<_>>(), repeated);
        }
        assert_eq!(NAMED.capacity(), 4);
    }

    #[test]
    fn parts_have_all_values_in_their_order() {
        macro_rules! number {
            ($count:tt) => {
                $count
            };
        }
        let composed: ComposedStatement<usize> = composed_statement!(number);
        for (count, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (7, vec![4, 2, 1]),
            (130, vec![64, 64, 2]),
        ] {
            let values: Vec<_> = (0..count).collect();
            let parts: Vec<_> = composed.parts(&values).collect();
            let statements: Vec<_> = parts.iter().map(|(statement, _)| **statement).collect();
            assert_eq!(statements, expected);
            assert!(parts.iter().all(|(count, part)| **count == part.len()));
            let joined: Vec<_> = parts.iter().flat_map(|(_, part)| *part).copied().collect();
            assert_eq!(joined, values);
        }
    }

    #[test]
    fn one_placeholder_has_no_comma() {
        assert_eq!(placeholders!(1, "(?, ?)"), "(?, ?)");
    }
}

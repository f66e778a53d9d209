//! Statements with a variable number of values. sqlx requires constant statements, so each has a fixed number of
//! placeholders; and it comes in few sizes, because each is prepared on each connection.

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
    fn one_placeholder_has_no_comma() {
        assert_eq!(placeholders!(1, "(?, ?)"), "(?, ?)");
    }
}

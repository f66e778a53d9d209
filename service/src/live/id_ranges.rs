//! A set of message ids, stored as ranges of consecutive ids: its size depends on the number of ranges only.

/// Ids in ascending order, as inclusive ranges with a gap between each two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdRanges {
    ranges: Vec<(u64, u64)>,
}

impl IdRanges {
    pub(super) fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.ranges.first().map(|(first, _)| *first)
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// Every single id, for sets of bounded size.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The index of the range that contains this id or, if none does, of the first range above it.
    fn index_of(&self, id: u64) -> usize {
        self.ranges.partition_point(|(_, last)| *last < id)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        let range = self.ranges.get(self.index_of(id));
        range.is_some_and(|(first, _)| *first <= id)
    }

    /// Adds a range above all others.
    pub(super) fn append(&mut self, first: u64, last: u64) {
        debug_assert!(first <= last && self.last() < Some(first));
        match self.ranges.last_mut() {
            Some((_, before)) if *before + 1 == first => *before = last,
            _ => self.ranges.push((first, last)),
        }
    }

    pub(super) fn remove(&mut self, id: u64) {
        let at = self.index_of(id);
        let Some(&(first, last)) = self.ranges.get(at) else {
            return;
        };
        if first > id {
            return;
        }
        let left = (first < id).then(|| (first, id - 1));
        let right = (id < last).then(|| (id + 1, last));
        self.ranges.splice(at..=at, left.into_iter().chain(right));
    }

    /// The ids up to this one.
    pub(super) fn up_to(&self, id: u64) -> Self {
        let below = self.ranges.iter().take_while(|(first, _)| *first <= id);
        let ranges = below.map(|(first, last)| (*first, id.min(*last)));
        Self {
            ranges: ranges.collect(),
        }
    }

    /// The ids from this one on.
    pub(super) fn from(&self, id: u64) -> Self {
        let mut on = Self::default();
        on.append(id, u64::MAX);
        self.intersection(&on)
    }

    /// The ids that are in both sets.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let (mut one, mut two) = (
            self.ranges.iter().peekable(),
            other.ranges.iter().peekable(),
        );
        let mut both = Self::default();
        while let (Some(&&(one_first, one_last)), Some(&&(two_first, two_last))) =
            (one.peek(), two.peek())
        {
            let (first, last) = (one_first.max(two_first), one_last.min(two_last));
            if first <= last {
                both.append(first, last);
            }
            if one_last <= two_last {
                one.next();
            } else {
                two.next();
            }
        }
        both
    }

    /// Keeps the highest ids, at most `most`.
    pub(super) fn retain_last(&mut self, most: u64) {
        let mut room = most;
        let mut begin = self.ranges.len();
        while begin > 0 && room > 0 {
            begin -= 1;
            let (first, last) = &mut self.ranges[begin];
            *first = (*first).max((*last).saturating_sub(room - 1));
            room -= *last - *first + 1;
        }
        self.ranges.drain(..begin);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(iter: impl IntoIterator<Item = u64>) -> IdRanges {
        let mut ids = IdRanges::default();
        for id in iter {
            ids.append(id, id);
        }
        ids
    }

    /// All subsets of 1 to 7, against the set of the standard library.
    #[test]
    fn id_ranges_behave_as_a_set_does() {
        let subset = |bits: u32| (1..=7_u64).filter(move |id| bits & (1 << (id - 1)) != 0);
        for bits in 0..128 {
            let set: BTreeSet<_> = subset(bits).collect();
            let all = ids(subset(bits));
            assert!(all.iter().eq(set.iter().copied()));
            for id in 1..=8 {
                assert_eq!(all.contains(id), set.contains(&id));
                let mut rest = all.clone();
                rest.remove(id);
                assert_eq!(rest, ids(set.iter().copied().filter(|other| *other != id)));
                assert_eq!(all.up_to(id), ids(set.range(..=id).copied()));
                assert_eq!(all.from(id), ids(set.range(id..).copied()));
                let mut highest = all.clone();
                highest.retain_last(id);
                let skipped = set
                    .len()
                    .saturating_sub(usize::try_from(id).expect("small"));
                assert_eq!(highest, ids(set.iter().copied().skip(skipped)));
            }
            for others in 0..128 {
                assert_eq!(
                    all.intersection(&ids(subset(others))),
                    ids(subset(bits & others))
                );
            }
        }
    }
}

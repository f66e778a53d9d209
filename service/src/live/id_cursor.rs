//! A position in a sequence of ids, of messages or of changes. Ids are assigned before their rows are committed: of two
//! concurrent transactions, the one with the lower id may commit last. So a position is not "up to 9", but "up to 9,
//! without 8".

use std::fmt;

use crate::live::id_ranges::IdRanges;
use crate::model::message::MessageId;

/// The maximum length of a written cursor, in bytes. It is sent in a header, which proxies limit to 8 KiB or more. A
/// cursor that does not fit is written as an earlier one.
const MAX_LENGTH: usize = 4_096;
/// The maximum length of the part of a written cursor that is of messages, in bytes, so that there is always place for
/// that of changes. Every combination of missing ids among the last 2,000 fits, which is more than seven replicas can
/// have in flight; a test checks that.
pub(super) const MAX_MESSAGES_LENGTH: usize = 3_072;

/// The ids that a client has, as far as they concern it: all up to `reached`, without `missing`.
///
/// It is written as `9`; as `9-7` if 7 is missing, and `9-7+1` if 7 and the one after it are. Further ranges follow,
/// each relative to the end of the one before it: `20-3+4_5` misses 3 to 7, and 12. An earlier form, `20-3.12`, listed
/// each id; clients may have stored it, so it is still accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdCursor {
    pub(super) reached: u64,
    /// None above `reached`.
    pub(super) missing: IdRanges,
}

impl IdCursor {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (reached, ranges) = match text.split_once('-') {
            Some((reached, ranges)) => (reached, Some(ranges)),
            None => (text, None),
        };
        let missing = match ranges {
            None => IdRanges::default(),
            Some(ranges) if ranges.contains('.') => parse_ids(ranges)?,
            Some(ranges) => parse_ranges(ranges)?,
        };
        // No row has the id 0; it is the position before the first one.
        let reached = if reached == "0" { 0 } else { number(reached)? };
        (missing.last() <= Some(reached)).then_some(Self { reached, missing })
    }

    /// Whether a client with this cursor has this id, if it concerns it.
    pub(super) fn covers(&self, id: u64) -> bool {
        id <= self.reached && !self.missing.contains(id)
    }

    /// The first id that is not covered.
    pub(super) fn next(&self) -> u64 {
        self.missing.first().unwrap_or(self.reached + 1)
    }

    /// The cursor that covers the ids of both.
    pub(super) fn union(&self, other: &Self) -> Self {
        let reached = self.reached.max(other.reached);
        let missing = self.not_covered().intersection(&other.not_covered());
        Self {
            reached,
            missing: missing.up_to(reached),
        }
    }

    fn not_covered(&self) -> IdRanges {
        let mut ids = self.missing.clone();
        ids.append(self.reached + 1, u64::MAX);
        ids
    }

    /// The same cursor, truncated after this id.
    pub(super) fn up_to(&self, id: u64) -> Self {
        let reached = self.reached.min(id);
        Self {
            reached,
            missing: self.missing.up_to(reached),
        }
    }

    /// The cursor itself if it is written in so many bytes, otherwise the latest earlier one that is.
    pub(super) fn fitting(&self, bytes: usize) -> Self {
        let mut room = bytes.saturating_sub("18446744073709551615".len());
        let mut before = 0;
        for (first, last) in self.missing.ranges() {
            let length = written_range((*first, *last), before).len();
            if length > room {
                return self.up_to(first - 1);
            }
            room -= length;
            before = *last;
        }
        self.clone()
    }

    /// Records a committed id. Up to `window` ids that were skipped may be committed later.
    pub(super) fn record(&mut self, id: u64, window: u64) {
        if id <= self.reached {
            self.missing.remove(id);
            return;
        }
        // More than the window cannot be in flight at once; the ids of a restored database may jump.
        let first = (self.reached + 1).max(id.saturating_sub(window));
        if first < id {
            self.missing.append(first, id - 1);
            self.missing.retain_last(window);
        }
        self.reached = id;
    }

    /// The memory of the missing ids.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.missing.ranges())
    }
}

/// Parses a number in the form of ids: from 1 to 2^63 - 1, without a sign or leading zeros.
fn number(text: &str) -> Option<u64> {
    MessageId::parse(text).map(MessageId::get)
}

/// `3.7.8`, the earlier form.
fn parse_ids(text: &str) -> Option<IdRanges> {
    let mut ids = IdRanges::default();
    for id in text.split('.') {
        let id = number(id)?;
        if ids.last() >= Some(id) {
            return None;
        }
        ids.append(id, id);
    }
    Some(ids)
}

/// `3_4+1`
fn parse_ranges(text: &str) -> Option<IdRanges> {
    let mut ids = IdRanges::default();
    for range in text.split('_') {
        let (gap, more) = match range.split_once('+') {
            Some((gap, more)) => (number(gap)?, number(more)?),
            None => (number(range)?, 0),
        };
        // Ranges without a gap between them would be one range.
        if ids.last().is_some() && gap < 2 {
            return None;
        }
        let first = ids.last().unwrap_or(0).checked_add(gap)?;
        ids.append(first, first.checked_add(more)?);
    }
    Some(ids)
}

/// A cursor that would be too long is written as an earlier one: then events may be sent twice, but none is skipped.
impl fmt::Display for IdCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.fitting(MAX_LENGTH);
        write!(formatter, "{}", written.reached)?;
        let mut before = 0;
        for range in written.missing.ranges() {
            formatter.write_str(&written_range(*range, before))?;
            before = range.1;
        }
        Ok(())
    }
}

/// A range of missing ids in a written cursor, after the range that ends with the id `before`, or as the first one (0).
fn written_range((first, last): (u64, u64), before: u64) -> String {
    let separator = if before == 0 { '-' } else { '_' };
    let gap = first - before;
    if last > first {
        format!("{separator}{gap}+{}", last - first)
    } else {
        format!("{separator}{gap}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Smaller than that of a table, so that cursors fit.
    const WINDOW: u64 = 2_000;

    fn cursor(text: &str) -> IdCursor {
        IdCursor::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_cursor_is_parsed_as_it_is_written_and_not_otherwise() {
        const LARGEST: &str = "9223372036854775807-1+9223372036854775806";
        for text in ["0", "9", "9-8", "9-2_5+1", "9-1+8", "20-3+4_5", LARGEST] {
            assert_eq!(cursor(text).to_string(), text);
        }
        let wrong = "|-|9-|09|9-10|9-8+2|9-8_2|9-8_1|9-8_0|9-8+0|9-0|0-0|x|9-x| 9|9-8_|9-_8|9-8+|9-+8|9-2+1+1|9--8|\
            9-8.7|9-8.8|9-7.|9-.7|9-3_2.8|9-9223372036854775807_9223372036854775807_9223372036854775807";
        for text in wrong.split('|') {
            assert!(IdCursor::parse(text).is_none(), "{text:?}");
        }
        assert!(IdCursor::parse(&format!("9{}", "-8".repeat(MAX_LENGTH))).is_none());
    }

    #[test]
    fn a_cursor_in_the_earlier_form_is_parsed() {
        for (earlier, now) in [("9-7.8", "9-7+1"), ("9-2.7.8", "9-2_5+1")] {
            assert_eq!(cursor(earlier).to_string(), now);
        }
    }

    #[test]
    fn a_late_message_is_missing_until_it_is_recorded() {
        let mut cursor = cursor("5");
        cursor.record(8, WINDOW);
        assert_eq!(cursor.to_string(), "8-6+1");
        cursor.record(6, WINDOW);
        assert_eq!(cursor.to_string(), "8-7");
        assert!(cursor.covers(6) && !cursor.covers(7) && !cursor.covers(9));
    }

    #[test]
    fn a_union_covers_what_either_cursor_does() {
        let cases = [
            ("9-8", "5", "9-8"),
            ("9-3.8", "5-4", "9-8"),
            ("9-3", "5-3", "9-3"),
            ("9-8", "12-10", "12-10"),
            ("9-8", "12-8.10", "12-8_2"),
            ("0", "4-2", "4-2"),
        ];
        for (one, other, both) in cases {
            assert_eq!(cursor(one).union(&cursor(other)).to_string(), both);
            assert_eq!(cursor(other).union(&cursor(one)).to_string(), both);
        }
    }

    #[test]
    fn a_cursor_is_truncated_at_any_id() {
        assert_eq!(cursor("9-3.8").up_to(8).to_string(), "8-3_5");
        assert_eq!(cursor("9-3.8").up_to(20).to_string(), "9-3_5");
    }

    /// For any combination of missing ids that seven replicas can have in flight at once.
    #[test]
    fn a_cursor_that_misses_up_to_2000_ids_is_written_whole() {
        let begin = u64::MAX / 4;
        for (gap, run) in [
            (1, 1),
            (1, 2),
            (2, 1),
            (1, 11),
            (10, 2),
            (11, 11),
            (1, 1_999),
        ] {
            let mut cursor = IdCursor {
                reached: begin,
                missing: IdRanges::default(),
            };
            while cursor.reached < begin + WINDOW {
                for _ in 0..gap {
                    cursor.record(cursor.reached + 1, WINDOW);
                }
                cursor.record(cursor.reached + run + 1, WINDOW);
            }
            assert_eq!(cursor.fitting(MAX_MESSAGES_LENGTH), cursor, "{gap} {run}");
            assert_eq!(self::cursor(&cursor.to_string()), cursor, "{gap} {run}");
        }
    }

    #[test]
    fn a_cursor_too_long_to_write_skips_no_message() {
        let mut cursor = cursor("1");
        for number in 1..2_000 {
            cursor.record(number * 1_000, WINDOW);
            cursor.missing = IdRanges::default();
        }
        for number in 2_000..4_000_u64 {
            cursor.reached = number * 1_000;
            cursor
                .missing
                .append(number * 1_000 - 500, number * 1_000 - 500);
        }
        let written = cursor.to_string();
        let read = IdCursor::parse(&written).expect("valid");
        assert!((1..=4_000_000).all(|id| cursor.covers(id) || !read.covers(id)));
        assert!(written.len() <= MAX_LENGTH && read.reached < cursor.reached);
    }

    #[test]
    fn jumps_of_the_ids_cost_no_more_than_the_window() {
        let mut cursor = cursor("1");
        for leap in 1..10 {
            cursor.record(leap * (u64::MAX / 20), WINDOW);
            assert!(cursor.missing.iter().count() as u64 <= WINDOW);
        }
    }

    #[test]
    fn a_forged_cursor_of_huge_ranges_costs_no_more_than_those() {
        let forged = cursor("9223372036854775807-1+4000000000000000000_2+5000000000000000000");
        let both = forged.union(&cursor("9000-5_3"));
        assert_eq!(both.missing.ranges().len(), 4);
        assert!(both.covers(9_000) && !both.covers(8));
    }
}

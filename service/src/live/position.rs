//! How far a listener has got. Message ids are given out before the messages are there: of two sends at once, the one
//! with the lower id may be committed after the other. So "everything up to 9" is not enough; it is "up to 9, without 8".

use std::fmt::{self, Write as _};

use crate::live::ids::Ids;
use crate::model::invalid::Invalid;
use crate::model::message::MessageId;

/// The longest that a position is written, in bytes. It stands in a header, which proxies limit to 8 KiB or more.
/// Everything that can be under way at once fits in, see the test of it.
const LONGEST: usize = 4_096;

/// The messages that a listener has, if they are the listener's: all up to one, without those that are missing.
///
/// It is written as `9`; as `9-7` if 7 is missing, and `9-7+1` if 7 and the one after it are. Further runs follow, each
/// counted from the end of the one before it: `20-3+4_5` misses 3 to 7, and 12. Once it was `20-3.12`, each id by itself;
/// clients keep those, so they are still read. It is the id of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(super) reached: u64,
    /// None above `reached`.
    pub(super) missing: Ids,
}

impl Position {
    /// # Errors
    /// What is wrong with it, going on from "Last-Event-ID".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        Self::read(text).ok_or_else(|| Invalid::from("must be the id of an event as it came"))
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (reached, runs) = match text.split_once('-') {
            Some((reached, runs)) => (reached, Some(runs)),
            None => (text, None),
        };
        let missing = match runs {
            None => Ids::default(),
            Some(runs) if runs.contains('.') => each(runs)?,
            Some(runs) => runs_of(runs)?,
        };
        // 0 is nobody's id; it is how far one has got before the first message.
        let reached = if reached == "0" { 0 } else { number(reached)? };
        (missing.last() <= Some(reached)).then_some(Self { reached, missing })
    }

    /// Whether whoever has got here has this message, if it is theirs.
    pub(crate) fn covers(&self, id: u64) -> bool {
        id <= self.reached && !self.missing.contains(id)
    }

    /// The first message that is not covered.
    pub(super) fn next(&self) -> u64 {
        self.missing.first().unwrap_or(self.reached + 1)
    }

    /// What is covered by either.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let reached = self.reached.max(other.reached);
        let missing = self.not_covered().in_both(&other.not_covered());
        Self {
            reached,
            missing: missing.up_to(reached),
        }
    }

    fn not_covered(&self) -> Ids {
        let mut ids = self.missing.clone();
        ids.append(self.reached + 1, u64::MAX);
        ids
    }

    /// What is covered of the messages up to this one.
    pub(crate) fn up_to(&self, id: u64) -> Self {
        let reached = self.reached.min(id);
        Self {
            reached,
            missing: self.missing.up_to(reached),
        }
    }

    /// Takes note of a message that is there now. Ids that were passed over may yet come.
    pub(super) fn note(&mut self, id: u64) {
        if id <= self.reached {
            self.missing.remove(id);
            return;
        }
        // More than this cannot be under way at once; a database that was restored may leap.
        let first = (self.reached + 1).max(id.saturating_sub(super::WINDOW));
        if first < id {
            self.missing.append(first, id - 1);
            self.missing.keep_last(super::WINDOW);
        }
        self.reached = id;
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.missing.runs())
    }
}

/// A number as ids are: from 1 to 2^63 - 1, without a sign or a zero before it.
fn number(text: &str) -> Option<u64> {
    MessageId::parse(text).map(MessageId::get)
}

/// `3.7.8`, the earlier form.
fn each(text: &str) -> Option<Ids> {
    let mut ids = Ids::default();
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
fn runs_of(text: &str) -> Option<Ids> {
    let mut ids = Ids::default();
    for run in text.split('_') {
        let (gap, more) = match run.split_once('+') {
            Some((gap, more)) => (number(gap)?, number(more)?),
            None => (number(run)?, 0),
        };
        // What follows without a gap is the same run.
        if ids.last().is_some() && gap < 2 {
            return None;
        }
        let first = ids.last().unwrap_or(0).checked_add(gap)?;
        ids.append(first, first.checked_add(more)?);
    }
    Some(ids)
}

/// A position that misses too much to be written is written as an earlier one: then something may come twice, and
/// nothing is left out.
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ROOM: usize = LONGEST - "18446744073709551615".len();
        let (mut reached, mut before, mut runs) = (self.reached, 0, String::new());
        for (first, last) in self.missing.runs() {
            let separator = if before == 0 { '-' } else { '_' };
            let mut run = format!("{separator}{}", first - before);
            if last > first {
                write!(run, "+{}", last - first)?;
            }
            if runs.len() + run.len() > ROOM {
                reached = first - 1;
                break;
            }
            runs += &run;
            before = *last;
        }
        write!(formatter, "{reached}{runs}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Position {
        Position::parse(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn a_position_is_read_as_it_is_written_and_not_otherwise() {
        const LARGEST: &str = "9223372036854775807-1+9223372036854775806";
        for text in ["0", "9", "9-8", "9-2_5+1", "9-1+8", "20-3+4_5", LARGEST] {
            assert_eq!(position(text).to_string(), text);
        }
        let wrong = "|-|9-|09|9-10|9-8+2|9-8_2|9-8_1|9-8_0|9-8+0|9-0|0-0|x|9-x| 9|9-8_|9-_8|9-8+|9-+8|9-2+1+1|9--8|\
            9-8.7|9-8.8|9-7.|9-.7|9-3_2.8|9-9223372036854775807_9223372036854775807_9223372036854775807";
        for text in wrong.split('|') {
            assert!(Position::parse(text).is_err(), "{text:?}");
        }
        assert!(Position::parse(&format!("9{}", "-8".repeat(LONGEST))).is_err());
    }

    #[test]
    fn a_position_in_the_earlier_form_is_read() {
        for (earlier, now) in [("9-7.8", "9-7+1"), ("9-2.7.8", "9-2_5+1")] {
            assert_eq!(position(earlier).to_string(), now);
        }
    }

    #[test]
    fn what_comes_late_is_missing_until_it_comes() {
        let mut position = position("5");
        position.note(8);
        assert_eq!(position.to_string(), "8-6+1");
        position.note(6);
        assert_eq!(position.to_string(), "8-7");
        assert!(position.covers(6) && !position.covers(7) && !position.covers(9));
    }

    #[test]
    fn two_positions_cover_what_either_does() {
        let cases = [
            ("9-8", "5", "9-8"),
            ("9-3.8", "5-4", "9-8"),
            ("9-3", "5-3", "9-3"),
            ("9-8", "12-10", "12-10"),
            ("9-8", "12-8.10", "12-8_2"),
            ("0", "4-2", "4-2"),
        ];
        for (one, other, both) in cases {
            assert_eq!(position(one).and(&position(other)).to_string(), both);
            assert_eq!(position(other).and(&position(one)).to_string(), both);
        }
    }

    #[test]
    fn a_position_is_cut_short_where_something_is_missing_or_not() {
        assert_eq!(position("9-3.8").up_to(8).to_string(), "8-3_5");
        assert_eq!(position("9-3.8").up_to(20).to_string(), "9-3_5");
    }

    /// Whatever is missing of the ids that can be under way at once.
    #[test]
    fn every_position_within_the_window_is_written_whole() {
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
            let mut position = Position {
                reached: begin,
                missing: Ids::default(),
            };
            while position.reached < begin + crate::live::WINDOW {
                for _ in 0..gap {
                    position.note(position.reached + 1);
                }
                position.note(position.reached + run + 1);
            }
            let written = position.to_string();
            assert!(written.len() <= LONGEST, "{gap} {run}: {}", written.len());
            assert_eq!(self::position(&written), position, "{gap} {run}");
        }
    }

    #[test]
    fn a_position_too_long_to_write_leaves_nothing_out() {
        let mut position = position("1");
        for number in 1..2_000 {
            position.note(number * 1_000);
            position.missing = Ids::default();
        }
        for number in 2_000..4_000_u64 {
            position.reached = number * 1_000;
            position
                .missing
                .append(number * 1_000 - 500, number * 1_000 - 500);
        }
        let written = position.to_string();
        let read = Position::parse(&written).expect("valid");
        assert!((1..=4_000_000).all(|id| position.covers(id) || !read.covers(id)));
        assert!(written.len() <= LONGEST && read.reached < position.reached);
    }

    #[test]
    fn a_leap_of_the_ids_costs_no_more_than_a_window_and_so_do_many() {
        let mut position = position("1");
        for leap in 1..10 {
            position.note(leap * (u64::MAX / 20));
            assert!(position.missing.each().count() as u64 <= crate::live::WINDOW);
        }
    }

    #[test]
    fn a_forged_position_of_huge_runs_costs_no_more_than_its_runs() {
        let forged = position("9223372036854775807-1+4000000000000000000_2+5000000000000000000");
        let both = forged.and(&position("9000-5_3"));
        assert_eq!(both.missing.runs().len(), 4);
        assert!(both.covers(9_000) && !both.covers(8));
    }
}

//! How far a listener has got. Message ids are given out before the messages are there: of two sends at once, the one
//! with the lower id may be committed after the other. So "everything up to 9" is not enough; it is "up to 9, without 8".

use std::collections::BTreeSet;
use std::fmt;

use crate::body::Invalid;
use crate::messages::MessageId;

/// Ids that a written position names as missing, at most. It stands in a header, which proxies limit to some KiB.
const MOST_WRITTEN: usize = 500;

/// The messages that somebody has, if they are theirs: all up to one, without those that are missing.
///
/// It is written as `9`, or `9-7.8` if 7 and 8 are missing, and is the id of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(super) reached: u64,
    /// None above `reached`.
    pub(super) missing: BTreeSet<u64>,
}

impl Position {
    /// # Errors
    /// What is wrong with it, going on from "Last-Event-ID".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::from("must be the id of an event as it came");
        let id = |text: &str| MessageId::parse(text).map(MessageId::get);
        let (reached, missing) = text.split_once('-').unwrap_or((text, ""));
        // 0 is nobody's id; it is how far one has got before the first message.
        let reached = match reached {
            "0" => 0,
            other => id(other).ok_or_else(wrong)?,
        };
        let missing = missing.split('.').filter(|part| !part.is_empty());
        let missing: BTreeSet<_> = missing.map(id).collect::<Option<_>>().ok_or_else(wrong)?;
        let position = Self { reached, missing };
        if position.to_string() == text && position.missing.last() <= Some(&reached) {
            Ok(position)
        } else {
            Err(wrong())
        }
    }

    /// Whether somebody who has got here has this message, if it is theirs.
    pub(crate) fn covers(&self, id: u64) -> bool {
        id <= self.reached && !self.missing.contains(&id)
    }

    /// What is covered by either.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let of_self = self.missing.iter().filter(|id| !other.covers(**id));
        let of_other = other.missing.iter().filter(|id| !self.covers(**id));
        Self {
            reached: self.reached.max(other.reached),
            missing: of_self.chain(of_other).copied().collect(),
        }
    }

    /// What is covered of the messages up to this one.
    pub(crate) fn up_to(&self, id: u64) -> Self {
        let reached = self.reached.min(id);
        Self {
            reached,
            missing: self.missing.range(..=reached).copied().collect(),
        }
    }

    /// Takes note of a message that is there now. Ids that were passed over may yet come.
    pub(super) fn note(&mut self, id: u64) {
        if id <= self.reached {
            self.missing.remove(&id);
            return;
        }
        // More than this cannot be under way at once; a database that was restored may leap.
        let first = (self.reached + 1).max(id.saturating_sub(super::WINDOW));
        self.missing.extend(first..id);
        self.reached = id;
    }
}

/// A position that misses too much to be written is written as an earlier one: then something may come twice, and
/// nothing is left out.
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached = match self.missing.iter().nth(MOST_WRITTEN) {
            Some(first_left_out) => first_left_out - 1,
            None => self.reached,
        };
        write!(formatter, "{reached}")?;
        let mut separator = '-';
        for id in self.missing.iter().take(MOST_WRITTEN) {
            write!(formatter, "{separator}{id}")?;
            separator = '.';
        }
        Ok(())
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
        for text in ["0", "9", "9-8", "9-2.7.8"] {
            assert_eq!(position(text).to_string(), text);
        }
        for text in [
            "", "-", "9-", "09", "9-10", "9-8.7", "9-8.8", "9-0", "0-0", "x", "9-x", " 9",
        ] {
            assert!(Position::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_comes_late_is_missing_until_it_comes() {
        let mut position = position("5");
        position.note(8);
        assert_eq!(position.to_string(), "8-6.7");
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
            ("9-8", "12-8.10", "12-8.10"),
            ("0", "4-2", "4-2"),
        ];
        for (one, other, both) in cases {
            assert_eq!(position(one).and(&position(other)).to_string(), both);
            assert_eq!(position(other).and(&position(one)).to_string(), both);
        }
    }

    #[test]
    fn a_position_is_cut_short_where_something_is_missing_or_not() {
        assert_eq!(position("9-3.8").up_to(8).to_string(), "8-3.8");
        assert_eq!(position("9-3.8").up_to(20).to_string(), "9-3.8");
    }

    #[test]
    fn a_position_too_long_to_write_leaves_nothing_out() {
        let mut position = position("1");
        position.note(1_000);
        let written = position.to_string();
        let read = Position::parse(&written).expect("valid");
        assert!((1..=1_000).all(|id| position.covers(id) || !read.covers(id)));
        assert!(written.len() < 4_000);
    }

    #[test]
    fn a_leap_of_the_ids_costs_no_more_than_a_window() {
        let mut position = position("1");
        position.note(u64::MAX / 2);
        assert_eq!(position.missing.len() as u64, crate::live::WINDOW);
    }
}

//! The cursor of a stream: the messages and changes that the client has. It is the id of an event.

use std::fmt;

use crate::live::id_cursor::{IdCursor, MAX_MESSAGES_LENGTH};
use crate::live::id_ranges::IdRanges;
use crate::model::invalid::Invalid;

/// Where the ids of changes begin in a written cursor. No message has a higher id, because JSON numbers are exact up to
/// 2^53 only.
const CHANGES: u64 = 10_000_000_000_000_000;

/// The messages and changes that a client has.
///
/// It is written as a single [`IdCursor`], in which the ids of changes follow those of all messages that there can be:
/// `10000000000000005-10+9999999999999989` is the message 9 and the change 5. So it has the form that earlier versions
/// know. To those it is ahead of the database, so that they reset the stream; they would refuse any other form, and
/// clients would not reconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamCursor {
    pub(super) messages: IdCursor,
    /// `None` in a cursor of an earlier version, and in `0`.
    pub(super) changes: Option<IdCursor>,
}

impl StreamCursor {
    pub(super) fn new(messages: IdCursor, changes: IdCursor) -> Self {
        Self {
            messages,
            changes: Some(changes),
        }
    }

    /// # Errors
    /// The reason, as a phrase that continues "Last-Event-ID".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let whole = IdCursor::parse(text);
        let whole = whole.ok_or_else(|| Invalid::from("must be the unchanged id of an event"))?;
        Ok(Self::divide(whole))
    }

    fn divide(whole: IdCursor) -> Self {
        let Some(reached) = whole.reached.checked_sub(CHANGES) else {
            return Self {
                messages: whole,
                changes: None,
            };
        };
        let mut messages = whole.up_to(CHANGES - 1);
        // The last range of missing ids is what lies between the messages and the changes.
        if let Some(last) = messages.missing.pop_last_if_to(CHANGES - 1) {
            messages.reached = last - 1;
        }
        let changes = IdCursor {
            reached,
            missing: whole.missing.shifted_down(CHANGES),
        };
        Self::new(messages, changes)
    }

    /// As it is written. The changes have their place even if the messages are too many to write: a cursor without them
    /// would lead to a `refetch`.
    fn whole(&self) -> IdCursor {
        let Some(changes) = &self.changes else {
            return self.messages.clone();
        };
        let IdCursor {
            reached,
            mut missing,
        } = self.messages.fitting(MAX_MESSAGES_LENGTH);
        if reached < CHANGES - 1 {
            missing.append(reached + 1, CHANGES - 1);
        }
        for (first, last) in changes.missing.ranges() {
            missing.append(CHANGES + first, CHANGES + last);
        }
        IdCursor {
            reached: CHANGES + changes.reached,
            missing,
        }
    }

    /// Whether a client with this cursor has this message, if it is addressed to it.
    pub(crate) fn covers_message(&self, id: u64) -> bool {
        self.messages.covers(id)
    }

    /// Whether a client with this cursor has this change, if it is one of its user.
    pub(crate) fn covers_change(&self, id: u64) -> bool {
        let changes = self.changes.as_ref();
        changes.is_some_and(|changes| changes.covers(id))
    }

    /// The highest change that is covered.
    pub(super) fn reached_change(&self) -> u64 {
        self.changes.as_ref().map_or(0, |changes| changes.reached)
    }

    /// The cursor that covers what either one does.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let changes = match (&self.changes, &other.changes) {
            (Some(one), Some(two)) => Some(one.union(two)),
            (one, two) => one.as_ref().or(two.as_ref()).cloned(),
        };
        Self {
            messages: self.messages.union(&other.messages),
            changes,
        }
    }

    /// This cursor and the messages of another one up to this one.
    pub(super) fn with_messages(&self, other: &Self, up_to: u64) -> Self {
        Self {
            messages: self.messages.union(&other.messages.up_to(up_to)),
            changes: self.changes.clone(),
        }
    }

    /// This cursor and the changes of another one up to this one.
    pub(super) fn with_changes(&self, other: &Self, up_to: u64) -> Self {
        let changes = other.changes.as_ref().map(|changes| changes.up_to(up_to));
        self.union(&Self {
            messages: IdCursor::default(),
            changes,
        })
    }

    /// The memory of the missing ids.
    pub(super) fn bytes(&self) -> usize {
        let changes = self.changes.as_ref().map_or(0, IdCursor::bytes);
        self.messages.bytes() + changes
    }
}

impl fmt::Display for StreamCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole().fmt(formatter)
    }
}

impl IdRanges {
    /// Removes the last range if it ends with this id; returns its first id.
    fn pop_last_if_to(&mut self, id: u64) -> Option<u64> {
        let (first, last) = self.ranges().last().copied()?;
        if last != id {
            return None;
        }
        *self = self.up_to(first - 1);
        Some(first)
    }

    /// The ids from this one on, relative to it.
    fn shifted_down(&self, by: u64) -> Self {
        let mut shifted = Self::default();
        for (first, last) in self.ranges() {
            if *last >= by {
                shifted.append(first.saturating_sub(by), last - by);
            }
        }
        shifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> IdCursor {
        IdCursor::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn parse(text: &str) -> StreamCursor {
        StreamCursor::parse(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn a_cursor_is_parsed_as_it_is_written() {
        for messages in ["0", "9", "9-8", "20-3+4_5", "9007199254740991-1+8"] {
            assert_eq!(parse(messages).messages, ids(messages));
            assert_eq!(parse(messages).changes, None);
            assert_eq!(parse(messages).to_string(), messages);
            for changes in ["0", "7", "7-6", "20-3+4_5"] {
                let cursor = StreamCursor::new(ids(messages), ids(changes));
                assert_eq!(parse(&cursor.to_string()), cursor, "{cursor}");
            }
        }
    }

    #[test]
    fn a_written_cursor_is_one_of_ids_that_no_message_has() {
        let cursor = StreamCursor::new(ids("9-8"), ids("5-4"));
        let written = "10000000000000005-8_2+9999999999999989_5";
        assert_eq!(cursor.to_string(), written);
        let as_before = ids(written);
        assert!((1..=20).all(|id| as_before.covers(id) == cursor.covers_message(id)));
    }

    #[test]
    fn a_forged_cursor_is_written_as_it_was_parsed() {
        for forged in [
            "9223372036854775807",
            "9223372036854775807-1+9223372036854775805",
            "10000000000000005-10000000000000000",
            "10000000000000005-9999999999999999+3",
        ] {
            assert_eq!(parse(forged).to_string(), forged);
        }
    }

    #[test]
    fn messages_and_changes_are_covered_separately() {
        let cursor = StreamCursor::new(ids("9"), ids("5-4"));
        assert!(cursor.covers_message(9) && !cursor.covers_message(10));
        assert!(cursor.covers_change(5) && !cursor.covers_change(4) && !cursor.covers_change(6));
        assert!(!parse("9").covers_change(1));
        let other = StreamCursor::new(ids("20"), ids("8-7"));
        assert_eq!(
            cursor.with_messages(&other, 12),
            StreamCursor::new(ids("12"), ids("5-4"))
        );
        assert_eq!(
            cursor.with_changes(&other, 7),
            StreamCursor::new(ids("9"), ids("7-7"))
        );
        assert_eq!(parse("9").union(&other), other);
    }

    /// Every second id is missing.
    fn full_of_gaps() -> IdCursor {
        let mut cursor = ids("1");
        for id in 2..4_000 {
            cursor.record(2 * id, u64::MAX);
        }
        cursor
    }

    #[test]
    fn a_cursor_of_too_many_messages_to_write_repeats_messages_but_no_changes() {
        let cursor = StreamCursor::new(full_of_gaps(), ids("9-8"));
        let read = parse(&cursor.to_string());
        assert_eq!(read.changes, cursor.changes);
        assert!(read.messages.reached < cursor.messages.reached);
        assert!((1..8_000).all(|id| cursor.covers_message(id) || !read.covers_message(id)));
    }

    #[test]
    fn a_cursor_too_long_to_write_repeats_changes_before_messages() {
        let cursor = StreamCursor::new(ids("9-8"), full_of_gaps());
        let read = parse(&cursor.to_string());
        assert_eq!(read.messages, cursor.messages);
        assert!(read.reached_change() < cursor.reached_change());
        assert!((1..8_000).all(|id| cursor.covers_change(id) || !read.covers_change(id)));
    }
}

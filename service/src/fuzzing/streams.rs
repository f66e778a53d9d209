//! Positions of event streams.

use crate::fuzzing::input::{accepted, first_line, text};
use crate::live::StreamCursor;

/// The maximum length of a written cursor.
const MAX_BYTES: usize = 4_096;
/// The maximum length of the part of a written cursor that is of messages, if there is one of changes.
const MAX_MESSAGES_BYTES: usize = 3_072;
/// A range of ids, as long as it can be written. A cursor that is shorter by this than both maxima is written whole.
const RANGE_BYTES: usize = 64;
/// Where the ids of changes begin.
const CHANGES: u64 = 10_000_000_000_000_000;

/// A value of `Last-Event-ID`, and in another line the position of another stream.
///
/// # Panics
/// If a cursor is read otherwise than it is written, or a union of two covers other ids than they do.
pub fn stream_cursor(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let (one, other) = first_line(text);
    let Some(one) = accepted(StreamCursor::parse(one)) else {
        return;
    };
    let ids = ids_in(text);
    check_written(&one, &ids);
    if let Some(other) = accepted(StreamCursor::parse(other)) {
        check_union(&one, &other, &ids);
    }
}

/// A cursor that is written covers the same ids as before, or fewer if it is too long to be written whole.
fn check_written(cursor: &StreamCursor, ids: &[u64]) {
    let written = cursor.to_string();
    assert!(written.len() <= MAX_BYTES);
    let read = StreamCursor::parse(&written).expect("valid");
    assert_eq!(read.to_string(), written);
    let is_whole = written.len() <= MAX_MESSAGES_BYTES - RANGE_BYTES;
    let is_kept = |before: bool, now: bool| now == before || (!now && !is_whole);
    for id in ids {
        let is_known = cursor.covers_message(*id);
        assert!(is_kept(is_known, read.covers_message(*id)), "{id}");
        let is_known = cursor.covers_change(*id);
        assert!(is_kept(is_known, read.covers_change(*id)), "{id}");
    }
}

fn check_union(one: &StreamCursor, other: &StreamCursor, ids: &[u64]) {
    let both = one.union(other);
    assert_eq!(both, other.union(one));
    assert_eq!(both, both.union(one));
    for id in ids {
        let covers_message = one.covers_message(*id) || other.covers_message(*id);
        assert_eq!(both.covers_message(*id), covers_message, "{id}");
        let covers_change = one.covers_change(*id) || other.covers_change(*id);
        assert_eq!(both.covers_change(*id), covers_change, "{id}");
    }
    check_written(&both, ids);
}

/// The ids at the ends of ranges, and beside them: numbers are relative to the end of the range before.
fn ids_in(text: &str) -> Vec<u64> {
    let mut ids = vec![0, 1, CHANGES - 1, CHANGES, u64::MAX];
    let mut end = 0_u64;
    for number in text.split(|letter: char| !letter.is_ascii_digit()) {
        let number = number.parse().unwrap_or_default();
        end = end.saturating_add(number);
        for id in [number, end, number % CHANGES, end % CHANGES] {
            ids.extend([id.saturating_sub(1), id, id.saturating_add(1)]);
        }
    }
    ids
}

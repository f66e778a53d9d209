//! Texts of queries that are more than names and numbers.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike as _, Utc};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use rocket::tokio::time::Instant;

use crate::fuzzing::input::{accepted, first_line, text};
use crate::messages::{Candidate, Matcher, Pattern};
use crate::model::message::{Content, MessageId, Subject, Text};
use crate::model::search::SearchTerms;
use crate::model::timestamp;
use crate::model::user::Username;

/// Search terms, and in the further lines the text of a message.
///
/// # Panics
/// If the terms exceed the documented limits, do not occur in themselves, or match a text in one Unicode normalization
/// form alone.
pub fn search(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let (terms, message) = first_line(text);
    let Some(terms) = accepted(SearchTerms::parse(terms)) else {
        return;
    };
    assert!((1..=5).contains(&terms.iter().count()));
    let written = terms.to_string();
    assert!(written.chars().count() <= 100);
    assert_eq!(SearchTerms::parse(&written).as_ref(), Ok(&terms));
    assert!(is_found(&terms, &written), "{written:?}");
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(message);
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(message);
    assert_eq!(is_found(&terms, &composed), is_found(&terms, &decomposed));
}

/// Whether a search finds a message with this text.
fn is_found(terms: &SearchTerms, message: &str) -> bool {
    let matcher = Matcher {
        pattern: Some(Arc::new(Pattern::of(terms))),
        max_matches: 1,
        max_bytes: usize::MAX,
        deadline: Instant::now(),
    };
    let content = Content {
        id: MessageId::stored(1).expect("not 0"),
        in_reply_to: None,
        sender: Username::stored("alice"),
        subject: Subject::stored(String::new()),
        message: Text::stored(message.to_owned()),
        created_at: DateTime::UNIX_EPOCH,
    };
    let candidate = Candidate {
        content,
        read: false,
    };
    !matcher.run(vec![candidate]).found.is_empty()
}

/// A time, as the value of `since`.
///
/// # Panics
/// If a time is read otherwise than it is written, or than chrono reads it.
pub fn time(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let time = accepted(timestamp::parse(text));
    if let Some(time) = time {
        let written = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        assert_eq!(timestamp::parse(&written), Ok(time));
        assert!((0..=253_402_300_799_000).contains(&time.timestamp_millis()));
    }
    if let Ok(other) = DateTime::parse_from_rfc3339(text) {
        check_as_other(time.expect("RFC 3339"), other.to_utc());
    }
}

/// Compares a time with what another parser made of it, which does not round it, and knows leap seconds.
fn check_as_other(time: DateTime<Utc>, other: DateTime<Utc>) {
    let is_leap_second = other.nanosecond() >= 1_000_000_000;
    let is_clamped = other < DateTime::UNIX_EPOCH || other.timestamp() >= 253_402_300_799;
    if !is_leap_second && !is_clamped {
        let difference = time - other;
        assert!((TimeDelta::zero()..=TimeDelta::milliseconds(1)).contains(&difference));
    }
}

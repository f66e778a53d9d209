//! Timestamps in RFC 3339 and common variants.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use serde::Serializer;

use crate::model::invalid::Invalid;

/// The range of timestamps in the database: from 1970 to 9999.
const FIRST: DateTime<Utc> = DateTime::UNIX_EPOCH;
const LAST_SECONDS: i64 = 253_402_300_799;

/// Parses the value of `since`. A fraction is rounded up to the milliseconds of messages.
///
/// In addition to RFC 3339, it accepts a comma before the fraction, a time without seconds, an offset in the form of
/// ISO 8601 (`+0100`, `+01`), and a space instead of an unescaped `+`, which a query decodes to a space. A leap second
/// counts as the second after it, because neither the database nor the clocks of replicas have leap seconds.
///
/// # Errors
/// The reason, as a phrase that continues "since".
pub(crate) fn parse(text: &str) -> Result<DateTime<Utc>, Invalid> {
    let time = Parser(text).parse().ok_or(
        "must be a time with an offset in the form of RFC 3339, such as 2026-11-22T12:00:00Z or \
         2026-11-22T12:00:00+01:00",
    )?;
    let last = DateTime::from_timestamp(LAST_SECONDS, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Ok(time.clamp(FIRST, last))
}

/// The text that is not parsed yet.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn parse(mut self) -> Option<DateTime<Utc>> {
        let (year, month, day) = (
            self.digits(4)?,
            self.after('-')?.digits(2)?,
            self.after('-')?.digits(2)?,
        );
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        self.one_of(&['T', 't', ' '])?;
        let (hour, minute) = (self.digits(2)?, self.after(':')?.digits(2)?);
        let second = match self.after(':') {
            Some(rest) => rest.digits(2)?,
            None => 0,
        };
        let milliseconds = self.fraction()?;
        let offset = self.offset()?;
        let is_time = hour < 24 && minute < 60 && second <= 60;
        let time = TimeDelta::seconds((hour * 3_600 + minute * 60 + second).into())
            + TimeDelta::milliseconds(milliseconds);
        // Years have four digits, so no operation overflows.
        (is_time && self.0.is_empty())
            .then(|| date.and_time(chrono::NaiveTime::MIN).and_utc() + time - offset)
    }

    /// Skips the character; `None` if it is not the next one.
    fn after(&mut self, character: char) -> Option<&mut Self> {
        self.one_of(&[character]).map(|_| self)
    }

    fn one_of(&mut self, characters: &[char]) -> Option<char> {
        let next = self
            .0
            .chars()
            .next()
            .filter(|next| characters.contains(next))?;
        self.0 = &self.0[next.len_utf8()..];
        Some(next)
    }

    /// Parses a number of exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        self.0 = rest;
        is_number.then(|| digits.parse().ok())?
    }

    /// Parses an optional fraction of any length to milliseconds, rounded up.
    fn fraction(&mut self) -> Option<i64> {
        if self.one_of(&['.', ',']).is_none() {
            return Some(0);
        }
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let (whole, part) = digits.split_at(count.min(3));
        let whole: i64 = format!("{whole:0<3}").parse().ok()?;
        let is_more = part.bytes().any(|digit| digit != b'0');
        (count > 0).then_some(whole + i64::from(is_more))
    }

    /// Parses the offset from UTC.
    fn offset(&mut self) -> Option<TimeDelta> {
        let sign = self.one_of(&['Z', 'z', '+', '-', ' '])?;
        if matches!(sign, 'Z' | 'z') {
            return Some(TimeDelta::zero());
        }
        let hours = self.digits(2)?;
        let has_colon = self.after(':').is_some();
        let minutes = if has_colon || !self.0.is_empty() {
            self.digits(2)?
        } else {
            0
        };
        let ahead = TimeDelta::minutes((hours * 60 + minutes).into());
        (hours < 24 && minutes < 60).then_some(if sign == '-' { -ahead } else { ahead })
    }
}

/// Serialises a time in the form of all responses: UTC with milliseconds (RFC 3339).
pub(crate) fn rfc3339<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The same for a time that may be absent.
#[expect(clippy::ref_option, reason = "serde hands a reference to the field")]
pub(crate) fn optional_rfc3339<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(text: &str) -> Option<i64> {
        parse(text).ok().map(|time| time.timestamp_millis())
    }

    #[test]
    fn a_time_is_parsed_in_all_its_forms() {
        for text in [
            "2026-11-22T12:00:00Z",
            "2026-11-22t12:00:00z",
            "2026-11-22 12:00:00Z",
            "2026-11-22T12:00:00.000Z",
            "2026-11-22T12:00:00,0Z",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00+00:00",
            "2026-11-22T12:00:00-00:00",
            "2026-11-22T12:00:00+0000",
            "2026-11-22T12:00:00+00",
            "2026-11-22T12:00:00 00:00",
            "2026-11-22T12:00:00 0000",
            "2026-11-22 12:00:00 00",
            "2026-11-22T13:00:00 01:00",
            "2026-11-22T13:30:00.0+0130",
            "2026-11-22T10:30:00-01:30",
            "2026-11-22T04:00:00.000000-08",
            "2026-11-23T11:59:00+23:59",
            "2026-11-21T12:01:00-23:59",
        ] {
            assert_eq!(milliseconds(text), Some(1_795_348_800_000), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_malformed_or_lacks_an_offset_is_refused() {
        for text in [
            "",
            " ",
            "now",
            "1",
            "2026-11-22",
            "2026-11-22T12:00:00",
            "2026-11-22T12Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:60:00Z",
            "2026-11-22T12:00:61Z",
            "2026-02-29T12:00:00Z",
            "2026-00-22T12:00:00Z",
            "2026-13-22T12:00:00Z",
            "02026-11-22T12:00:00Z",
            "+2026-11-22T12:00:00Z",
            "-2026-11-22T12:00:00Z",
            "226-11-22T12:00:00Z",
            "262143-01-01T00:00:00Z",
            "2026-11-22T12:00:00+24:00",
            "2026-11-22T12:00:00+00:60",
            "2026-11-22T12:00:00+1",
            "2026-11-22T12:00:00+01:",
            "2026-11-22T12:00:00+010",
            "2026-11-22T12:00:00+01:00:00",
            "2026-11-22T12:00:00ZZ",
            "2026-11-22T12:00:00  01:00",
            "2026-11-22T12:00:00Z ",
            "20261122T120000Z",
            "2026-11-22T12:00:00é",
            "é",
            "２０２６-11-22T12:00:00Z",
            "2026-1١-22T12:00:00Z",
        ] {
            assert_eq!(milliseconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_fraction_of_a_millisecond_rounds_up_whatever_its_digits() {
        assert_eq!(milliseconds("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(milliseconds("1970-01-01T00:00:00.001Z"), Some(1));
        assert_eq!(milliseconds("1970-01-01T00:00:00.0010000000Z"), Some(1));
        assert_eq!(milliseconds("1970-01-01T00:00:00.0010000001Z"), Some(2));
        assert_eq!(
            milliseconds(&format!("1970-01-01T00:00:00.{}1Z", "0".repeat(5_000))),
            Some(1)
        );
        assert_eq!(milliseconds("1970-01-01T00:00:00.9999Z"), Some(1_000));
    }

    #[test]
    fn a_leap_second_is_the_next_second() {
        let next = milliseconds("2017-01-01T00:00:00Z");
        assert_eq!(milliseconds("2016-12-31T23:59:60Z"), next);
        assert_eq!(milliseconds("2016-12-31T15:59:60-08:00"), next);
        assert_eq!(
            milliseconds("2016-12-31T23:59:60.999Z"),
            next.map(|next| next + 999)
        );
    }

    #[test]
    fn a_time_is_clamped_to_the_range_of_the_database() {
        let last = Some(LAST_SECONDS * 1_000);
        for (text, expected) in [
            ("1970-01-01T01:00:01+01:00", Some(1_000)),
            ("0000-01-01T00:00:00Z", Some(0)),
            ("0000-01-01T00:00:00+23:59", Some(0)),
            ("1970-01-01T00:00:00+00:01", Some(0)),
            ("9999-12-31T23:59:59Z", last),
            ("9999-12-31T23:59:59.999Z", last),
            ("9999-12-31T23:59:59.9999Z", last),
            ("9999-12-31T23:59:60Z", last),
            ("9999-12-31T23:59:60.9999-23:59", last),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}

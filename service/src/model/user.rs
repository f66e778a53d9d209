//! Users: their ids and names.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::Serialize;
use smol_str::SmolStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema};
use utoipa::{PartialSchema as _, ToSchema};

use crate::model::invalid::Invalid;

/// The length of a username in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 3..=64;

/// Identifies a user in the database and in tokens. It never changes and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserId(u64);

impl From<u64> for UserId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl From<UserId> for u64 {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for UserId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// A name of a user: 3 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(
    value_type = String, min_length = 3, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", example = "alice",
    description = "A letter or digit, then letters, digits, `.`, `_` and `-`. Case-insensitive, and kept in lower case."
)]
#[serde(transparent)]
pub(crate) struct Username(SmolStr);

impl Username {
    /// # Errors
    /// The reason, as a phrase that continues "username".
    pub(crate) fn parse(mut name: String) -> Result<Self, Invalid> {
        name.make_ascii_lowercase();
        if !LENGTH.contains(&name.chars().count()) {
            return Err("must be 3 to 64 characters long".into());
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !name
            .bytes()
            .all(|byte| is_plain(byte) || b"._-".contains(&byte))
        {
            return Err("must contain only letters a-z, digits, '.', '_' and '-'".into());
        }
        if !name.bytes().next().is_some_and(is_plain) {
            return Err("must begin with a letter or a digit".into());
        }
        Ok(Self(name.into()))
    }

    /// A name from the database, which contains valid ones only.
    pub(crate) fn stored(name: &str) -> Self {
        Self(name.into())
    }

    /// Whether `name` is a spelling of this name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }

    /// Whether this is the name of a deleted account's row.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.0.starts_with('~')
    }

    /// The schema with the description of a field.
    pub(crate) fn schema_described_as(description: &str) -> Object {
        let schema = match Self::schema() {
            RefOr::T(Schema::Object(schema)) => ObjectBuilder::from(schema),
            _ => ObjectBuilder::new(),
        };
        schema.description(Some(description)).build()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn username(name: &str) -> Result<String, Invalid> {
        Username::parse(name.to_owned()).map(|name| name.to_string())
    }

    #[test]
    fn a_username_is_lowered_and_nothing_else() {
        assert_eq!(username("Al.Ice_7-"), Ok("al.ice_7-".to_owned()));
        assert_eq!(username("007"), Ok("007".to_owned()));
    }

    #[test]
    fn a_username_of_the_wrong_length_is_refused() {
        assert!(username("ab").is_err());
        assert!(username("abc").is_ok());
        assert!(username(&"a".repeat(64)).is_ok());
        assert!(username(&"a".repeat(65)).is_err());
    }

    #[test]
    fn a_username_of_other_letters_is_refused() {
        // Unicode's lower case maps the Kelvin sign to k; ASCII's does not.
        for name in [
            "al ice",
            "alicé",
            "a\u{212A}ice",
            "alice\n",
            "a/ice",
            "аlice",
        ] {
            assert!(username(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_username_that_begins_with_a_sign_is_refused() {
        for name in [".alice", "-alice", "_alice", "..."] {
            assert!(username(name).is_err(), "{name:?}");
        }
    }
}

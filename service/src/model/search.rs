//! Search criteria.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use crate::model::invalid::Invalid;
use crate::model::user::Username;

/// The length of a search in characters.
const SEARCH_LENGTH: RangeInclusive<usize> = 1..=100;
/// The number of its terms.
const TERMS: RangeInclusive<usize> = 1..=5;

/// Terms that must all occur in a message, each in the subject or in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchTerms(Vec<String>);

impl SearchTerms {
    /// Splits the text at white space; no character has a special meaning.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "q".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let terms: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        if SEARCH_LENGTH.contains(&text.chars().count()) && TERMS.contains(&terms.len()) {
            return Ok(Self(terms));
        }
        Err("must be 1 to 5 words of 1 to 100 characters in all".into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for SearchTerms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

/// Criteria that no index covers: a page that has them scans the mailbox, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only messages that this user sent.
    pub(crate) from: Option<Username>,
    /// Only messages created at or after this time.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only messages in which these terms occur.
    pub(crate) terms: Option<SearchTerms>,
}

impl Filter {
    pub(crate) const NONE: Self = Self {
        from: None,
        since: None,
        terms: None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_separated_by_white_space() {
        let words = |text: &str| SearchTerms::parse(text).map(|words| words.to_string());
        assert_eq!(words(" a  +b\t\"c "), Ok("a +b \"c".to_owned()));
        assert_eq!(words("1 2 3 4 5").map(|words| words.len()), Ok(9));
        assert!(words(&"\u{1F511}".repeat(100)).is_ok());
        for text in ["", " ", "1 2 3 4 5 6", &"x".repeat(101)] {
            assert!(words(text).is_err(), "{text:?}");
        }
    }
}

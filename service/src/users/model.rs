//! What is a valid user.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use smol_str::SmolStr;

use crate::body::Invalid;

/// Characters of a username.
pub(crate) const USERNAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=64;
/// Characters (Unicode scalar values) of a password.
pub(crate) const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Bytes of an e-mail address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub(crate) const EMAIL_LONGEST: usize = 254;

/// What a user is to the database and to tokens: it never changes and is never given again.
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

/// A name: 3 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit. Case does not count; it is kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Username(SmolStr);

impl Username {
    /// # Errors
    /// What is wrong with the name, going on from "username".
    pub(crate) fn parse(mut name: String) -> Result<Self, Invalid> {
        name.make_ascii_lowercase();
        if !USERNAME_LENGTH.contains(&name.chars().count()) {
            return Err("must be 3 to 64 characters long".into());
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !name
            .bytes()
            .all(|byte| is_plain(byte) || b"._-".contains(&byte))
        {
            return Err("may have letters a-z, digits, '.', '_' and '-' only".into());
        }
        if !name.bytes().next().is_some_and(is_plain) {
            return Err("must begin with a letter or a digit".into());
        }
        Ok(Self(name.into()))
    }

    /// A name from the database, which holds valid ones only.
    pub(crate) fn stored(name: &str) -> Self {
        Self(name.into())
    }

    /// Whether somebody who writes `name` means this user.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }

    /// Whether it is what is left of a deleted account.
    pub(crate) fn is_of_nobody(&self) -> bool {
        self.0.starts_with('~')
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

/// An e-mail address: checked for its syntax, kept as it was typed, and the same address whatever its case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Email(String);

impl Email {
    /// # Errors
    /// What is wrong with the address, going on from "email".
    pub(crate) fn parse(address: String) -> Result<Self, Invalid> {
        if address.len() > EMAIL_LONGEST {
            return Err("must be at most 254 bytes long".into());
        }
        EmailAddress::parse_with_options(
            &address,
            Options::default()
                .without_display_text()
                .without_domain_literal(),
        )
        .map_err(|_| Invalid("must be an e-mail address such as alice@example.com".to_owned()))?;
        Ok(Self(address))
    }

    /// An address from the database, which holds valid ones only.
    pub(crate) fn stored(address: String) -> Self {
        Self(address)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one address have in common. Letter by letter by way of upper case, because lower case
    /// alone has letters that are one in upper case (such as the two lower sigmas).
    pub(crate) fn key(&self) -> String {
        let upper = self.0.chars().flat_map(char::to_uppercase);
        upper.flat_map(char::to_lowercase).collect()
    }
}

/// A password that somebody chooses: 8 to 128 characters, taken exactly as they are.
#[derive(Debug)]
pub(crate) struct NewPassword(SecretString);

impl NewPassword {
    /// # Errors
    /// What is wrong with the password, going on from "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let password = SecretString::from(password);
        if !PASSWORD_LENGTH.contains(&password.expose_secret().chars().count()) {
            return Err("must be 8 to 128 characters long".into());
        }
        Ok(Self(password))
    }

    pub(crate) fn into_secret(self) -> SecretString {
        self.0
    }
}

/// A password that somebody claims to be theirs. One too short to be anybody's is just a wrong one; one too long is
/// refused before it costs a hash.
#[derive(Debug)]
pub(crate) struct ClaimedPassword(SecretString);

impl ClaimedPassword {
    /// # Errors
    /// What is wrong with the password, going on from "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let password = SecretString::from(password);
        if password.expose_secret().chars().count() > *PASSWORD_LENGTH.end() {
            return Err("must be at most 128 characters long".into());
        }
        Ok(Self(password))
    }

    pub(crate) fn into_secret(self) -> SecretString {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn username(name: &str) -> Result<String, Invalid> {
        Username::parse(name.to_owned()).map(|name| name.to_string())
    }

    fn email(address: &str) -> Result<Email, Invalid> {
        Email::parse(address.to_owned())
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
        // The Kelvin sign is a letter k to Unicode's lower case, but not to ours.
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

    #[test]
    fn an_address_keeps_its_case_but_is_one_with_the_others() {
        let (typed, other) = (email("Alice@Example.COM"), email("alice@example.com"));
        let (typed, other) = (typed.expect("valid"), other.expect("valid"));
        assert_eq!(typed.as_str(), "Alice@Example.COM");
        assert_eq!(typed.key(), other.key());
    }

    #[test]
    fn an_address_is_one_whatever_form_its_letters_take() {
        let key = |address| email(address).expect("valid").key();
        assert_eq!(key("ΑΣ@example.com"), key("ας@example.com"));
        assert_eq!(key("ΑΣ@example.com"), key("ασ@example.com"));
        assert_eq!(key("s@example.com"), key("ſ@example.com"));
        assert_ne!(key("a@example.com"), key("á@example.com"));
        let longest = format!("{}@example.com", "ΐ".repeat(32));
        assert!(key(&longest).chars().count() <= 512);
    }

    #[test]
    fn an_address_over_254_bytes_is_refused() {
        let domain = ["d".repeat(63), "d".repeat(63), "d".repeat(61)].join(".");
        let longest = format!("{}@{domain}", "a".repeat(64));
        assert_eq!(longest.len(), 254);
        assert!(email(&longest).is_ok());
        assert!(email(&format!("{longest}d")).is_err());
    }

    #[test]
    fn a_password_counts_characters_and_not_bytes() {
        assert!(NewPassword::parse("ä".repeat(7)).is_err());
        assert!(NewPassword::parse("ä".repeat(8)).is_ok());
        assert!(NewPassword::parse("ä".repeat(128)).is_ok());
        assert!(NewPassword::parse("ä".repeat(129)).is_err());
    }

    #[test]
    fn a_password_does_not_print() {
        let password = NewPassword::parse("correct horse".to_owned()).expect("valid");
        assert!(!format!("{password:?}").contains("horse"));
    }
}

//! What is a valid e-mail address, and which addresses are one.

use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::Serialize;

use crate::model::invalid::Invalid;
use crate::model::unicode::{composed, folded};

/// Bytes of an e-mail address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const LONGEST: usize = 254;

/// An e-mail address: checked for its syntax, kept as it was typed, and one account's however its mailbox is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Email(String);

impl Email {
    /// # Errors
    /// What is wrong with the address, going on from "email".
    pub(crate) fn parse(address: String) -> Result<Self, Invalid> {
        if address.len() > LONGEST {
            return Err("must be at most 254 bytes long".into());
        }
        let syntax = Options::default()
            .without_display_text()
            .without_domain_literal();
        EmailAddress::parse_with_options(&composed(&address), syntax)
            .map_err(|_| "must be an e-mail address such as alice@example.com")?;
        let (_, domain) = parts(&address);
        a_labels(domain).ok_or(
            "must end with the name of a domain, as the DNS can have it, such as example.com",
        )?;
        Ok(Self(address))
    }

    /// An address from the database, which holds valid ones only.
    pub(crate) fn stored(address: String) -> Self {
        Self(address)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What all spellings of one mailbox have in common. The local part without regard to case, composition and needless
    /// quotes (RFC 5321 section 4.1.2: it is for the receiving host alone to tell `groß` from `gross`); the domain as
    /// the DNS has it, in A-labels.
    pub(crate) fn key(&self) -> String {
        let (local, domain) = parts(&self.0);
        // What was accepted by other rules may have a domain that the DNS cannot have.
        let domain = a_labels(domain).unwrap_or_else(|| folded(domain));
        format!("{}@{domain}", folded(&unquoted(local)))
    }
}

/// The local part and the domain. Quotes may hold an `@`, which is not the last one.
fn parts(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
}

/// The domain as the DNS has it (UTS 46, nontransitional): letters, digits and hyphens. `None` if it cannot.
fn a_labels(domain: &str) -> Option<String> {
    let (letters, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    Uts46::new()
        .to_ascii(domain.as_bytes(), letters, hyphens, DnsLength::Verify)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// The local part without quotes where it needs none, and otherwise with no more backslashes than it needs.
fn unquoted(local: &str) -> String {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return local.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        let is_escape = letter == '\\';
        plain.extend(if is_escape {
            letters.next()
        } else {
            Some(letter)
        });
    }
    if is_dot_atom(&plain) {
        return plain;
    }
    format!("\"{}\"", plain.replace('\\', r"\\").replace('"', "\\\""))
}

/// Whether a local part needs no quotes (RFC 5322 section 3.2.3, RFC 6532 section 3.2).
fn is_dot_atom(text: &str) -> bool {
    let is_atext = |letter: char| {
        !letter.is_ascii()
            || letter.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(letter)
    };
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(address: &str) -> Result<Email, Invalid> {
        Email::parse(address.to_owned())
    }

    fn key(address: &str) -> String {
        email(address).expect(address).key()
    }

    #[test]
    fn an_address_keeps_its_spelling_and_is_one_with_the_others_of_its_mailbox() {
        let typed = email("Alice@Example.COM").expect("valid");
        assert_eq!(typed.as_str(), "Alice@Example.COM");
        assert_eq!(typed.key(), "alice@example.com");
    }

    #[test]
    fn a_domain_is_one_in_letters_and_as_the_dns_has_it() {
        for spelling in [
            "b@müller.example",
            "b@MÜLLER.example",
            "b@mu\u{308}ller.example",
            "b@XN--mller-kva.example",
        ] {
            assert_eq!(key(spelling), "b@xn--mller-kva.example");
        }
        assert_ne!(key("a@faß.example"), key("a@fass.example"));
        assert_eq!(key("a@ab--cd.example"), "a@ab--cd.example");
    }

    #[test]
    fn a_domain_that_the_dns_cannot_have_is_refused() {
        for domain in [
            "a_b.example",
            "xn--a.example",
            "xn--zzzzzzzz.example",
            "a.example.",
            "-a.example",
            "a-.example",
            "a..example",
        ] {
            assert!(email(&format!("a@{domain}")).is_err(), "{domain}");
        }
        let long_in_a_labels = [
            "ä".repeat(28),
            "ö".repeat(28),
            "ü".repeat(28),
            "ß".repeat(28),
        ];
        assert!(email(&format!("a@{}", long_in_a_labels.join("."))).is_ok());
        let no_label = "ă".repeat(25) + &"\u{10330}".repeat(3);
        assert!(
            email(&format!("a@{no_label}.example")).is_err()
                || key(&format!("a@{no_label}.example")).len() <= 512
        );
    }

    #[test]
    fn a_local_part_is_one_whatever_its_case_and_composition() {
        assert_eq!(key("ΑΣ@example.com"), key("ας@example.com"));
        assert_eq!(key("ΑΣ@example.com"), key("ασ@example.com"));
        assert_eq!(key("mu\u{308}@example.com"), key("MÜ@example.com"));
        for (one, other) in [("groß", "gross"), ("a", "á"), ("i", "ı"), ("ﬁ", "fi")] {
            assert_ne!(
                key(&format!("{one}@example.com")),
                key(&format!("{other}@example.com"))
            );
        }
    }

    #[test]
    fn quotes_count_only_where_they_are_needed() {
        for spelling in [
            r#""alice"@example.com"#,
            r#""al\ice"@example.com"#,
            r#""\A\L\I\C\E"@example.com"#,
        ] {
            assert_eq!(key(spelling), "alice@example.com", "{spelling}");
        }
        assert_eq!(key(r#""a.b"@example.com"#), key("a.b@example.com"));
        assert_eq!(
            key(r#""a\ b"@example.com"#.replace("\\ ", " ").as_str()),
            "\"a b\"@example.com"
        );
        for (one, other) in [
            (r#""a b""#, "ab"),
            (r#"".a""#, "a"),
            (r#""a..b""#, "a.b"),
            (r#""a@b""#, "ab"),
            (r#""a\"b""#, r#""a\\b""#),
        ] {
            assert_ne!(
                key(&format!("{one}@example.com")),
                key(&format!("{other}@example.com"))
            );
        }
        assert_eq!(key(r#""\a b"@example.com"#), key(r#""a b"@example.com"#));
    }

    #[test]
    fn a_key_fits_into_its_column() {
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
}

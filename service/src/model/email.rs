//! E-mail addresses: their syntax, and which spellings belong to one mailbox.

use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use lettre::Address;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::invalid::Invalid;
use crate::model::unicode::{nfc, nfc_case_folded};

/// The maximum length in bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;

/// An address with a valid syntax, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(
    value_type = String, format = "idn-email", max_length = 254, example = "alice@example.com",
    description = "Kept as it is typed. A mailbox belongs to one account only, however its address is written: in \
                   upper or lower case, with its domain in Unicode or in A-labels (`xn--`), with or without needless \
                   quotes."
)]
#[serde(transparent)]
pub(crate) struct Email(String);

impl Email {
    /// # Errors
    /// The reason, as a phrase that continues "email".
    pub(crate) fn parse(address: String) -> Result<Self, Invalid> {
        if address.len() > MAX_BYTES {
            return Err("must be at most 254 bytes long".into());
        }
        let syntax = Options::default()
            .without_display_text()
            .without_domain_literal();
        EmailAddress::parse_with_options(&nfc(&address), syntax)
            .map_err(|_| "must be an e-mail address such as alice@example.com")?;
        let (_, domain) = parts(&address);
        a_labels(domain)
            .ok_or("must end with a domain name that is valid in the DNS, such as example.com")?;
        let email = Self(address);
        if email.for_delivery().is_none() {
            return Err("must be one that mails can be sent to: what is before the @ has at most 64 bytes, and none \
                        of the characters that need quotation marks"
                .into());
        }
        Ok(email)
    }

    /// An address from the database, which contains valid ones only.
    pub(crate) fn stored(address: String) -> Self {
        Self(address)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as it is written in a mail: as it was typed, composed (RFC 6532 section 3.1), without needless
    /// quotes, and with the domain in A-labels, so that SMTP servers without support for UTF-8 (RFC 6531) take it if
    /// the local part is ASCII. `None` if it cannot be written there, as may be the case for an address that an older
    /// version accepted.
    pub(crate) fn for_delivery(&self) -> Option<Address> {
        let (local, domain) = parts(&self.0);
        let local = nfc(&unquoted(local)).into_owned();
        // lettre reads the addresses of a mail's headers without their quotes.
        if !is_dot_atom(&local) {
            return None;
        }
        Address::new(local, a_labels(domain)?).ok()
    }

    /// The part before the last `@`, without needless quotes.
    pub(super) fn local_part(&self) -> String {
        unquoted(parts(&self.0).0)
    }

    /// The normalized address, which is the same for all spellings of one mailbox: the local part without differences
    /// in case, composition and needless quotes (RFC 5321 section 4.1.2: only the receiving host can tell `groß` from
    /// `gross`), the domain in A-labels.
    pub(crate) fn normalized(&self) -> String {
        let (local, domain) = parts(&self.0);
        // An address that an older version accepted may have a domain that is not valid in the DNS.
        let domain = a_labels(domain).unwrap_or_else(|| nfc_case_folded(domain));
        format!("{}@{domain}", nfc_case_folded(&unquoted(local)))
    }
}

/// The local part and the domain. An `@` inside quotes is never the last one.
fn parts(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
}

/// The domain in A-labels (UTS 46, nontransitional): letters, digits and hyphens. `None` if it is not valid in the DNS.
fn a_labels(domain: &str) -> Option<String> {
    let (letters, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    Uts46::new()
        .to_ascii(domain.as_bytes(), letters, hyphens, DnsLength::Verify)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// The local part without needless quotes and backslashes.
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

/// Whether a local part is valid without quotes (RFC 5322 section 3.2.3, RFC 6532 section 3.2).
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

    /// Of an address that may be one that only older versions accept.
    fn normalized(address: &str) -> String {
        Email::stored(address.to_owned()).normalized()
    }

    #[test]
    fn an_address_keeps_its_spelling_beside_its_normalized_form() {
        let typed = email("Alice@Example.COM").expect("valid");
        assert_eq!(typed.as_str(), "Alice@Example.COM");
        assert_eq!(typed.normalized(), "alice@example.com");
    }

    #[test]
    fn a_domain_is_the_same_in_unicode_and_in_a_labels() {
        for spelling in [
            "b@müller.example",
            "b@MÜLLER.example",
            "b@mu\u{308}ller.example",
            "b@XN--mller-kva.example",
        ] {
            assert_eq!(normalized(spelling), "b@xn--mller-kva.example");
        }
        assert_ne!(normalized("a@faß.example"), normalized("a@fass.example"));
        assert_eq!(normalized("a@ab--cd.example"), "a@ab--cd.example");
    }

    #[test]
    fn a_mail_is_addressed_with_the_local_part_as_typed_and_the_domain_in_a_labels() {
        let typed = email("Bob.M@MÜLLER.example").expect("valid");
        let written = typed.for_delivery().expect("deliverable");
        assert_eq!(written.to_string(), "Bob.M@xn--mller-kva.example");
    }

    #[test]
    fn an_address_that_no_mail_can_be_sent_to_is_refused() {
        let long = "\u{e9}".repeat(33);
        for local in [
            r#""a b""#,
            r#"".a""#,
            r#""a..b""#,
            r#""a@b""#,
            r#""a\"b""#,
            &long,
        ] {
            let address = format!("{local}@example.com");
            assert!(email(&address).is_err(), "{address}");
            // An older version may have accepted it.
            assert!(Email::stored(address).for_delivery().is_none());
        }
        let quoted = email(r#""al\ice"@example.com"#).expect("needless quotes");
        let written = quoted.for_delivery().expect("deliverable");
        assert_eq!(written.to_string(), "alice@example.com");
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
                || normalized(&format!("a@{no_label}.example")).len() <= 512
        );
    }

    #[test]
    fn a_local_part_is_one_whatever_its_case_and_composition() {
        assert_eq!(normalized("ΑΣ@example.com"), normalized("ας@example.com"));
        assert_eq!(normalized("ΑΣ@example.com"), normalized("ασ@example.com"));
        assert_eq!(
            normalized("mu\u{308}@example.com"),
            normalized("MÜ@example.com")
        );
        for (one, other) in [("groß", "gross"), ("a", "á"), ("i", "ı"), ("ﬁ", "fi")] {
            assert_ne!(
                normalized(&format!("{one}@example.com")),
                normalized(&format!("{other}@example.com"))
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
            assert_eq!(normalized(spelling), "alice@example.com", "{spelling}");
        }
        assert_eq!(
            normalized(r#""a.b"@example.com"#),
            normalized("a.b@example.com")
        );
        assert_eq!(
            normalized(r#""a\ b"@example.com"#.replace("\\ ", " ").as_str()),
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
                normalized(&format!("{one}@example.com")),
                normalized(&format!("{other}@example.com"))
            );
        }
        assert_eq!(
            normalized(r#""\a b"@example.com"#),
            normalized(r#""a b"@example.com"#)
        );
    }

    #[test]
    fn a_normalized_address_fits_into_its_column() {
        let longest = format!("{}@example.com", "ΐ".repeat(32));
        assert!(normalized(&longest).chars().count() <= 512);
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

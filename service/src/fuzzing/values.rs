//! The values of an account.

use secrecy::ExposeSecret as _;

use crate::fuzzing::input::{accepted, first_line, text};
use crate::model::email::Email;
use crate::model::password::{NewPassword, SubmittedPassword};
use crate::model::secret_code::SecretCode;
use crate::model::user::Username;

/// The length of the column with normalized addresses.
const ADDRESS_COLUMN: usize = 512;

/// An e-mail address.
///
/// # Panics
/// If an address is accepted that is too long, cannot be written into a mail, or differs from itself in upper case.
pub fn email(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    match accepted(Email::parse(text.to_owned())) {
        Some(email) => {
            assert_eq!(email.as_str(), text);
            check_email(&email);
        }
        // An older version may have accepted it.
        None => drop(Email::stored(text.to_owned()).for_delivery()),
    }
}

/// Checks an address that was accepted.
pub(super) fn check_email(email: &Email) {
    assert!(email.as_str().len() <= 254);
    let written = email.for_delivery().expect("deliverable").to_string();
    let is_unsafe = |letter: char| letter.is_ascii_control() || letter == ' ';
    assert!(!written.contains(is_unsafe), "{written:?}");
    let (local, domain) = written.rsplit_once('@').expect("an @");
    assert!(local.len() <= 64 && domain.is_ascii());
    let normalized = email.normalized();
    assert!(normalized.chars().count() <= ADDRESS_COLUMN);
    let again = |address: &str| Email::stored(address.to_owned()).normalized();
    assert_eq!(again(&normalized), normalized);
    assert_eq!(again(&email.as_str().to_ascii_uppercase()), normalized);
}

/// A username.
///
/// # Panics
/// If another name than a documented one is accepted, or a documented one refused.
pub fn username(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let name = accepted(Username::parse(text.to_owned()));
    let is_valid = is_username(&text.to_ascii_lowercase());
    assert_eq!(name.is_some(), is_valid);
    let Some(name) = name else {
        return;
    };
    check_username(&name);
    assert!(name.matches(text) && name.matches(&text.to_ascii_uppercase()));
}

/// Checks a name that was accepted.
pub(super) fn check_username(name: &Username) {
    assert!(is_username(name.as_str()) && !name.is_tombstone());
    assert_eq!(Username::parse(name.to_string()).as_ref(), Ok(name));
}

/// Whether a text is a username in lower case.
fn is_username(text: &str) -> bool {
    let is_first = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let is_next = |byte: u8| is_first(byte) || matches!(byte, b'.' | b'_' | b'-');
    (3..=64).contains(&text.len()) && is_first(text.as_bytes()[0]) && text.bytes().all(is_next)
}

/// A username, an e-mail address, and a password for them.
///
/// # Panics
/// If a password is accepted that has another length than documented, or that cannot be used to log in.
pub fn password(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let (name, rest) = first_line(text);
    let (address, password) = first_line(rest);
    let submitted = accepted(SubmittedPassword::parse(password.to_owned()));
    let Some(new) = accepted(NewPassword::parse(password.to_owned())) else {
        return;
    };
    let forms = submitted.expect("accepted by logins").into_forms();
    let normalized = forms.normalized.expose_secret().to_owned();
    let new = for_account(new, name, address);
    let again = NewPassword::parse(normalized.clone()).expect("valid");
    assert_eq!(again.into_secret().expose_secret(), normalized);
    assert!((8..=128).contains(&normalized.chars().count()));
    if let Some(new) = new {
        assert_eq!(new.into_secret().expose_secret(), normalized);
    }
}

/// The password, unless it is little more than the names of its account.
fn for_account(new: NewPassword, name: &str, address: &str) -> Option<NewPassword> {
    let new = match Username::parse(name.to_owned()) {
        Ok(name) => accepted(new.for_user(&name))?,
        Err(_) => new,
    };
    match Email::parse(address.to_owned()) {
        Ok(email) => accepted(new.for_mailbox(&email)),
        Err(_) => Some(new),
    }
}

/// A code of a mail or an invitation.
///
/// # Panics
/// If the spelling matters.
pub fn code(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let code = SecretCode::submitted(text);
    assert!(code.expose().len() <= text.len());
    let hash = code.hash();
    for spelling in [
        code.expose().to_owned(),
        code.expose().to_ascii_uppercase(),
        format!(" {text}\n"),
    ] {
        assert_eq!(SecretCode::submitted(&spelling).hash(), hash);
    }
}

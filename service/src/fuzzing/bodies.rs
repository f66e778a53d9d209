//! Request bodies.

use chrono::DateTime;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::fuzzing::input::{check_reason, text};
use crate::fuzzing::values::{check_email, check_username};
use crate::http::body::{self, FromFields};
use crate::http::json_integer::digits;
use crate::http::problem::Problem;
use crate::messages::ReadMark;
use crate::model::invalid::FieldError;
use crate::model::marking::{Marking, Selection};
use crate::model::message::MessageId;
use crate::model::new_message::{NewMessage, SentMetadata};
use crate::model::user::Username;
use crate::users::emails::{EmailChange, EmailVerification};
use crate::users::password_resets::{ForgottenPassword, PasswordReset};
use crate::users::unread_notices::NoticesWanted;
use crate::users::{NewUser, Password, PasswordChange};

/// Errors of one body: of its fields, and of the items of one list.
const MAX_ERRORS: usize = 64 + 100 + 8;
/// The pointer to a field whose name was truncated, with each character escaped.
const MAX_POINTER_BYTES: usize = 2 + 65 * 4;
/// The digits of the largest integer that is read.
const MAX_DIGITS: usize = 20;

/// The body of a request that sends a message.
///
/// # Panics
/// If a message exceeds the documented limits, or its JSON is read as another message.
pub fn message_body(input: &[u8]) {
    let Some(new) = read::<NewMessage>(input) else {
        return;
    };
    let names = new.receivers.names();
    assert!((1..=100).contains(&names.len()));
    assert!(
        names.is_sorted_by(|one, next| one < next),
        "sorted, each once"
    );
    names.iter().for_each(check_username);
    assert!((1..=255).contains(&new.subject.as_str().chars().count()));
    assert!((1..=65_535).contains(&new.message.as_str().len()));
    let again = read::<NewMessage>(json_of(&new).to_string().as_bytes()).expect("valid");
    assert_eq!(again.fingerprint(), new.fingerprint());
    check_size(&new);
}

fn json_of(new: &NewMessage) -> Value {
    let names = new.receivers.names().iter().map(Username::as_str);
    let mut json = json!({
        "receivers": names.collect::<Vec<_>>(),
        "subject": new.subject.as_str(),
        "message": new.message.as_str(),
    });
    if let Some(original) = new.in_reply_to {
        json["in_reply_to"] = original.get().into();
    }
    json
}

/// The JSON of a message is not larger than is reserved for it.
fn check_size(new: &NewMessage) {
    let metadata = SentMetadata {
        id: MessageId::stored(u64::MAX).expect("not 0"),
        created_at: DateTime::UNIX_EPOCH,
    };
    let message = new.sent(metadata, Username::stored(&"m".repeat(64)));
    let json = serde_json::to_vec(&message.with_receivers()).expect("JSON");
    assert!(json.len() <= new.max_json_bytes(), "{}", json.len());
}

/// The bodies of requests that mark one message or several.
///
/// # Panics
/// If marks exceed the documented limits, or their JSON is read as others.
pub fn marks_body(input: &[u8]) {
    read::<ReadMark>(input);
    let Some(marking) = read::<Marking>(input) else {
        return;
    };
    let json = match &marking.selection {
        Selection::Ids(ids) => {
            assert!((1..=100).contains(&ids.len()));
            json!({"read": marking.read, "ids": ids})
        }
        Selection::Until(id) => json!({"read": marking.read, "until": id}),
    };
    assert_eq!(read(json.to_string().as_bytes()), Some(marking));
}

/// The bodies of requests that create or change an account: sign-ups, passwords, addresses, codes and notices.
///
/// # Panics
/// If a value exceeds the documented limits.
pub fn account_body(input: &[u8]) {
    if let Some(new) = read::<NewUser>(input) {
        check_username(&new.username);
        check_email(&new.email);
        assert!(new.password.for_user(&new.username).is_ok());
    }
    read::<Password>(input);
    read::<PasswordChange>(input);
    read::<EmailChange>(input);
    read::<EmailVerification>(input);
    read::<PasswordReset>(input);
    if let Some(forgotten) = read::<ForgottenPassword>(input) {
        check_account(&forgotten.account.0);
    }
    if let Some(notices) = read::<NoticesWanted>(input) {
        assert!((10..=10_080).contains(&notices.after_minutes.after_minutes));
    }
}

/// A normalized username or address, or that of no account.
fn check_account(name: &str) {
    assert!(name.chars().count() <= 512, "as long as its column");
    if !name.is_empty() && !name.contains('@') {
        check_username(&Username::parse(name.to_owned()).expect("a username"));
    }
}

/// The text of a number in JSON.
///
/// # Panics
/// If its digits are not those of the same integer.
pub fn json_integer(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let Some(digits) = digits(text) else {
        assert!(text.parse::<u64>().is_err() || text.starts_with('+'));
        return;
    };
    let unsigned = digits.strip_prefix('-').unwrap_or(&digits);
    assert!((1..=MAX_DIGITS).contains(&unsigned.len()));
    assert!(unsigned.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!digits.starts_with("-0") && (digits == "0" || !unsigned.starts_with('0')));
    assert_eq!(self::digits(&digits).as_ref(), Some(&digits));
    // Both are rounded to the nearest.
    assert_eq!(text.parse::<f64>(), digits.parse::<f64>());
}

/// The value of a body. A refused one has a problem with reasons, and is small.
fn read<T: FromFields>(json: &[u8]) -> Option<T> {
    let problem = match body::parse::<T>(json.to_vec()) {
        Ok(value) => {
            let whole = serde_json::from_slice::<IgnoredAny>(json);
            assert!(whole.is_ok() && json.trim_ascii_start().starts_with(b"{"));
            return Some(value);
        }
        Err(problem) => problem,
    };
    match &problem {
        Problem::Invalid(errors) => check_errors(errors),
        Problem::Malformed(detail) => check_reason(detail),
        other => panic!("{other:?}"),
    }
    serde_json::to_vec(&problem.document("/users")).expect("JSON");
    None
}

fn check_errors(errors: &[FieldError]) {
    assert!((1..=MAX_ERRORS).contains(&errors.len()), "{}", errors.len());
    for FieldError { pointer, detail } in errors {
        assert!(pointer.starts_with('#') && pointer.len() <= MAX_POINTER_BYTES);
        check_reason(detail);
    }
}

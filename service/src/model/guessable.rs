//! Easily guessed passwords.

use secrecy::SecretString;

use crate::model::email::Email;
use crate::model::invalid::Invalid;
use crate::model::unicode::nfkc_case_folded;
use crate::model::user::Username;

/// The minimum of characters beside a name that is easily guessed.
const MIN_BESIDE_NAME: usize = 5;
/// The minimum of characters of a name that is looked for in passwords. Shorter ones occur in any text.
const MIN_NAME: usize = 3;
/// The product's own name, which is easily guessed, too.
const PRODUCT: &str = "herolo";

/// One password per line, after comment lines. A search takes a thousandth of the time of a hash.
const COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// Placeholders that programs send by mistake instead of a redacted or missing password. They are public, because they
/// are part of the source code of these programs.
const PLACEHOLDERS: [&str; 10] = [
    "undefined",
    "object object",
    "redacted",
    "filtered",
    "hidden",
    "masked",
    "protected",
    "not set",
    "none",
    "null",
];
/// The beginnings of placeholders that contain further text.
const PLACEHOLDER_STARTS: [&str; 4] = ["secretstr(", "secretstring(", "secretbox<", "secret("];

/// The form of a password that is compared with easily guessed ones. Unlike the hashed form, it ignores case and
/// compatibility variants: `ｐａｓｓｗｏｒｄ１` is as easily guessed as `password1`.
pub(super) fn folded(password: &str) -> SecretString {
    SecretString::from(nfkc_case_folded(password))
}

/// Refuses a folded password that is among the first that an attacker tries.
///
/// # Errors
/// The reason, as a phrase that continues "password".
pub(super) fn refuse(folded: &str) -> Result<(), Invalid> {
    if common_passwords().any(|word| word == folded) {
        return Err("must not be one of the most common passwords, which are guessed first".into());
    }
    if is_placeholder(folded) {
        return Err("must not be a placeholder that programs put in place of a password".into());
    }
    if is_little_more_than(PRODUCT, folded) {
        return Err(
            format!("must be more than '{PRODUCT}' and up to four other characters").into(),
        );
    }
    Ok(())
}

/// Refuses a folded password that is little more than the name of its account.
///
/// # Errors
/// The reason, as a phrase that continues "password".
pub(super) fn refuse_name(username: &Username, folded: &str) -> Result<(), Invalid> {
    if is_little_more_than(username.as_str(), folded) {
        return Err("must be more than the username and up to four other characters".into());
    }
    Ok(())
}

/// Refuses a folded password that is little more than the local part of its account's e-mail address.
///
/// # Errors
/// The reason, as a phrase that continues "password".
pub(super) fn refuse_mailbox(email: &Email, folded: &str) -> Result<(), Invalid> {
    let name = nfkc_case_folded(&email.local_part());
    if name.chars().count() >= MIN_NAME && is_little_more_than(&name, folded) {
        let detail =
            "must be more than the e-mail address before its @ and up to four other characters";
        return Err(detail.into());
    }
    Ok(())
}

fn common_passwords() -> impl Iterator<Item = &'static str> {
    COMMON_PASSWORDS
        .lines()
        .filter(|line| !line.starts_with("# "))
}

fn is_placeholder(password: &str) -> bool {
    let word = password.trim_matches(|letter: char| !letter.is_alphanumeric());
    PLACEHOLDERS.contains(&word)
        || PLACEHOLDER_STARTS
            .iter()
            .any(|start| password.starts_with(start))
}

/// Whether few characters of a password remain without all occurrences of the name.
fn is_little_more_than(name: &str, password: &str) -> bool {
    password.contains(name) && password.replace(name, "").chars().count() < MIN_BESIDE_NAME
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_common_passwords_are_long_enough_and_folded() {
        let words: Vec<_> = common_passwords().collect();
        assert!((8_000..9_000).contains(&words.len()), "{}", words.len());
        for word in words {
            assert!(
                word.chars().count() >= 8 && folded(word).expose_secret() == word,
                "{word:?}"
            );
        }
    }
}

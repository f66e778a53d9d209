//! Passwords: the form that is hashed, and the rules for new ones.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use utoipa::ToSchema;

use crate::model::email::Email;
use crate::model::guessable;
use crate::model::guessable::folded;
use crate::model::invalid::Invalid;
use crate::model::unicode::nfc;
use crate::model::user::Username;

/// The length of a normalized password in characters (Unicode scalar values).
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// The minimum of different characters.
const MIN_DISTINCT: usize = 4;

/// The form of a password that is hashed. It does not depend on the keyboard: every space separator becomes a space,
/// and letters are composed (RFC 8265 section 4.2.2). Control characters are left as they are.
fn normalized(password: &str) -> SecretString {
    let spaced: String = password
        .chars()
        .map(|letter| {
            if is_space_separator(letter) {
                ' '
            } else {
                letter
            }
        })
        .collect();
    let spaced = SecretString::from(spaced);
    SecretString::from(nfc(spaced.expose_secret()).into_owned())
}

/// Unicode's category Zs.
fn is_space_separator(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// A valid password for an account.
#[derive(Debug, ToSchema)]
#[schema(
    value_type = String, min_length = 8, max_length = 128, example = "correct horse battery",
    description = "Composed and decomposed letters are the same, and so are all space separators (RFC 8265 section \
                   4.2); the length is that of the composed form. Easily guessed passwords are refused: those with \
                   fewer than 4 different characters, the most common ones, placeholders such as `[REDACTED]`, and \
                   the username or the local part of the e-mail address with up to four other characters."
)]
pub(crate) struct NewPassword(SecretString);

impl NewPassword {
    /// # Errors
    /// The reason, as a phrase that continues "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let verbatim = SecretString::from(password);
        let normalized = normalized(verbatim.expose_secret());
        let text = normalized.expose_secret();
        if !LENGTH.contains(&text.chars().count()) {
            return Err("must be 8 to 128 characters long (in Unicode's NFC)".into());
        }
        if text.chars().collect::<BTreeSet<_>>().len() < MIN_DISTINCT {
            return Err(format!("must have at least {MIN_DISTINCT} different characters").into());
        }
        guessable::refuse(folded(text).expose_secret())?;
        Ok(Self(normalized))
    }

    /// Refuses a password that is little more than the name of its account.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "password".
    pub(crate) fn for_user(self, username: &Username) -> Result<Self, Invalid> {
        let folded = folded(self.0.expose_secret());
        guessable::refuse_name(username, folded.expose_secret())?;
        Ok(self)
    }

    /// Refuses a password that is little more than the local part of its account's e-mail address.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "password".
    pub(crate) fn for_mailbox(self, email: &Email) -> Result<Self, Invalid> {
        let folded = folded(self.0.expose_secret());
        guessable::refuse_mailbox(email, folded.expose_secret())?;
        Ok(self)
    }

    pub(crate) fn into_secret(self) -> SecretString {
        self.0
    }
}

/// A password to compare with that of an account. One that is too short for any account is merely incorrect; one that
/// is too long is refused before it costs a hash.
#[derive(Debug, ToSchema)]
#[schema(
    value_type = String, max_length = 128, example = "correct horse battery",
    description = "Composed and decomposed letters are the same, and so are all space separators."
)]
pub(crate) struct SubmittedPassword(PasswordForms);

/// The forms of a password whose hash an account may have.
#[derive(Debug)]
pub(crate) struct PasswordForms {
    pub(crate) normalized: SecretString,
    /// The password as it was sent, if that differs. Older hashes were computed before normalization.
    pub(crate) verbatim: Option<SecretString>,
}

impl SubmittedPassword {
    /// # Errors
    /// The reason, as a phrase that continues "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let verbatim = SecretString::from(password);
        let normalized = normalized(verbatim.expose_secret());
        let is_too_long =
            |form: &SecretString| form.expose_secret().chars().count() > *LENGTH.end();
        if is_too_long(&normalized) && is_too_long(&verbatim) {
            return Err("must be at most 128 characters long".into());
        }
        let is_other = verbatim.expose_secret() != normalized.expose_secret();
        Ok(Self(PasswordForms {
            normalized,
            verbatim: is_other.then_some(verbatim),
        }))
    }

    pub(crate) fn into_forms(self) -> PasswordForms {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(password: &str) -> bool {
        NewPassword::parse(password.to_owned()).is_ok()
    }

    fn is_accepted_for(name: &str, password: &str) -> bool {
        let name = Username::parse(name.to_owned()).expect("a name");
        NewPassword::parse(password.to_owned())
            .expect(password)
            .for_user(&name)
            .is_ok()
    }

    fn text_of(password: &str) -> String {
        let password = NewPassword::parse(password.to_owned()).expect(password);
        password.into_secret().expose_secret().to_owned()
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        assert_eq!(text_of("mu\u{308}de Pferde"), "müde Pferde");
        assert_eq!(text_of("tired\u{A0}horse\u{3000}s"), "tired horse s");
        assert_eq!(
            text_of(" Pässwörd \u{0}\u{1F511} "),
            " Pässwörd \u{0}\u{1F511} "
        );
        assert_ne!(text_of("Ｃorrect horse"), text_of("Correct horse"));
    }

    #[test]
    fn a_password_counts_composed_characters_and_not_bytes() {
        let digits = "0123456789".repeat(13);
        assert!(!is_accepted("äbcdefü"));
        assert!(
            !is_accepted("a\u{308}bcdefu\u{308}"),
            "nine in decomposed form"
        );
        assert!(is_accepted("äbcdefüö"));
        assert!(is_accepted(&digits[..128]));
        assert!(!is_accepted(&digits[..129]));
        assert!(
            is_accepted(&"a\u{308}bcd".repeat(32)),
            "160 in decomposed form"
        );
        assert!(
            !is_accepted(&"\u{FB1D}bcd".repeat(32)),
            "160 in composed form"
        );
    }

    #[test]
    fn a_password_of_few_different_characters_is_refused() {
        for password in [
            "**********",
            "aaaaaaaa",
            "        ",
            "••••••••",
            "abababab",
            "121212123",
            "e\u{301}ééééééé",
        ] {
            assert!(!is_accepted(password), "{password:?}");
        }
        assert!(is_accepted("abcdabcdx"));
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for password in [
            "password",
            "PassWord",
            "password1",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "zag12wsx",
        ] {
            assert!(!is_accepted(password), "{password:?}");
        }
        for password in ["correct horse", "password of alice", "# Passwords"] {
            assert!(is_accepted(password), "{password:?}");
        }
    }

    #[test]
    fn compatibility_variants_of_guessed_passwords_are_refused() {
        for password in [
            "ｐａｓｓｗｏｒｄ１",
            "Ｐassword1",
            "［ＲＥＤＡＣＴＥＤ］",
            "Ｈｅｒｏｌｏ2026",
        ] {
            assert!(!is_accepted(password), "{password:?}");
        }
        assert!(!is_accepted_for("zaphod", "ＺＡＰＨＯＤ4321"));
        assert_eq!(
            text_of("ｃorrect horse"),
            "ｃorrect horse",
            "the hash is of NFC"
        );
    }

    #[test]
    fn placeholders_for_passwords_are_refused() {
        for password in [
            "undefined",
            "[object Object]",
            "[REDACTED]",
            "***REDACTED***",
            "<redacted>",
            "[FILTERED]",
            "SecretStr('**********')",
            "SecretBox<str>([REDACTED])",
            "****none****",
        ] {
            assert!(!is_accepted(password), "{password:?}");
        }
        assert!(is_accepted("nothing is hidden here"));
    }

    #[test]
    fn a_password_that_is_little_more_than_the_username_is_refused() {
        for password in [
            "zaphod-2026-zaphod",
            "Zaphod1!",
            "zaphodzaphod",
            "4321ZAPHOD",
            "!zaphod!!",
        ] {
            assert_eq!(
                is_accepted_for("zaphod", password),
                password == "zaphod-2026-zaphod",
                "{password:?}"
            );
        }
        assert!(!is_accepted_for("correct.horse", "Correct.Horse"));
        assert!(is_accepted_for("alice", "password of alice"));
        assert!(is_accepted_for("bob", "bobsleigh rides"));
        assert!(!is_accepted("Herolo2026"));
    }

    #[test]
    fn a_password_that_is_little_more_than_the_mailbox_is_refused() {
        let is_accepted_with = |address: &str, password: &str| {
            let email = Email::parse(address.to_owned()).expect("an address");
            let password = NewPassword::parse(password.to_owned()).expect(password);
            password.for_mailbox(&email).is_ok()
        };
        for password in ["zaphod.b", "Zaphod.B-42", "ｚａｐｈｏｄ．ｂ"] {
            assert!(
                !is_accepted_with("Zaphod.B@example.com", password),
                "{password:?}"
            );
        }
        assert!(is_accepted_with("zaphod.b@example.com", "example.com"));
        assert!(is_accepted_with("ab@example.com", "abababcdef"));
    }

    #[test]
    fn a_submitted_password_has_a_verbatim_form_only_if_it_differs() {
        let forms = |password: &str| {
            SubmittedPassword::parse(password.to_owned())
                .expect("short")
                .into_forms()
        };
        assert!(forms("short").verbatim.is_none());
        let PasswordForms {
            normalized,
            verbatim,
        } = forms("mu\u{308}de Pferde");
        assert_eq!(normalized.expose_secret(), "müde Pferde");
        assert_eq!(
            verbatim.expect("another").expose_secret(),
            "mu\u{308}de Pferde"
        );
    }

    #[test]
    fn a_submitted_password_is_too_long_only_if_both_forms_are() {
        let is_accepted = |password: &str| SubmittedPassword::parse(password.to_owned()).is_ok();
        assert!(is_accepted(&"p".repeat(128)));
        assert!(!is_accepted(&"p".repeat(129)));
        assert!(is_accepted(&"a\u{308}".repeat(128)));
        assert!(is_accepted(&"\u{FB1D}".repeat(128)));
        assert!(!is_accepted(&"a\u{308}".repeat(129)));
    }

    #[test]
    fn a_password_does_not_print() {
        let password = NewPassword::parse("correct horse".to_owned()).expect("valid");
        assert!(!format!("{password:?}").contains("horse"));
        let password = SubmittedPassword::parse("horse\u{A0}two".to_owned()).expect("valid");
        assert!(!format!("{password:?}").contains("horse"));
    }
}

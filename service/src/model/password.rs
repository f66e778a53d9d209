//! What is a valid password, and which passwords are one.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

use crate::model::invalid::Invalid;
use crate::model::unicode::{composed, folded};
use crate::model::user::Username;

/// Characters (Unicode scalar values) of a password in its prepared form.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Different characters that it has at least.
const DIFFERENT: usize = 4;
/// Characters that it has besides a name that anybody can guess, at least.
const BESIDES_A_NAME: usize = 5;
/// The product's own name, which is guessed as well.
const PRODUCT: &str = "herolo";

/// A word a line, below some lines of comment. Looked through in a thousandth of the time that a hash takes.
const COMMONEST: &str = include_str!("commonest.txt");

/// What programs send where they mean to hide a password, or have none: whoever reads their source can sign in with it.
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
/// The same, with text of their own around it.
const PLACEHOLDER_STARTS: [&str; 4] = ["secretstr(", "secretstring(", "secretbox<", "secret("];

/// A password in the form in which it is hashed, so that it is the same from every keyboard: all blanks are one, letters
/// are composed (RFC 8265 section 4.2.2). Control characters are left as they are.
fn prepared(password: &str) -> SecretString {
    let blanks: String = password
        .chars()
        .map(|letter| if is_blank(letter) { ' ' } else { letter })
        .collect();
    let blanks = SecretString::from(blanks);
    SecretString::from(composed(blanks.expose_secret()).into_owned())
}

/// Unicode's space separators (Zs).
fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// A password that an account is to have: 8 to 128 characters, and none that is guessed first.
#[derive(Debug)]
pub(crate) struct NewPassword(SecretString);

impl NewPassword {
    /// # Errors
    /// What is wrong with the password, going on from "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let verbatim = SecretString::from(password);
        let prepared = prepared(verbatim.expose_secret());
        let text = prepared.expose_secret();
        if !LENGTH.contains(&text.chars().count()) {
            return Err("must be 8 to 128 characters long (as Unicode's NFC has it)".into());
        }
        if text.chars().collect::<BTreeSet<_>>().len() < DIFFERENT {
            return Err(format!("must have at least {DIFFERENT} different characters").into());
        }
        let folded = SecretString::from(folded(text));
        let text = folded.expose_secret();
        if commonest().any(|word| word == text) {
            return Err(
                "must not be one of the commonest passwords, which are guessed first".into(),
            );
        }
        if is_placeholder(text) {
            return Err("must not be what programs write where they hide a password".into());
        }
        if is_little_more_than(PRODUCT, text) {
            return Err(
                format!("must be more than '{PRODUCT}' and up to four other characters").into(),
            );
        }
        Ok(Self(prepared))
    }

    /// Refuses a password that is its owner's name, which is guessed as well.
    ///
    /// # Errors
    /// What is wrong with the password, going on from "password".
    pub(crate) fn of(self, username: &Username) -> Result<Self, Invalid> {
        let folded = SecretString::from(folded(self.0.expose_secret()));
        if is_little_more_than(username.as_str(), folded.expose_secret()) {
            return Err("must be more than the username and up to four other characters".into());
        }
        Ok(self)
    }

    pub(crate) fn into_secret(self) -> SecretString {
        self.0
    }
}

/// The words of the list.
fn commonest() -> impl Iterator<Item = &'static str> {
    COMMONEST.lines().filter(|line| !line.starts_with("# "))
}

fn is_placeholder(password: &str) -> bool {
    let word = password.trim_matches(|letter: char| !letter.is_alphanumeric());
    PLACEHOLDERS.contains(&word)
        || PLACEHOLDER_STARTS
            .iter()
            .any(|start| password.starts_with(start))
}

/// Whether hardly anything is left of a password without the name, however often it has it.
fn is_little_more_than(name: &str, password: &str) -> bool {
    password.contains(name) && password.replace(name, "").chars().count() < BESIDES_A_NAME
}

/// A password that is claimed to be an account's. One too short to be anybody's is just a wrong one; one too long is
/// refused before it costs a hash.
#[derive(Debug)]
pub(crate) struct ClaimedPassword {
    prepared: SecretString,
    /// As it was sent, where that is another text. Hashes from before passwords were prepared are of such texts.
    verbatim: Option<SecretString>,
}

impl ClaimedPassword {
    /// # Errors
    /// What is wrong with the password, going on from "password".
    pub(crate) fn parse(password: String) -> Result<Self, Invalid> {
        let verbatim = SecretString::from(password);
        let prepared = prepared(verbatim.expose_secret());
        let is_too_long =
            |form: &SecretString| form.expose_secret().chars().count() > *LENGTH.end();
        if is_too_long(&prepared) && is_too_long(&verbatim) {
            return Err("must be at most 128 characters long".into());
        }
        let is_other = verbatim.expose_secret() != prepared.expose_secret();
        Ok(Self {
            prepared,
            verbatim: is_other.then_some(verbatim),
        })
    }

    /// The form that is hashed, and the text as it was sent where that is another one.
    pub(crate) fn into_forms(self) -> (SecretString, Option<SecretString>) {
        (self.prepared, self.verbatim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(password: &str) -> bool {
        NewPassword::parse(password.to_owned()).is_ok()
    }

    fn is_taken_of(name: &str, password: &str) -> bool {
        let name = Username::parse(name.to_owned()).expect("a name");
        NewPassword::parse(password.to_owned())
            .expect(password)
            .of(&name)
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
        assert!(!is_taken("äbcdefü"));
        assert!(
            !is_taken("a\u{308}bcdefu\u{308}"),
            "nine in decomposed form"
        );
        assert!(is_taken("äbcdefüö"));
        assert!(is_taken(&digits[..128]));
        assert!(!is_taken(&digits[..129]));
        assert!(
            is_taken(&"a\u{308}bcd".repeat(32)),
            "160 in decomposed form"
        );
        assert!(!is_taken(&"\u{FB1D}bcd".repeat(32)), "160 in composed form");
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
            assert!(!is_taken(password), "{password:?}");
        }
        assert!(is_taken("abcdabcdx"));
    }

    #[test]
    fn the_commonest_passwords_are_refused_in_any_case() {
        for password in [
            "password",
            "PassWord",
            "password1",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "zag12wsx",
        ] {
            assert!(!is_taken(password), "{password:?}");
        }
        for password in ["correct horse", "password of alice", "# Passwords"] {
            assert!(is_taken(password), "{password:?}");
        }
        let words: Vec<_> = commonest().collect();
        assert!((8_000..9_000).contains(&words.len()), "{}", words.len());
        for word in words {
            assert!(
                word.chars().count() >= 8 && folded(word) == word,
                "{word:?}"
            );
        }
    }

    #[test]
    fn what_programs_send_instead_of_a_password_is_refused() {
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
            assert!(!is_taken(password), "{password:?}");
        }
        assert!(is_taken("nothing is hidden here"));
    }

    #[test]
    fn a_password_that_is_the_owners_name_is_refused() {
        for password in [
            "zaphod-2026-zaphod",
            "Zaphod1!",
            "zaphodzaphod",
            "4321ZAPHOD",
            "!zaphod!!",
        ] {
            assert_eq!(
                is_taken_of("zaphod", password),
                password == "zaphod-2026-zaphod",
                "{password:?}"
            );
        }
        assert!(!is_taken_of("correct.horse", "Correct.Horse"));
        assert!(is_taken_of("alice", "password of alice"));
        assert!(is_taken_of("bob", "bobsleigh rides"));
        assert!(!is_taken("Herolo2026"));
    }

    #[test]
    fn a_claim_is_tried_as_it_was_sent_only_where_that_is_another_text() {
        let forms = |password: &str| {
            ClaimedPassword::parse(password.to_owned())
                .expect("short")
                .into_forms()
        };
        assert!(forms("short").1.is_none());
        let (prepared, verbatim) = forms("mu\u{308}de Pferde");
        assert_eq!(prepared.expose_secret(), "müde Pferde");
        assert_eq!(
            verbatim.expect("another").expose_secret(),
            "mu\u{308}de Pferde"
        );
    }

    #[test]
    fn a_claim_is_too_long_only_if_both_its_forms_are() {
        let is_taken = |password: &str| ClaimedPassword::parse(password.to_owned()).is_ok();
        assert!(is_taken(&"p".repeat(128)));
        assert!(!is_taken(&"p".repeat(129)));
        assert!(is_taken(&"a\u{308}".repeat(128)));
        assert!(is_taken(&"\u{FB1D}".repeat(128)));
        assert!(!is_taken(&"a\u{308}".repeat(129)));
    }

    #[test]
    fn a_password_does_not_print() {
        let password = NewPassword::parse("correct horse".to_owned()).expect("valid");
        assert!(!format!("{password:?}").contains("horse"));
        let password = ClaimedPassword::parse("horse\u{A0}two".to_owned()).expect("valid");
        assert!(!format!("{password:?}").contains("horse"));
    }
}

//! Random codes that stand for themselves: whoever knows one may use it.

use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

/// Letters and digits without those that look alike (i, l, o and u are missing, as in Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 130 bits, which cannot be guessed.
const LENGTH: usize = 26;

/// A code of 26 letters and digits. It does not print.
#[derive(Debug)]
pub(crate) struct SecretCode(SecretString);

/// The SHA-256 of a code, which the database has instead of the code.
pub(crate) type CodeHash = [u8; 32];

impl SecretCode {
    /// A new code, from the generator that is seeded by the operating system.
    pub(crate) fn random() -> Self {
        let mut random = rand::rng();
        let mut letter = || char::from(ALPHABET[random.random_range(0..ALPHABET.len())]);
        Self((0..LENGTH).map(|_| letter()).collect::<String>().into())
    }

    /// A code that was typed or pasted. Any text is one; only the database can tell which codes exist.
    pub(crate) fn submitted(text: &str) -> Self {
        Self(text.trim().to_ascii_lowercase().into())
    }

    pub(crate) fn hash(&self) -> CodeHash {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// The text, for its only recipient.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_long_and_differ() {
        let codes: Vec<_> = (0..100).map(|_| SecretCode::random()).collect();
        let texts: BTreeSet<_> = codes.iter().map(SecretCode::expose).collect();
        assert_eq!(texts.len(), 100);
        for text in texts {
            assert_eq!(text.len(), LENGTH);
            assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)), "{text}");
        }
    }

    #[test]
    fn a_code_is_the_same_in_capitals_and_between_spaces() {
        let code = SecretCode::random();
        let typed = SecretCode::submitted(&format!(" {}\n", code.expose().to_ascii_uppercase()));
        assert_eq!(typed.hash(), code.hash());
        assert_ne!(SecretCode::submitted("").hash(), code.hash());
    }

    #[test]
    fn a_code_does_not_print() {
        let code = SecretCode::random();
        assert!(!format!("{code:?}").contains(code.expose()));
    }
}

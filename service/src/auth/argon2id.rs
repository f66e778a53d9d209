//! argon2id (RFC 9106) with the parameters of the service, and the PHC strings in which hashes are stored.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};

/// 19 MiB, 2 passes, 1 lane: the minimum of the OWASP password storage cheat sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const VERSION: Version = Version::V0x13;

/// The result of comparing a password with a hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// The password is correct. `new_hash` is set if the stored hash has outdated parameters or is that of another form
    /// of the password.
    Correct { new_hash: Option<String> },
    /// The password is wrong, or the account does not exist.
    Incorrect,
}

/// The working memory of one thread. It is reused for every hash, because allocating and freeing 19 MiB each time made
/// the process grow to several times as much.
#[derive(Default)]
pub(super) struct Argon2id {
    memory: Vec<Block>,
}

impl Argon2id {
    /// The PHC string of a password with a new salt.
    pub(super) fn hash(&mut self, password: &SecretString) -> String {
        let salt = Salt::generate();
        let output = self
            .output(password, &salt, &parameters())
            .expect("the parameters are argon2's own");
        phc_string(salt, output)
    }

    pub(super) fn verify(&mut self, password: &SecretString, stored: &str) -> Verification {
        match PasswordHash::new(stored) {
            Ok(stored) if self.matches(&stored, password) => Verification::Correct {
                new_hash: (!is_current(&stored)).then(|| self.hash(password)),
            },
            _ => Verification::Incorrect,
        }
    }

    /// Verifies a hash of the password as it was sent. The new hash is that of its normalized form.
    pub(super) fn verify_verbatim(
        &mut self,
        verbatim: &SecretString,
        stored: &str,
        normalized: &SecretString,
    ) -> Verification {
        match PasswordHash::new(stored) {
            Ok(stored) if self.matches(&stored, verbatim) => Verification::Correct {
                new_hash: Some(self.hash(normalized)),
            },
            _ => Verification::Incorrect,
        }
    }

    /// Compares in constant time.
    fn matches(&mut self, stored: &PasswordHash, password: &SecretString) -> bool {
        let (Some(salt), Some(expected), Ok(parameters)) =
            (&stored.salt, &stored.hash, Params::try_from(stored))
        else {
            return false;
        };
        let is_supported = stored.algorithm == Algorithm::Argon2id.ident()
            && stored.version == Some(VERSION.into());
        is_supported
            && self
                .output(password, salt, &parameters)
                .is_some_and(|output| output == *expected)
    }

    fn output(
        &mut self,
        password: &SecretString,
        salt: &Salt,
        parameters: &Params,
    ) -> Option<Output> {
        let mut output = [0; Output::MAX_LENGTH];
        let output = &mut output[..parameters
            .output_len()
            .unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
        let blocks = parameters.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::new());
        }
        Argon2::new(Algorithm::Argon2id, VERSION, parameters.clone())
            .hash_password_into_with_memory(
                password.expose_secret().as_bytes(),
                salt,
                output,
                &mut self.memory[..blocks],
            )
            .ok()?;
        Output::new(output).ok()
    }
}

/// A hash with the current parameters that matches no password.
pub(super) fn dummy_hash() -> String {
    let output = rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>();
    phc_string(
        Salt::generate(),
        Output::new(&output).expect("the length is argon2's own"),
    )
}

/// The current parameters.
fn parameters() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the constants above are within argon2's limits")
}

/// The text form of a hash with the current parameters.
fn phc_string(salt: Salt, output: Output) -> String {
    PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(VERSION.into()),
        params: ParamsString::try_from(&parameters()).expect("the parameters have a text form"),
        salt: Some(salt),
        hash: Some(output),
    }
    .to_string()
}

fn is_current(stored: &PasswordHash) -> bool {
    let costs = |parameters: &Params| {
        (
            parameters.m_cost(),
            parameters.t_cost(),
            parameters.p_cost(),
        )
    };
    Params::try_from(stored).is_ok_and(|stored| costs(&stored) == costs(&parameters()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_is_verified_by_its_password_only() {
        let stored = Argon2id::default().hash(&secret("correct horse"));
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            Argon2id::default().verify(&secret("correct horse"), &stored),
            Verification::Correct { new_hash: None }
        );
        assert_eq!(
            Argon2id::default().verify(&secret("correct horse "), &stored),
            Verification::Incorrect
        );
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(
            Argon2id::default().hash(&secret("correct horse")),
            Argon2id::default().hash(&secret("correct horse"))
        );
    }

    #[test]
    fn an_invalid_hash_verifies_no_password() {
        for stored in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$abc"] {
            assert_eq!(
                Argon2id::default().verify(&secret("correct horse"), stored),
                Verification::Incorrect,
                "{stored}"
            );
        }
    }

    #[test]
    fn the_dummy_hash_has_the_current_parameters() {
        let dummy = dummy_hash();
        let parsed = PasswordHash::new(&dummy).expect("a PHC string");
        assert!(is_current(&parsed), "{dummy}");
        assert_eq!(
            Argon2id::default().verify(&secret("correct horse"), &dummy),
            Verification::Incorrect
        );
    }

    #[test]
    fn a_hash_with_outdated_parameters_is_verified_and_renewed() {
        use argon2::PasswordHasher as _;
        for (memory, passes) in [(1_024, 1), (2 * MEMORY_KIB, 1)] {
            let other = Argon2::from(Params::new(memory, passes, 1, None).expect("valid"));
            let stored = other
                .hash_password(b"correct horse")
                .expect("hashed")
                .to_string();
            let Verification::Correct {
                new_hash: Some(renewed),
            } = Argon2id::default().verify(&secret("correct horse"), &stored)
            else {
                panic!("not renewed: {stored}");
            };
            assert!(
                renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
                "{renewed}"
            );
            assert_eq!(
                Argon2id::default().verify(&secret("wrong horse"), &stored),
                Verification::Incorrect
            );
        }
    }

    #[test]
    fn a_hash_does_not_depend_on_what_was_hashed_before() {
        let mut hasher = Argon2id::default();
        let stored = hasher.hash(&secret("correct horse"));
        hasher.hash(&secret("another horse"));
        assert_eq!(
            hasher.verify(&secret("correct horse"), &stored),
            Verification::Correct { new_hash: None }
        );
        assert_eq!(
            hasher.verify(&secret("another horse"), &stored),
            Verification::Incorrect
        );
    }
}

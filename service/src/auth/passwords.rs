//! Password hashing that a flood of logins cannot turn into an outage: few threads, low priority, a short queue.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rocket::tokio::sync::oneshot;
use secrecy::{ExposeSecret, SecretString};

/// argon2id with 19 MiB, 2 passes, 1 lane: the minimum of the OWASP password storage cheat sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Jobs that wait while every thread is busy. At 50 hashes a second per thread, the last one waits for 0.64 s.
const QUEUE: usize = 32;
/// Hashing yields the processor to everything else (see `nice(2)`: 0 is normal, 19 the lowest priority).
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The hashing threads.
pub(crate) struct Passwords {
    queue: SyncSender<Job>,
    /// What an unknown user's password is verified against, so that it takes as long as a known user's.
    nobody: Arc<str>,
}

/// Too many passwords are waiting to be hashed.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub(crate) struct Overloaded;

/// Whether a password is the one that was hashed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is; with a new hash if the stored one was made with other parameters than today's.
    Right { rehashed: Option<String> },
    /// It is not, or there is no such user.
    Wrong,
}

impl Passwords {
    /// Starts one thread for every two processors, at least one. Each needs 19 MiB while it hashes.
    pub(crate) fn start() -> Self {
        let (queue, jobs) = sync_channel::<Job>(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..(thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1) {
            let jobs = Arc::clone(&jobs);
            thread::spawn(move || work(&jobs));
        }
        Self {
            queue,
            nobody: hash_of_nobody().into(),
        }
    }

    /// The PHC string (salt, parameters and hash) to store for a new password.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String, Overloaded> {
        self.run(move || hash(&password)).await
    }

    /// Compares a password with a stored PHC string; `None` stands for a user who does not exist.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Verdict, Overloaded> {
        let nobody = Arc::clone(&self.nobody);
        self.run(move || {
            let verdict = verify(&password, stored.as_deref().unwrap_or(&nobody));
            if stored.is_some() {
                verdict
            } else {
                Verdict::Wrong
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more where the request was dropped.
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => answered.await.map_err(|_| Overloaded),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Overloaded),
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // Without this privilege the threads still work, only less politely.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            // The service is gone.
            Err(_) => return,
        }
    }
}

fn parameters() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the constants above are within argon2's limits")
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters())
}

fn hash(password: &SecretString) -> String {
    hasher()
        .hash_password(password.expose_secret().as_bytes())
        .expect("hashing fails only without memory or randomness")
        .to_string()
}

fn verify(password: &SecretString, stored: &str) -> Verdict {
    let Ok(stored) = PasswordHash::new(stored) else {
        return Verdict::Wrong;
    };
    match hasher().verify_password(password.expose_secret().as_bytes(), &stored) {
        Ok(()) if is_current(&stored) => Verdict::Right { rehashed: None },
        Ok(()) => Verdict::Right {
            rehashed: Some(hash(password)),
        },
        Err(_) => Verdict::Wrong,
    }
}

fn is_current(stored: &PasswordHash) -> bool {
    let current = parameters();
    stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|stored| {
            (stored.m_cost(), stored.t_cost(), stored.p_cost())
                == (current.m_cost(), current.t_cost(), current.p_cost())
        })
}

/// A PHC string with today's parameters that no password leads to.
fn hash_of_nobody() -> String {
    let parameters = parameters();
    PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&parameters).expect("the parameters have a text form"),
        salt: Some(Salt::generate()),
        hash: Some(
            Output::new(&rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>())
                .expect("the length is argon2's"),
        ),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_is_verified_by_its_password_only() {
        let stored = hash(&secret("correct horse"));
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            verify(&secret("correct horse"), &stored),
            Verdict::Right { rehashed: None }
        );
        assert_eq!(verify(&secret("correct horse "), &stored), Verdict::Wrong);
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(
            hash(&secret("correct horse")),
            hash(&secret("correct horse"))
        );
    }

    #[test]
    fn what_is_not_a_hash_verifies_nothing() {
        for stored in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$abc"] {
            assert_eq!(
                verify(&secret("correct horse"), stored),
                Verdict::Wrong,
                "{stored}"
            );
        }
    }

    #[test]
    fn nobody_costs_what_somebody_costs() {
        let nobody = hash_of_nobody();
        let parsed = PasswordHash::new(&nobody).expect("a PHC string");
        assert!(is_current(&parsed), "{nobody}");
        assert_eq!(verify(&secret("correct horse"), &nobody), Verdict::Wrong);
    }

    #[rocket::async_test]
    async fn a_full_queue_sheds_the_excess_at_once_and_recovers() {
        let passwords = Arc::new(Passwords::start());
        let ask = || {
            let passwords = Arc::clone(&passwords);
            rocket::tokio::spawn(async move { passwords.verify(secret("x"), None).await.is_ok() })
        };
        let asked: Vec<_> = (0..8 * QUEUE).map(|_| ask()).collect();
        let mut served = 0;
        for answer in asked {
            served += usize::from(answer.await.expect("no panic"));
        }
        assert!((QUEUE..8 * QUEUE).contains(&served), "{served}");
        assert!(passwords.verify(secret("x"), None).await.is_ok());
    }
}

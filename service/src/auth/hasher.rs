//! Password hashing that a flood of logins cannot turn into an outage: few threads, low priority, rests, a short queue.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use prometheus::IntCounter;
use rocket::tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use secrecy::{ExposeSecret, SecretString};

use crate::http::problem::Problem;
use crate::model::password::ClaimedPassword;

/// argon2id with 19 MiB, 2 passes, 1 lane: the minimum of the OWASP password storage cheat sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const VERSION: Version = Version::V0x13;
/// Jobs that wait while every thread is busy. At 17 hashes a second per thread, rests included, the last one waits for
/// 1.9 s.
const QUEUE: usize = 32;
/// Hashing yields the processor to everything else (see `nice(2)`: 0 is normal, 19 the lowest priority).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// A thread rests after each job for twice as long as that took, and at most so long: it takes a third of a processor.
/// Priority alone is not enough, as a thread that never sleeps makes some kernels keep others waiting for tens of
/// milliseconds.
const LONGEST_REST: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The hashing threads.
pub(crate) struct Passwords {
    queue: Sender<Job>,
    /// As many as may be hashed or wait for it.
    places: Semaphore,
    /// What an unknown user's password is verified against, so that it takes as long as a known user's.
    nobody: Arc<str>,
    hashed: IntCounter,
    refused: IntCounter,
}

/// A place in the queue for one password. Who has none is turned away before any work was done for them.
pub(crate) struct Place<'a> {
    passwords: &'a Passwords,
    _permit: SemaphorePermit<'a>,
}

/// Too many passwords are waiting to be hashed.
#[derive(Debug)]
pub(crate) struct Overloaded;

/// A hashing job panicked, which is a fault of ours.
#[derive(Debug)]
pub(crate) struct Failed;

/// Whether a password is the one that was hashed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is; with a new hash if the stored one was made with other parameters than today's, or of another form.
    Right { rehashed: Option<String> },
    /// It is not, or there is no such user.
    Wrong,
}

impl Passwords {
    /// Starts one thread for every two processors, at least one. Each needs 19 MiB once it has hashed.
    pub(crate) fn start() -> Self {
        let threads = (thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1);
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::spawn(move || work(&jobs));
        }
        Self {
            queue,
            places: Semaphore::new(threads + QUEUE),
            nobody: hash_of_nobody().into(),
            hashed: counter(
                "herolo_passwords_hashed_total",
                "Passwords hashed, to store or to compare.",
            ),
            refused: counter(
                "herolo_passwords_refused_total",
                "Passwords turned away because too many waited.",
            ),
        }
    }

    /// What the metrics show.
    pub(crate) fn counters(&self) -> [IntCounter; 2] {
        [self.hashed.clone(), self.refused.clone()]
    }

    /// Takes a place in the queue, or says at once that there is none.
    pub(crate) fn queue_up(&self) -> Result<Place<'_>, Overloaded> {
        let permit = self.places.try_acquire().map_err(|_| {
            self.refused.inc();
            Overloaded
        })?;
        Ok(Place {
            passwords: self,
            _permit: permit,
        })
    }
}

impl Place<'_> {
    /// The PHC string (salt, parameters and hash) to store for a new password.
    pub(crate) async fn hash(self, password: SecretString) -> Result<String, Failed> {
        self.run(move |hasher| hasher.hash(&password)).await
    }

    /// Compares a password with a stored PHC string; `None` stands for a user who does not exist. Where it was sent in
    /// another form than the one that is hashed, and is not right in that one, it is tried as it was sent: hashes from
    /// before passwords were prepared are of such texts. That depends on what was sent alone, so it tells nothing of the
    /// account.
    pub(crate) async fn verify(
        self,
        claim: ClaimedPassword,
        stored: Option<String>,
    ) -> Result<Verdict, Failed> {
        let (prepared, verbatim) = claim.into_forms();
        let is_somebody = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.passwords.nobody), Arc::from);
        let (password, hash) = (prepared.clone(), Arc::clone(&stored));
        let mut verdict = self
            .run(move |hasher| hasher.verify(&password, &hash))
            .await?;
        if let (Verdict::Wrong, Some(verbatim)) = (&verdict, verbatim) {
            // A job of its own, so that the thread rests in between.
            verdict = self
                .run(move |hasher| hasher.verify_older(&verbatim, &stored, &prepared))
                .await?;
        }
        Ok(if is_somebody { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        self.passwords.hashed.inc();
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Nobody waits any more where the request was dropped.
            if !answer.is_closed() {
                let _ = answer.send(job(hasher));
            }
        });
        self.passwords.queue.send(job).map_err(|_| Failed)?;
        answered.await.map_err(|_| Failed)
    }
}

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the metric's name is valid")
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux this is about this thread alone, elsewhere about the whole process. If it fails, the thread still works.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut hasher = Hasher::default();
    let mut end_of_rest = Instant::now();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // The service is gone.
        let Ok(job) = job else { return };
        thread::sleep(end_of_rest.saturating_duration_since(Instant::now()));
        let begin = Instant::now();
        // A job that panics answers nobody; the thread must live for the next one.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut hasher)));
        end_of_rest = Instant::now() + (2 * begin.elapsed()).min(LONGEST_REST);
    }
}

/// One thread's working memory, kept from hash to hash. Asked for and given back each time, it made the process grow to
/// several times as much.
#[derive(Default)]
struct Hasher {
    memory: Vec<Block>,
}

impl Hasher {
    fn hash(&mut self, password: &SecretString) -> String {
        let salt = Salt::generate();
        let output = self
            .output(password, &salt, &parameters())
            .expect("the parameters are argon2's own");
        phc_string(salt, output)
    }

    fn verify(&mut self, password: &SecretString, stored: &str) -> Verdict {
        match PasswordHash::new(stored) {
            Ok(stored) if self.is_of(&stored, password) => Verdict::Right {
                rehashed: (!is_current(&stored)).then(|| self.hash(password)),
            },
            _ => Verdict::Wrong,
        }
    }

    /// The same for a hash of a password as it was sent. What replaces it is one of its prepared form.
    fn verify_older(
        &mut self,
        verbatim: &SecretString,
        stored: &str,
        prepared: &SecretString,
    ) -> Verdict {
        match PasswordHash::new(stored) {
            Ok(stored) if self.is_of(&stored, verbatim) => Verdict::Right {
                rehashed: Some(self.hash(prepared)),
            },
            _ => Verdict::Wrong,
        }
    }

    /// Whether the hash is this password's; compared in constant time.
    fn is_of(&mut self, stored: &PasswordHash, password: &SecretString) -> bool {
        let (Some(salt), Some(expected), Ok(parameters)) =
            (&stored.salt, &stored.hash, Params::try_from(stored))
        else {
            return false;
        };
        let is_ours = stored.algorithm == Algorithm::Argon2id.ident()
            && stored.version == Some(VERSION.into());
        is_ours
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

/// Today's parameters.
fn parameters() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the constants above are within argon2's limits")
}

/// The form in which a hash of today's parameters is stored.
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

/// A hash with today's parameters that no password leads to.
fn hash_of_nobody() -> String {
    let output = rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>();
    phc_string(
        Salt::generate(),
        Output::new(&output).expect("the length is argon2's own"),
    )
}

impl From<Failed> for Problem {
    fn from(_: Failed) -> Self {
        Self::internal("hashing a password failed")
    }
}

impl From<Overloaded> for Problem {
    fn from(_: Overloaded) -> Self {
        Self::Unavailable("Too many passwords are being checked right now; try again in a moment.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn claim(text: &str) -> ClaimedPassword {
        ClaimedPassword::parse(text.to_owned()).expect("short enough")
    }

    #[test]
    fn a_hash_is_verified_by_its_password_only() {
        let stored = Hasher::default().hash(&secret("correct horse"));
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            Hasher::default().verify(&secret("correct horse"), &stored),
            Verdict::Right { rehashed: None }
        );
        assert_eq!(
            Hasher::default().verify(&secret("correct horse "), &stored),
            Verdict::Wrong
        );
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(
            Hasher::default().hash(&secret("correct horse")),
            Hasher::default().hash(&secret("correct horse"))
        );
    }

    #[test]
    fn what_is_not_a_hash_verifies_nothing() {
        for stored in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$abc"] {
            assert_eq!(
                Hasher::default().verify(&secret("correct horse"), stored),
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
        assert_eq!(
            Hasher::default().verify(&secret("correct horse"), &nobody),
            Verdict::Wrong
        );
    }

    #[test]
    fn a_hash_of_other_costs_is_verified_and_renewed() {
        use argon2::PasswordHasher as _;
        for (memory, passes) in [(1_024, 1), (2 * MEMORY_KIB, 1)] {
            let other = Argon2::from(Params::new(memory, passes, 1, None).expect("valid"));
            let stored = other
                .hash_password(b"correct horse")
                .expect("hashed")
                .to_string();
            let Verdict::Right {
                rehashed: Some(renewed),
            } = Hasher::default().verify(&secret("correct horse"), &stored)
            else {
                panic!("not renewed: {stored}");
            };
            assert!(
                renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
                "{renewed}"
            );
            assert_eq!(
                Hasher::default().verify(&secret("wrong horse"), &stored),
                Verdict::Wrong
            );
        }
    }

    #[test]
    fn a_hash_does_not_depend_on_what_was_hashed_before() {
        let mut hasher = Hasher::default();
        let stored = hasher.hash(&secret("correct horse"));
        hasher.hash(&secret("another horse"));
        assert_eq!(
            hasher.verify(&secret("correct horse"), &stored),
            Verdict::Right { rehashed: None }
        );
        assert_eq!(
            hasher.verify(&secret("another horse"), &stored),
            Verdict::Wrong
        );
    }

    #[rocket::async_test]
    async fn a_hash_of_a_decomposed_text_is_verified_as_it_was_sent_and_becomes_one_of_the_composed_form()
     {
        let (composed, decomposed) = ("m\u{fc}de Pferde", "mu\u{308}de Pferde");
        let passwords = Passwords::start();
        let verify = async |text: &str, stored: &str| {
            let place = passwords.queue_up().expect("a place");
            let verdict = place.verify(claim(text), Some(stored.to_owned())).await;
            verdict.expect("no panic")
        };
        let old = Hasher::default().hash(&secret(decomposed));
        assert_eq!(verify(composed, &old).await, Verdict::Wrong);
        assert_eq!(verify("mu\u{308}de Hunde", &old).await, Verdict::Wrong);
        let Verdict::Right {
            rehashed: Some(new),
        } = verify(decomposed, &old).await
        else {
            panic!("neither right nor renewed");
        };
        for form in [composed, decomposed] {
            assert_eq!(verify(form, &new).await, Verdict::Right { rehashed: None });
        }
    }

    #[rocket::async_test]
    async fn what_is_hashed_depends_on_what_was_sent_alone() {
        let passwords = Passwords::start();
        let [hashed, _] = passwords.counters();
        let somebody = Hasher::default().hash(&secret("correct horse"));
        for (text, hashes) in [
            ("a wrong horse", 1),
            ("a wr\u{f6}ng horse", 1),
            ("a wro\u{308}ng horse", 2),
        ] {
            for stored in [None, Some(somebody.clone())] {
                let before = hashed.get();
                let place = passwords.queue_up().expect("a place");
                assert_eq!(
                    place.verify(claim(text), stored).await.expect("no panic"),
                    Verdict::Wrong
                );
                assert_eq!(hashed.get() - before, hashes, "{text}");
            }
        }
    }

    #[rocket::async_test]
    async fn a_job_that_panics_takes_no_thread_with_it() {
        let passwords = Passwords::start();
        for _ in 0..8 {
            let place = passwords.queue_up().expect("a place");
            assert!(place.run(|_| panic!("on purpose")).await.is_err());
        }
        let place = passwords.queue_up().expect("a place");
        assert!(place.verify(claim("x"), None).await.is_ok());
    }

    #[rocket::async_test]
    async fn a_thread_rests_between_two_jobs_twice_as_long_as_the_first_took() {
        const LONG: Duration = Duration::from_millis(40);
        let passwords = Passwords::start();
        // So many that one thread does two of them, whichever it is.
        let jobs = (0..=thread::available_parallelism().map_or(1, NonZero::get)).map(|_| {
            let place = passwords.queue_up().expect("a place");
            async move {
                let job = place.run(|_| {
                    let begin = Instant::now();
                    thread::sleep(LONG);
                    (thread::current().id(), begin, Instant::now())
                });
                job.await
            }
        });
        let mut done: Vec<_> = rocket::futures::future::join_all(jobs)
            .await
            .into_iter()
            .map(|job| job.expect("no panic"))
            .collect();
        done.sort_unstable_by_key(|(_, begin, _)| *begin);
        let mut pairs = 0;
        for (place, (thread, begin, _)) in done.iter().enumerate() {
            let before = done[..place].iter().rev().find(|one| one.0 == *thread);
            if let Some((_, _, end)) = before {
                assert!(*begin - *end >= 2 * LONG, "{:?}", *begin - *end);
                pairs += 1;
            }
        }
        assert!(pairs > 0);
    }

    #[rocket::async_test]
    async fn a_full_queue_sheds_the_excess_at_once_and_recovers() {
        let passwords = Arc::new(Passwords::start());
        let ask = || {
            let passwords = Arc::clone(&passwords);
            rocket::tokio::spawn(async move {
                match passwords.queue_up() {
                    Ok(place) => place.verify(claim("x"), None).await.is_ok(),
                    Err(Overloaded) => false,
                }
            })
        };
        let asked: Vec<_> = (0..8 * QUEUE).map(|_| ask()).collect();
        let mut served = 0;
        for answer in asked {
            served += usize::from(answer.await.expect("no panic"));
        }
        assert!((QUEUE..8 * QUEUE).contains(&served), "{served}");
        let place = passwords.queue_up().expect("a place");
        assert!(place.verify(claim("x"), None).await.is_ok());
    }
}

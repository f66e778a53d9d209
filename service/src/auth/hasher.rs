//! Password hashing that a flood of logins cannot turn into an outage: few threads of low priority that pause between
//! two hashes, and a short queue.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use rocket::tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use secrecy::SecretString;

use crate::auth::argon2id::{Argon2id, Verification, dummy_hash};
use crate::http::problem::Problem;
use crate::model::password::{PasswordForms, SubmittedPassword};

/// Requests that wait while every thread is busy. A thread hashes 17 passwords a second, including pauses, so the last
/// one waits for 1.9 s.
const MAX_WAITING: usize = 32;
/// Hashing yields the processor to everything else (see `nice(2)`: 0 is normal, 19 the lowest priority).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// A thread pauses after each job for twice as long as the job took, up to this limit, so it uses a third of a
/// processor. A low priority is not sufficient, because some kernels delay other threads by tens of milliseconds in
/// favour of one that never sleeps.
const MAX_PAUSE: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce(&mut Argon2id) + Send>;

/// The threads that hash passwords.
pub(crate) struct PasswordHasher {
    queue: Sender<Job>,
    /// One permit for each request that is being hashed or waits for it.
    permits: Semaphore,
    /// Verified in place of the hash of an account that does not exist, which therefore takes as long as one that does.
    dummy_hash: Arc<str>,
    hashed: IntCounter,
    refused: IntCounter,
}

/// A reservation for one password. It is acquired first, so that a rejected request causes no other work.
pub(crate) struct HashPermit<'a> {
    hasher: &'a PasswordHasher,
    _permit: SemaphorePermit<'a>,
}

/// The queue is full.
#[derive(Debug)]
pub(crate) struct Overloaded;

/// A hashing job panicked.
#[derive(Debug)]
pub(crate) struct HashingFailed;

impl PasswordHasher {
    /// Starts one thread for every two processors, at least one. Each uses 19 MiB from its first hash on.
    pub(crate) fn start() -> Self {
        let threads = (thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1);
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::spawn(move || run_jobs(&jobs));
        }
        Self {
            queue,
            permits: Semaphore::new(threads + MAX_WAITING),
            dummy_hash: dummy_hash().into(),
            hashed: counter(
                "herolo_passwords_hashed_total",
                "Passwords that were hashed, to store or to compare.",
            ),
            refused: counter(
                "herolo_passwords_refused_total",
                "Passwords that were rejected because the queue was full.",
            ),
        }
    }

    /// The counters for the metrics.
    pub(crate) fn counters(&self) -> [IntCounter; 2] {
        [self.hashed.clone(), self.refused.clone()]
    }

    /// Reserves the hashing of one password; fails at once if the queue is full.
    pub(crate) fn try_reserve(&self) -> Result<HashPermit<'_>, Overloaded> {
        let permit = self.permits.try_acquire().map_err(|_| {
            self.refused.inc();
            Overloaded
        })?;
        Ok(HashPermit {
            hasher: self,
            _permit: permit,
        })
    }
}

impl HashPermit<'_> {
    /// The PHC string (salt, parameters and hash) of a new password.
    pub(crate) async fn hash(self, password: SecretString) -> Result<String, HashingFailed> {
        self.run(move |argon2id| argon2id.hash(&password)).await
    }

    /// Compares a password with a stored PHC string; `None` stands for an account that does not exist. If the
    /// normalized form is wrong and the password was sent in another form, that form is compared as well, because older
    /// hashes were computed before normalization. The number of hashes depends on the submitted text alone, so it
    /// reveals nothing about the account.
    pub(crate) async fn verify(
        self,
        password: SubmittedPassword,
        stored: Option<String>,
    ) -> Result<Verification, HashingFailed> {
        let PasswordForms {
            normalized,
            verbatim,
        } = password.into_forms();
        let exists = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.hasher.dummy_hash), Arc::from);
        let (password, hash) = (normalized.clone(), Arc::clone(&stored));
        let mut verification = self
            .run(move |argon2id| argon2id.verify(&password, &hash))
            .await?;
        if let (Verification::Incorrect, Some(verbatim)) = (&verification, verbatim) {
            // A separate job, so that the thread pauses in between.
            verification = self
                .run(move |argon2id| argon2id.verify_verbatim(&verbatim, &stored, &normalized))
                .await?;
        }
        Ok(if exists {
            verification
        } else {
            Verification::Incorrect
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Argon2id) -> T + Send + 'static,
    ) -> Result<T, HashingFailed> {
        self.hasher.hashed.inc();
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |argon2id| {
            // The channel is closed if the request was cancelled.
            if !sender.is_closed() {
                let _ = sender.send(job(argon2id));
            }
        });
        self.hasher.queue.send(job).map_err(|_| HashingFailed)?;
        receiver.await.map_err(|_| HashingFailed)
    }
}

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the metric's name is valid")
}

fn run_jobs(jobs: &Mutex<Receiver<Job>>) {
    // On Linux this applies to this thread alone, elsewhere to the whole process. If it fails, the thread still works.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut argon2id = Argon2id::default();
    let mut end_of_pause = Instant::now();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // The sender was dropped with the service.
        let Ok(job) = job else { return };
        thread::sleep(end_of_pause.saturating_duration_since(Instant::now()));
        let begin = Instant::now();
        // A panic drops the job's sender, so its request fails with `HashingFailed`; the thread continues with the next
        // job.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut argon2id)));
        end_of_pause = Instant::now() + (2 * begin.elapsed()).min(MAX_PAUSE);
    }
}

impl From<HashingFailed> for Problem {
    fn from(_: HashingFailed) -> Self {
        Self::internal("hashing a password failed")
    }
}

impl From<Overloaded> for Problem {
    fn from(_: Overloaded) -> Self {
        Self::Unavailable("Too many passwords are being checked; retry in a moment.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn submitted(text: &str) -> SubmittedPassword {
        SubmittedPassword::parse(text.to_owned()).expect("short enough")
    }

    #[rocket::async_test]
    async fn a_hash_of_a_decomposed_password_is_verified_and_replaced() {
        let (composed, decomposed) = ("m\u{fc}de Pferde", "mu\u{308}de Pferde");
        let hasher = PasswordHasher::start();
        let verify = async |text: &str, stored: &str| {
            let permit = hasher.try_reserve().expect("a permit");
            let verification = permit
                .verify(submitted(text), Some(stored.to_owned()))
                .await;
            verification.expect("no panic")
        };
        let old = Argon2id::default().hash(&secret(decomposed));
        assert_eq!(verify(composed, &old).await, Verification::Incorrect);
        assert_eq!(
            verify("mu\u{308}de Hunde", &old).await,
            Verification::Incorrect
        );
        let Verification::Correct {
            new_hash: Some(new),
        } = verify(decomposed, &old).await
        else {
            panic!("neither right nor renewed");
        };
        for form in [composed, decomposed] {
            assert_eq!(
                verify(form, &new).await,
                Verification::Correct { new_hash: None }
            );
        }
    }

    #[rocket::async_test]
    async fn the_number_of_hashes_depends_on_the_submitted_text_alone() {
        let hasher = PasswordHasher::start();
        let [count, _] = hasher.counters();
        let stored = Argon2id::default().hash(&secret("correct horse"));
        for (text, hashes) in [
            ("a wrong horse", 1),
            ("a wr\u{f6}ng horse", 1),
            ("a wro\u{308}ng horse", 2),
        ] {
            for stored in [None, Some(stored.clone())] {
                let before = count.get();
                let permit = hasher.try_reserve().expect("a permit");
                assert_eq!(
                    permit
                        .verify(submitted(text), stored)
                        .await
                        .expect("no panic"),
                    Verification::Incorrect
                );
                assert_eq!(count.get() - before, hashes, "{text}");
            }
        }
    }

    #[rocket::async_test]
    async fn a_thread_survives_a_job_that_panics() {
        let hasher = PasswordHasher::start();
        for _ in 0..8 {
            let permit = hasher.try_reserve().expect("a permit");
            assert!(permit.run(|_| panic!("on purpose")).await.is_err());
        }
        let permit = hasher.try_reserve().expect("a permit");
        assert!(permit.verify(submitted("x"), None).await.is_ok());
    }

    #[rocket::async_test]
    async fn a_thread_pauses_twice_as_long_as_its_job_took() {
        const LONG: Duration = Duration::from_millis(40);
        let hasher = PasswordHasher::start();
        // More jobs than threads, so at least one thread runs two of them.
        let jobs = (0..=thread::available_parallelism().map_or(1, NonZero::get)).map(|_| {
            let permit = hasher.try_reserve().expect("a permit");
            async move {
                let job = permit.run(|_| {
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
        for (index, (thread, begin, _)) in done.iter().enumerate() {
            let before = done[..index].iter().rev().find(|one| one.0 == *thread);
            if let Some((_, _, end)) = before {
                assert!(*begin - *end >= 2 * LONG, "{:?}", *begin - *end);
                pairs += 1;
            }
        }
        assert!(pairs > 0);
    }

    #[rocket::async_test]
    async fn a_full_queue_rejects_the_excess_at_once_and_recovers() {
        let hasher = Arc::new(PasswordHasher::start());
        let ask = || {
            let hasher = Arc::clone(&hasher);
            rocket::tokio::spawn(async move {
                match hasher.try_reserve() {
                    Ok(permit) => permit.verify(submitted("x"), None).await.is_ok(),
                    Err(Overloaded) => false,
                }
            })
        };
        let asked: Vec<_> = (0..8 * MAX_WAITING).map(|_| ask()).collect();
        let mut served = 0;
        for answer in asked {
            served += usize::from(answer.await.expect("no panic"));
        }
        assert!((MAX_WAITING..8 * MAX_WAITING).contains(&served), "{served}");
        let permit = hasher.try_reserve().expect("a permit");
        assert!(permit.verify(submitted("x"), None).await.is_ok());
    }
}

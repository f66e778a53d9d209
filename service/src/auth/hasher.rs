//! Password hashing that a flood of logins cannot turn into an outage: few threads of low priority that pause between
//! two hashes, and a short queue.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use rocket::tokio::sync::oneshot;
#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use secrecy::SecretString;

use crate::auth::argon2id::{Argon2id, Verification, dummy_hash};
use crate::http::problem::Problem;
use crate::model::password::{PasswordForms, SubmittedPassword};

/// The most requests that wait while every thread is busy.
const MAX_WAITING: usize = 32;
/// The queue is as long as what is hashed in this time at the current pace, and so shorter where hashing is slower.
const TARGET_WAIT: Duration = Duration::from_secs(1);
/// However slow hashing is, so many requests may wait for each thread: some that coincide are not yet a flood.
const MIN_WAITING: usize = 4;
/// A job that has waited for longer, because hashing has become slower since, is not begun.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Hashing yields the processor to everything else (see `nice(2)`: 0 is normal, 19 the lowest priority).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// A thread pauses after each job for twice as long as the job took, so it uses a third of a processor. A low priority
/// is not sufficient: some kernels delay other threads by tens of milliseconds in favour of one that never sleeps, and
/// priorities are compared within a container only.
const PAUSE_PER_TIME: u32 = 2;
/// The longest pause, so that logins go on, at two a second for each thread, on a host that has little time for them.
const MAX_PAUSE: Duration = Duration::from_millis(400);

/// Hashes, unless that has become futile. Returns whether it has.
type Job = Box<dyn FnOnce(&mut Argon2id) -> bool + Send>;

/// The threads that hash passwords.
pub(crate) struct PasswordHasher {
    queue: Sender<Job>,
    threads: usize,
    /// The requests that are being hashed or wait for it.
    reserved: AtomicUsize,
    /// The time that threads take for a job and the pause after it, in microseconds: a moving average.
    cycle: Arc<AtomicU64>,
    /// Verified in place of the hash of an account that does not exist, which therefore takes as long as one that does.
    dummy_hash: Arc<str>,
    hashed: IntCounter,
    refused: IntCounter,
}

/// A reservation for one password. It is acquired first, so that a rejected request causes no other work.
pub(crate) struct HashPermit<'a> {
    hasher: &'a PasswordHasher,
}

/// The queue is full.
#[derive(Debug)]
pub(crate) struct Overloaded;

/// Why a password was not hashed.
#[derive(Debug)]
pub(crate) enum HashingError {
    /// The job panicked.
    Failed,
    /// It waited for too long.
    Overloaded,
}

impl PasswordHasher {
    /// Starts one thread for every two processors, at least one. Each uses 19 MiB from its first hash on.
    pub(crate) fn start() -> Self {
        let threads = (thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1);
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let cycle = Arc::new(AtomicU64::new(0));
        for _ in 0..threads {
            let (jobs, cycle) = (Arc::clone(&jobs), Arc::clone(&cycle));
            thread::spawn(move || {
                #[cfg(target_os = "linux")]
                yield_to_others(threads);
                run_jobs(&jobs, &cycle);
            });
        }
        Self {
            queue,
            threads,
            reserved: AtomicUsize::new(0),
            cycle,
            dummy_hash: dummy_hash().into(),
            hashed: counter(
                "herolo_passwords_hashed_total",
                "Passwords that were hashed, to store or to compare.",
            ),
            refused: counter(
                "herolo_passwords_refused_total",
                "Passwords that were rejected because the queue was full, or their wait too long.",
            ),
        }
    }

    /// The counters for the metrics.
    pub(crate) fn counters(&self) -> [IntCounter; 2] {
        [self.hashed.clone(), self.refused.clone()]
    }

    /// Reserves the hashing of one password; fails at once if the queue is full.
    pub(crate) fn try_reserve(&self) -> Result<HashPermit<'_>, Overloaded> {
        let cycle = Duration::from_micros(self.cycle.load(Ordering::Relaxed));
        let limit = self.threads + max_waiting(self.threads, cycle);
        let reserve = |reserved| (reserved < limit).then_some(reserved + 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.reserved.fetch_update(set, fetch, reserve).is_err() {
            self.refused.inc();
            return Err(Overloaded);
        }
        Ok(HashPermit { hasher: self })
    }
}

/// The requests that may wait for `threads` of which each takes `cycle` for a job and the pause after it.
fn max_waiting(threads: usize, cycle: Duration) -> usize {
    let jobs = TARGET_WAIT.as_micros() / cycle.as_micros().max(1);
    usize::try_from(jobs).map_or(MAX_WAITING, |jobs| {
        threads
            .saturating_mul(jobs.max(MIN_WAITING))
            .min(MAX_WAITING)
    })
}

impl Drop for HashPermit<'_> {
    fn drop(&mut self) {
        self.hasher.reserved.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HashPermit<'_> {
    /// The PHC string (salt, parameters and hash) of a new password.
    pub(crate) async fn hash(self, password: SecretString) -> Result<String, HashingError> {
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
    ) -> Result<Verification, HashingError> {
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
    ) -> Result<T, HashingError> {
        let (sender, receiver) = oneshot::channel();
        let (begin, hashed) = (Instant::now(), self.hasher.hashed.clone());
        let job: Job = Box::new(move |argon2id| {
            let is_late = begin.elapsed() > MAX_WAIT;
            // The channel is closed if the request was cancelled.
            if is_late || sender.is_closed() {
                let _ = sender.send(None);
                return false;
            }
            hashed.inc();
            let _ = sender.send(Some(job(argon2id)));
            true
        });
        let sent = self.hasher.queue.send(job);
        sent.map_err(|_| HashingError::Failed)?;
        let done = receiver.await.map_err(|_| HashingError::Failed)?;
        done.ok_or_else(|| {
            self.hasher.refused.inc();
            HashingError::Overloaded
        })
    }
}

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the metric's name is valid")
}

/// Gives this thread a low priority, and the last `processors` of those that it may use, so that all replicas of a host
/// leave the same ones to everything else. If either fails, the thread still works.
#[cfg(target_os = "linux")]
fn yield_to_others(processors: usize) {
    let _ = rustix::process::setpriority_process(None, NICENESS);
    if let Ok(allowed) = sched_getaffinity(None) {
        let _ = sched_setaffinity(None, &last_of(&allowed, processors));
    }
}

/// The last processors of a set, or all if it has fewer.
#[cfg(target_os = "linux")]
fn last_of(allowed: &CpuSet, number: usize) -> CpuSet {
    let mut last = CpuSet::new();
    let descending = (0..CpuSet::MAX_CPU).rev();
    for processor in descending.filter(|it| allowed.is_set(*it)).take(number) {
        last.set(processor);
    }
    last
}

fn run_jobs(jobs: &Mutex<Receiver<Job>>, cycle: &AtomicU64) {
    let mut argon2id = Argon2id::default();
    let mut end_of_pause = Instant::now();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // The sender was dropped with the service.
        let Ok(job) = job else { return };
        thread::sleep(end_of_pause.saturating_duration_since(Instant::now()));
        let begin = Instant::now();
        // A panic drops the job's sender, so its request fails; the thread continues with the next job.
        let has_hashed = catch_unwind(AssertUnwindSafe(|| job(&mut argon2id))).unwrap_or(true);
        if !has_hashed {
            continue;
        }
        let time = begin.elapsed();
        let pause = (PAUSE_PER_TIME * time).min(MAX_PAUSE);
        note_cycle(cycle, time + pause);
        end_of_pause = Instant::now() + pause;
    }
}

/// Adds a job and the pause after it to the moving average, which the first one begins.
fn note_cycle(average: &AtomicU64, cycle: Duration) {
    const PARTS: u64 = 4; // the newest job is one of them
    let cycle = u64::try_from(cycle.as_micros()).unwrap_or(u64::MAX);
    let next = match average.load(Ordering::Relaxed) {
        0 => cycle,
        old => old - old / PARTS + cycle / PARTS,
    };
    average.store(next, Ordering::Relaxed);
}

impl From<HashingError> for Problem {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Failed => Self::internal("hashing a password failed"),
            HashingError::Overloaded => Overloaded.into(),
        }
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

    #[cfg(target_os = "linux")]
    #[rocket::async_test]
    async fn hashing_is_confined_to_the_last_processors() {
        let allowed = sched_getaffinity(None).expect("the test's processors");
        let hasher = PasswordHasher::start();
        let permit = hasher.try_reserve().expect("a permit");
        let processors = permit.run(|_| sched_getaffinity(None)).await;
        let processors = processors
            .expect("no panic")
            .expect("the thread's processors");
        assert_eq!(processors, last_of(&allowed, hasher.threads));
        assert!(processors.count() < allowed.count() || allowed.count() == 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_last_processors_are_the_highest_of_those_allowed() {
        let set = |numbers: &[usize]| {
            let mut set = CpuSet::new();
            for number in numbers {
                set.set(*number);
            }
            set
        };
        for (allowed, number, last) in [
            (set(&[0, 1]), 1, set(&[1])),
            (set(&[2, 3, 5, 7]), 2, set(&[5, 7])),
            (set(&[4]), 1, set(&[4])),
            // A quota grants more threads than there are processors.
            (set(&[4]), 2, set(&[4])),
        ] {
            assert_eq!(last_of(&allowed, number), last);
        }
    }

    #[test]
    fn the_slower_the_hashing_the_shorter_the_queue() {
        let ms = Duration::from_millis;
        for (threads, cycle, requests) in [
            (1, Duration::ZERO, MAX_WAITING),
            (1, ms(30), MAX_WAITING),
            (1, ms(60), 16),
            (2, ms(100), 20),
            (1, ms(400), 4),
            (2, ms(400), 8),
            (1, ms(3_000), 4),
            (64, ms(3_000), MAX_WAITING),
        ] {
            assert_eq!(max_waiting(threads, cycle), requests);
        }
    }

    #[test]
    fn one_fast_job_among_slow_ones_hardly_changes_the_pace() {
        let ms = Duration::from_millis;
        let average = AtomicU64::new(0);
        let note = |cycle| {
            note_cycle(&average, cycle);
            average.load(Ordering::Relaxed)
        };
        assert_eq!(note(ms(200)), 200_000);
        assert_eq!(note(ms(40)), 160_000);
        assert_eq!(note(Duration::MAX), u64::MAX / 4 + 120_000);
        assert!(note(ms(40)) < u64::MAX);
    }

    #[rocket::async_test]
    async fn a_job_that_has_waited_for_too_long_is_refused_without_hashing() {
        let hasher = PasswordHasher::start();
        let reserve = || hasher.try_reserve().expect("a permit");
        let slow = (0..hasher.threads).map(|_| async {
            let permit = reserve();
            permit
                .run(|_| thread::sleep(MAX_WAIT + Duration::from_millis(500)))
                .await
        });
        let late = reserve().verify(submitted("x"), None);
        let (slow, late) = rocket::tokio::join!(rocket::futures::future::join_all(slow), late);
        assert!(slow.iter().all(Result::is_ok));
        assert!(matches!(late, Err(HashingError::Overloaded)));
        let counts = hasher.counters().map(|counter| counter.get());
        assert_eq!(counts, [hasher.threads as u64, 1]);
        assert!(reserve().verify(submitted("x"), None).await.is_ok());
    }

    #[rocket::async_test]
    async fn a_full_queue_rejects_the_excess_at_once_and_recovers() {
        let hasher = PasswordHasher::start();
        let permits: Vec<_> = (0..8 * MAX_WAITING)
            .map_while(|_| hasher.try_reserve().ok())
            .collect();
        assert_eq!(permits.len(), hasher.threads + MAX_WAITING);
        let [_, refused] = hasher.counters();
        assert_eq!(refused.get(), 1);
        let verifications = permits
            .into_iter()
            .map(|permit| permit.verify(submitted("x"), None));
        for verification in rocket::futures::future::join_all(verifications).await {
            // On a busy machine, the last ones wait for too long.
            assert!(matches!(
                verification,
                Ok(_) | Err(HashingError::Overloaded)
            ));
        }
        let permit = hasher.try_reserve().expect("a permit");
        assert!(permit.verify(submitted("x"), None).await.is_ok());
    }
}

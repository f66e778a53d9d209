//! Background jobs, which delete expired data and add mails that are due. Every replica runs them, in small batches;
//! concurrent runs find different rows or none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::futures::future::BoxFuture;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{Instant, sleep, timeout};
use rocket::{Orbit, Rocket};

use crate::db::{Database, Error};

/// Pause between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// Pause between two batches, so that jobs never saturate the database.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// How long a job goes on before the others have their turn: what a large account leaves takes minutes.
const TURN: Duration = Duration::from_secs(5);
/// Interval of the checks whether the database has been reached for the first time.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// Whether a job has to continue.
pub(crate) enum Progress {
    /// Until the next regular round, there is nothing to do.
    Done,
    /// The job has paused, so that the others have their turn.
    Paused,
}

/// A job of a feature. It works in batches, with a [`PAUSE`] between them, and pauses at the end of its [`Turn`].
pub(crate) type CleanupJob = for<'d> fn(&'d Database) -> BoxFuture<'d, Result<Progress, Error>>;

/// The time that a job has in a round.
pub(crate) struct Turn(Instant);

impl Turn {
    pub(crate) fn begin() -> Self {
        Self(Instant::now() + TURN)
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }

    /// Runs batches, each of which returns whether there may be more to do.
    pub(crate) async fn run<F>(&self, mut batch: impl FnMut() -> F) -> Result<Progress, Error>
    where
        F: Future<Output = Result<bool, Error>>,
    {
        while batch().await? {
            if self.is_over() {
                return Ok(Progress::Paused);
            }
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
}

/// The cleanup jobs, and the task that runs them until the service shuts down.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    jobs: Arc<Mutex<Vec<CleanupJob>>>,
    triggered: Arc<Notify>,
}

/// Attaches the registry of jobs, and the task that runs them.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("jobs", |rocket| async {
        let jobs = Jobs::default();
        rocket.manage(jobs.clone()).attach(jobs)
    })
}

impl Jobs {
    /// Adds a job, which runs in every round.
    pub(crate) fn add(&self, job: CleanupJob) {
        self.all().push(job);
    }

    /// Starts the next round immediately.
    pub(crate) fn trigger(&self) {
        self.triggered.notify_one();
    }

    fn all(&self) -> MutexGuard<'_, Vec<CleanupJob>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, database: Database) {
        while !database.has_started() {
            sleep(START_UP_INTERVAL).await;
        }
        let jobs = self.all().clone();
        loop {
            let pause = match run_round(&jobs, &database).await {
                Progress::Done => INTERVAL,
                Progress::Paused => PAUSE,
            };
            let _ = timeout(pause, self.triggered.notified()).await;
        }
    }
}

/// Runs each job; returns whether one of them has paused.
async fn run_round(jobs: &[CleanupJob], database: &Database) -> Progress {
    let mut progress = Progress::Done;
    for job in jobs {
        match job(database).await {
            Ok(Progress::Done) => {}
            Ok(Progress::Paused) => progress = Progress::Paused,
            // The next round repeats the job.
            Err(error @ Error::Broken(_)) => {
                tracing::warn!("a background job failed and will be repeated: {error}");
            }
            // Requests report an unavailable database.
            Err(error) => tracing::debug!("a background job will be repeated: {error}"),
        }
    }
    progress
}

#[rocket::async_trait]
impl Fairing for Jobs {
    fn info(&self) -> Info {
        Info {
            name: "jobs",
            kind: Kind::Liftoff,
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let (shutdown, jobs) = (rocket.shutdown(), self.clone());
        let Some(database) = rocket.state::<Database>().cloned() else {
            return;
        };
        rocket::tokio::spawn(async move {
            rocket::tokio::select! {
                () = jobs.run(database) => {}
                () = shutdown => {}
            }
        });
    }
}

//! What is cleared away when nobody waits for it. Each replica does it, a little at a time: what one has done, another
//! one does not find.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::futures::future::BoxFuture;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{sleep, timeout};
use rocket::{Orbit, Rocket};

use crate::db::{Database, Error};

/// Between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// Between two parts of a round, so that it never is what keeps the database busy.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// How often a service that has not found its database yet looks whether it has.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// A job that features hand to [`Jobs`]. It works in small parts, with a [`PAUSE`] between them.
pub(crate) type CleanupJob = for<'d> fn(&'d Database) -> BoxFuture<'d, Result<(), Error>>;

/// The cleanup jobs, run from the start to the end of the service.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    jobs: Arc<Mutex<Vec<CleanupJob>>>,
    triggered: Arc<Notify>,
}

/// Attaches what runs the jobs that the features hand over.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("jobs", |rocket| async {
        let jobs = Jobs::default();
        rocket.manage(jobs.clone()).attach(jobs)
    })
}

impl Jobs {
    /// Runs this job in each round from now on.
    pub(crate) fn add(&self, job: CleanupJob) {
        self.all().push(job);
    }

    /// Begins the next round now.
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
            for job in &jobs {
                if let Err(fault) = job(&database).await {
                    // Requests report that the database is away; the next round repeats the job.
                    tracing::debug!("a cleanup job has to wait: {fault}");
                }
            }
            let _ = timeout(INTERVAL, self.triggered.notified()).await;
        }
    }
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

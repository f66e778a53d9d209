//! Attaches the outbox to Rocket, and runs the worker from liftoff to shutdown.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use rocket::fairing::{AdHoc, Fairing, Info, Kind};
use rocket::tokio::task::JoinHandle;
use rocket::tokio::time::timeout;
use rocket::{Orbit, Rocket};

use crate::config::{Config, ConfigError};
use crate::db::Database;
use crate::http::managed::managed;
use crate::jobs::Jobs;
use crate::mail::cleanup;
use crate::mail::outbox::Outbox;
use crate::mail::worker::Worker;
use crate::ops::metrics::Telemetry;

/// The time that a shutdown leaves a mail that is being sent. Requests are accepted until it is over.
const FAREWELL: Duration = Duration::from_secs(4);

/// Attaches the outbox, and the worker if the service sends mails.
///
/// # Errors
/// An invalid setting.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let settings = config.mail()?;
    Ok(AdHoc::on_ignite("mail", move |rocket| async move {
        managed::<Jobs>(&rocket).add(cleanup::outdated);
        let outbox = Outbox::new(settings.is_some());
        let rocket = rocket.manage(outbox.clone());
        let Some(settings) = settings else {
            return rocket;
        };
        let sent = counter(
            "herolo_mails_sent_total",
            "Mails that the SMTP server has accepted.",
        );
        let given_up = counter(
            "herolo_mails_given_up_total",
            "Mails that the SMTP server has refused, or that could not be sent for three days.",
        );
        managed::<Telemetry>(&rocket).register_counters([sent.clone(), given_up.clone()]);
        let worker = Worker {
            database: managed::<Database>(&rocket),
            outbox,
            transport: settings.transport.clone().build(),
            settings,
            sent,
            given_up,
        };
        rocket.attach(Mailer(Mutex::new(State::Waiting(Box::new(worker)))))
    }))
}

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the metric's name is valid")
}

/// Runs the worker.
struct Mailer(Mutex<State>);

enum State {
    Waiting(Box<Worker>),
    Running(JoinHandle<()>),
    Ended,
}

impl Mailer {
    fn take(&self) -> State {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *state, State::Ended)
    }
}

#[rocket::async_trait]
impl Fairing for Mailer {
    fn info(&self) -> Info {
        Info {
            name: "mail",
            kind: Kind::Liftoff | Kind::Shutdown,
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        if let State::Waiting(worker) = self.take() {
            let task = rocket::tokio::spawn(worker.run(rocket.shutdown()));
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *state = State::Running(task);
        }
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        if let State::Running(task) = self.take() {
            let _ = timeout(FAREWELL, task).await;
        }
    }
}

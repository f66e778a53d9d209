//! The background tasks of event streams: one runs the tailer while there are subscribers, one closes expired streams.

use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::tokio::time::{Instant, sleep};
use rocket::{Build, Orbit, Rocket};

use crate::db::{Database, Error};
use crate::live::hub::Hub;
use crate::live::pace::{Pace, ROUND_INTERVAL};
use crate::live::tailer::Tailer;

/// Pause before the tailer starts again after an error, or looks for subscribers after the last one has left.
const RESTART_INTERVAL: Duration = Duration::from_millis(250);
/// Interval at which expired and stalled streams are closed.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// The pause between two rounds of the tailer; another one if Rocket manages it. Tests do, to see what is delivered
/// without a round.
#[derive(Clone, Copy, Debug)]
pub struct RoundInterval(pub Duration);

impl Default for RoundInterval {
    fn default() -> Self {
        Self(ROUND_INTERVAL)
    }
}

/// Runs the tailer for ever; without subscribers it waits for the first.
async fn tail_forever(hub: &Hub, database: &Database, interval: RoundInterval) {
    loop {
        if hub.registry().is_empty() {
            hub.registry().cursor = None;
            hub.subscriber_joined.notified().await;
        }
        if let Err(error) = tail(hub, database, interval).await {
            // The subscribers stay: the messages that they miss are delivered when the database is back.
            tracing::debug!("the tailer retries after an error: {error}");
        }
        sleep(RESTART_INTERVAL).await;
    }
}

/// Delivers new messages as long as there are subscribers.
async fn tail(
    hub: &Hub,
    database: &Database,
    RoundInterval(interval): RoundInterval,
) -> Result<(), Error> {
    // Set if an earlier tailer stopped on an error.
    let resume_at = hub.registry().cursor.clone();
    let mut tailer = Tailer::start(database, hub, resume_at).await?;
    let mut pace = Pace::new(Instant::now(), interval);
    loop {
        let reading = pace.next(database.event_commits()).await;
        let has_found = tailer.read(reading).await?;
        pace.finish(Instant::now(), has_found);
        if hub.registry().is_empty() {
            return Ok(());
        }
    }
}

/// Closes expired streams, whether or not their clients read and whether or not the database is available.
async fn sweep(hub: &Hub) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        hub.registry().close_due();
    }
}

#[rocket::async_trait]
impl Fairing for Hub {
    fn info(&self) -> Info {
        Info {
            name: "event streams",
            kind: Kind::Ignite | Kind::Liftoff,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.clone()))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let (shutdown, hub) = (rocket.shutdown(), self.clone());
        let interval = rocket.state::<RoundInterval>().copied().unwrap_or_default();
        let Some(database) = rocket.state::<Database>().cloned() else {
            return;
        };
        rocket::tokio::spawn(async move {
            rocket::tokio::select! {
                () = tail_forever(&hub, &database, interval) => {}
                () = sweep(&hub) => {}
                () = shutdown => {}
            }
        });
    }
}

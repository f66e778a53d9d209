//! The background tasks of event streams: one runs the tailer while there are subscribers, one closes expired streams.

use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::tokio::time::sleep;
use rocket::{Build, Orbit, Rocket};

use crate::db::{Database, Error};
use crate::live::hub::Hub;
use crate::live::tailer::Tailer;

/// Pause between two polls for new messages.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Interval at which expired and stalled streams are closed.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// Runs the tailer for ever; without subscribers it waits for the first.
async fn tail_forever(hub: &Hub, database: &Database) {
    loop {
        if hub.registry().is_empty() {
            hub.registry().cursor = None;
            hub.subscriber_joined.notified().await;
        }
        if let Err(error) = tail(hub, database).await {
            // The subscribers stay: the messages that they miss are delivered when the database is back.
            tracing::debug!("the tailer retries after an error: {error}");
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Delivers new messages as long as there are subscribers.
async fn tail(hub: &Hub, database: &Database) -> Result<(), Error> {
    // Set if an earlier tailer stopped on an error.
    let resume_at = hub.registry().cursor.clone();
    let mut tailer = Tailer::start(database, hub, resume_at).await?;
    loop {
        tailer.run_round().await?;
        if hub.registry().is_empty() {
            return Ok(());
        }
        sleep(POLL_INTERVAL).await;
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
        let Some(database) = rocket.state::<Database>().cloned() else {
            return;
        };
        rocket::tokio::spawn(async move {
            rocket::tokio::select! {
                () = tail_forever(&hub, &database) => {}
                () = sweep(&hub) => {}
                () = shutdown => {}
            }
        });
    }
}

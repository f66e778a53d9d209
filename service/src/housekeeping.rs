//! What is cleared away when nobody waits for it. Each replica does it, a little at a time: what one has done, another
//! one does not find.

use std::sync::Arc;
use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{sleep, timeout};
use rocket::{Build, Orbit, Rocket};

use crate::db::{Database, Error};
use crate::{messages, users};

/// Between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// Between two parts of a round, so that it never is what keeps the database busy.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a service that has not found its database yet looks whether it has.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The chores, done from the start to the end of the service.
#[derive(Clone, Default)]
pub(crate) struct Chores {
    reminder: Arc<Notify>,
}

impl Chores {
    /// Says that there is something to do now.
    pub(crate) fn remind(&self) {
        self.reminder.notify_one();
    }

    async fn keep_house(self, database: Database) {
        while !database.has_started() {
            sleep(START_UP_INTERVAL).await;
        }
        loop {
            if let Err(fault) = clear_up(&database).await {
                // Whoever waits for the database hears of it; here the next round does.
                tracing::debug!("housekeeping has to wait: {fault}");
            }
            let _ = timeout(INTERVAL, self.reminder.notified()).await;
        }
    }
}

#[rocket::async_trait]
impl Fairing for Chores {
    fn info(&self) -> Info {
        Info {
            name: "housekeeping",
            kind: Kind::Ignite | Kind::Liftoff,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.clone()))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let (shutdown, chores) = (rocket.shutdown(), self.clone());
        let Some(database) = rocket.state::<Database>().cloned() else {
            return;
        };
        rocket::tokio::spawn(async move {
            rocket::tokio::select! {
                () = chores.keep_house(database) => {}
                () = shutdown => {}
            }
        });
    }
}

async fn clear_up(database: &Database) -> Result<(), Error> {
    clear_away_departures(database).await?;
    while users::store::forget_revocations(database).await? {
        sleep(PAUSE).await;
    }
    while messages::store::delete_expired_keys(database).await? {
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Deletes what deleted accounts have sent.
async fn clear_away_departures(database: &Database) -> Result<(), Error> {
    let mut last = 0;
    while let Some(departure) = users::store::next_departure(database, last).await? {
        while messages::store::delete_messages_of(database, departure.user.into()).await? {
            sleep(PAUSE).await;
        }
        users::store::complete_departure(database, &departure).await?;
        last = departure.user;
    }
    Ok(())
}

//! What is cleared away when nobody waits for it. Each replica does it, a little at a time: what one has done, another
//! one does not find.

use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::tokio::time::sleep;

use crate::database::{Database, Error};
use crate::messages;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_mins(1);
/// Between two parts of a round, so that it never is what keeps the database busy.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a service that has not found its database yet looks whether it has.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// Does the chores from the start to the end of the service.
pub(crate) fn chores() -> AdHoc {
    AdHoc::on_liftoff("housekeeping", |rocket| {
        Box::pin(async move {
            let shutdown = rocket.shutdown();
            let Some(database) = rocket.state::<Database>().cloned() else {
                return;
            };
            rocket::tokio::spawn(async move {
                rocket::tokio::select! {
                    () = keep_house(&database) => {}
                    () = shutdown => {}
                }
            });
        })
    })
}

async fn keep_house(database: &Database) {
    while !database.has_started() {
        sleep(START_UP_INTERVAL).await;
    }
    loop {
        if let Err(fault) = forget_keys(database).await {
            // Whoever waits for the database hears of it; here the next round does.
            tracing::debug!("housekeeping has to wait: {fault}");
        }
        sleep(INTERVAL).await;
    }
}

async fn forget_keys(database: &Database) -> Result<(), Error> {
    while messages::store::forget_keys(database).await? {
        sleep(PAUSE).await;
    }
    Ok(())
}

//! The cleanup job of mails that were sent, and of codes that have expired.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::{PAUSE, Progress};
use crate::mail::store;

/// Deletes what neither limits nor requests need any more.
pub(super) fn outdated(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        while store::delete_sent(database).await? {
            sleep(PAUSE).await;
        }
        while store::delete_expired_codes(database).await? {
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
    .boxed()
}

//! The cleanup job of expired invitations.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::{PAUSE, Progress};
use crate::users::invitations::store;

/// Deletes invitations that have expired, used or not.
pub(crate) fn expired(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        while store::delete_expired(database).await? {
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
    .boxed()
}

//! The job that tells owners of unread messages.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::{PAUSE, Progress};
use crate::users::unread_notices::inboxes;

/// Looks at the inboxes that are due.
pub(super) fn notices(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        while inboxes::look_at_some(database).await? {
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
    .boxed()
}

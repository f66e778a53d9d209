//! What accounts leave behind.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::PAUSE;
use crate::users::store;

/// Deletes revocations that are older than any token.
pub(crate) fn revocations(database: &Database) -> BoxFuture<'_, Result<(), Error>> {
    async move {
        while store::forget_revocations(database).await? {
            sleep(PAUSE).await;
        }
        Ok(())
    }
    .boxed()
}

//! The cleanup job of mails that were sent, and of codes that have expired.

use rocket::futures::future::{BoxFuture, FutureExt as _};

use crate::db::{Database, Error};
use crate::jobs::{Progress, Turn};
use crate::mail::store;

/// Deletes what neither limits nor requests need any more.
pub(super) fn outdated(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        let turn = Turn::begin();
        match turn.run(|| store::delete_sent(database)).await? {
            Progress::Done => turn.run(|| store::delete_expired_codes(database)).await,
            Progress::Paused => Ok(Progress::Paused),
        }
    }
    .boxed()
}

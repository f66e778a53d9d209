//! Cleanup jobs: expired idempotency keys and changes, and messages and replies of deleted accounts.

use std::time::Duration;

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::{Instant, sleep};

use crate::db::{Database, Error};
use crate::jobs::{PAUSE, Progress};
use crate::messages::store;
use crate::model::user::UserId;
use crate::users;

/// Deletes idempotency keys that have expired.
pub(crate) fn idempotency_keys(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        while store::delete_expired_keys(database).await? {
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
    .boxed()
}

/// Deletes changes that event streams no longer tell.
pub(crate) fn changes(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        while store::delete_expired_changes(database).await? {
            sleep(PAUSE).await;
        }
        Ok(Progress::Done)
    }
    .boxed()
}

/// How long the job goes on with deleted accounts before it turns to other jobs, once it has deleted a batch of each: a
/// large account takes minutes.
const TURN: Duration = Duration::from_secs(5);

/// Deletes the messages that deleted accounts have sent, and what made others' messages replies for them.
pub(crate) fn sent_by_deleted_accounts(
    database: &Database,
) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        let end = Instant::now() + TURN;
        loop {
            match delete_batch_of_each(database).await? {
                Progress::Paused if Instant::now() < end => {}
                progress => return Ok(progress),
            }
        }
    }
    .boxed()
}

/// Deletes a batch of each account in turn, so that neither small accounts nor other jobs wait for all large ones.
async fn delete_batch_of_each(database: &Database) -> Result<Progress, Error> {
    let (mut last, mut progress) = (0, Progress::Done);
    while let Some(deletion) = users::cleanup::next_pending_deletion(database, last).await? {
        last = deletion.user;
        if delete_batch_of(database, last.into()).await? {
            progress = Progress::Paused;
        } else {
            users::cleanup::complete_deletion(database, &deletion).await?;
        }
        sleep(PAUSE).await;
    }
    Ok(progress)
}

/// Deletes some messages of a deleted account, or replies if it has none; returns whether there may be more.
async fn delete_batch_of(database: &Database, user: UserId) -> Result<bool, Error> {
    Ok(store::delete_messages_of(database, user).await?
        || store::delete_replies_of(database, user).await?)
}

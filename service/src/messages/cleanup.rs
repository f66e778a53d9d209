//! Cleanup jobs: expired idempotency keys and changes, and messages and replies of deleted accounts.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::{PAUSE, Progress, Turn};
use crate::messages::store;
use crate::model::user::UserId;
use crate::users;
use crate::users::cleanup::PendingDeletion;

/// Deletes idempotency keys that have expired.
pub(crate) fn idempotency_keys(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        Turn::begin()
            .run(|| store::delete_expired_keys(database))
            .await
    }
    .boxed()
}

/// Deletes changes that event streams no longer tell.
pub(crate) fn changes(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        Turn::begin()
            .run(|| store::delete_expired_changes(database))
            .await
    }
    .boxed()
}

/// Deletes the messages that deleted accounts have sent, and what made others' messages replies for them.
pub(crate) fn sent_by_deleted_accounts(
    database: &Database,
) -> BoxFuture<'_, Result<Progress, Error>> {
    async move {
        let turn = Turn::begin();
        loop {
            match delete_batch_of_each(database).await? {
                Progress::Paused if !turn.is_over() => {}
                progress => return Ok(progress),
            }
        }
    }
    .boxed()
}

/// Deletes a batch of each account in turn, so that neither small accounts nor other jobs wait for all large ones. One
/// that fails, such as while others hold locks, keeps the next ones waiting neither in this pass nor for the next.
async fn delete_batch_of_each(database: &Database) -> Result<Progress, Error> {
    let (mut last, mut progress, mut failure) = (0, Progress::Done, None);
    while let Some(deletion) = users::cleanup::next_pending_deletion(database, last).await? {
        last = deletion.user;
        match delete_batch_of(database, &deletion).await {
            Ok(Progress::Done) => {}
            Ok(Progress::Paused) => progress = Progress::Paused,
            Err(error) => failure = failure.or(Some(error)),
        }
        sleep(PAUSE).await;
    }
    match (progress, failure) {
        (Progress::Done, Some(error)) => Err(error),
        (progress, _) => Ok(progress),
    }
}

/// Deletes some messages of a deleted account, or replies or blocks if it has none; completes the deletion after the
/// last.
async fn delete_batch_of(
    database: &Database,
    deletion: &PendingDeletion,
) -> Result<Progress, Error> {
    let user = UserId::from(deletion.user);
    if store::delete_messages_of(database, user).await?
        || store::delete_replies_of(database, user).await?
        || users::cleanup::delete_blocks_of(database, user).await?
    {
        return Ok(Progress::Paused);
    }
    users::cleanup::complete_deletion(database, deletion).await?;
    Ok(Progress::Done)
}

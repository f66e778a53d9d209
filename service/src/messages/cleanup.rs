//! Cleanup jobs: expired idempotency keys and changes, and messages and replies of deleted accounts.

use rocket::futures::future::{BoxFuture, FutureExt as _};
use rocket::tokio::time::sleep;

use crate::db::{Database, Error};
use crate::jobs::PAUSE;
use crate::messages::store;
use crate::users;

/// Deletes idempotency keys that have expired.
pub(crate) fn idempotency_keys(database: &Database) -> BoxFuture<'_, Result<(), Error>> {
    async move {
        while store::delete_expired_keys(database).await? {
            sleep(PAUSE).await;
        }
        Ok(())
    }
    .boxed()
}

/// Deletes changes that event streams no longer tell.
pub(crate) fn changes(database: &Database) -> BoxFuture<'_, Result<(), Error>> {
    async move {
        while store::delete_expired_changes(database).await? {
            sleep(PAUSE).await;
        }
        Ok(())
    }
    .boxed()
}

/// Deletes the messages that deleted accounts have sent, and what made others' messages replies for them.
pub(crate) fn sent_by_deleted_accounts(database: &Database) -> BoxFuture<'_, Result<(), Error>> {
    async move {
        let mut last = 0;
        while let Some(deletion) = users::cleanup::next_pending_deletion(database, last).await? {
            while store::delete_messages_of(database, deletion.user.into()).await? {
                sleep(PAUSE).await;
            }
            while store::delete_replies_of(database, deletion.user.into()).await? {
                sleep(PAUSE).await;
            }
            users::cleanup::complete_deletion(database, &deletion).await?;
            last = deletion.user;
        }
        Ok(())
    }
    .boxed()
}

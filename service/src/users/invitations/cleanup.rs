//! The cleanup job of expired invitations.

use rocket::futures::future::{BoxFuture, FutureExt as _};

use crate::db::{Database, Error};
use crate::jobs::{Progress, Turn};
use crate::users::invitations::store;

/// Deletes invitations that have expired, used or not.
pub(crate) fn expired(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move { Turn::begin().run(|| store::delete_expired(database)).await }.boxed()
}

//! The job that tells owners of unread messages.

use rocket::futures::future::{BoxFuture, FutureExt as _};

use crate::db::{Database, Error};
use crate::jobs::{Progress, Turn};
use crate::users::unread_notices::inboxes;

/// Looks at the inboxes that are due.
pub(super) fn notices(database: &Database) -> BoxFuture<'_, Result<Progress, Error>> {
    async move { Turn::begin().run(|| inboxes::look_at_some(database)).await }.boxed()
}

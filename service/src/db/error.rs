//! The errors of the database, as the stores return them, and the timeout of a unit of work.

use std::time::Duration;

/// The timeout of one unit of work, including the wait for a connection and retries, and the time budget of a request
/// for all of its units of work.
pub(super) const DEADLINE: Duration = Duration::from_millis(2_500);

/// The reason why a unit of work failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database is unavailable or overloaded. The outcome of a write is unknown.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database is empty, because it was not migrated yet.
    #[error("the database has no schema: run `herolo migrate`")]
    NoSchema,
    /// The row violates a unique key.
    #[error("the row exists already")]
    Duplicate,
    /// Any other error, which is a defect of the service.
    #[error("the database refused a statement: {0}")]
    Broken(sqlx::Error),
}

impl Error {
    /// The same error for another waiter of the same batch.
    pub(super) fn duplicate_for_waiter(&self) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Unavailable(reason.clone()),
            Self::NoSchema => Self::NoSchema,
            Self::Duplicate => Self::Duplicate,
            Self::Broken(error) => Self::Broken(sqlx::Error::Protocol(error.to_string())),
        }
    }
}

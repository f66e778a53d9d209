//! Why the database did not do what it was asked for, as the features see it, and how long it is given.

use std::time::Duration;

/// The timeout of one unit of work, including the wait for a connection and retries.
pub(super) const DEADLINE: Duration = Duration::from_millis(2_500);

/// Why a unit of work on the database did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database is away or overloaded. Whether a write took effect is then unknown.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database is there and empty: it was not migrated yet.
    #[error("the database has no schema: run `herolo migrate`")]
    NoSchema,
    /// A unique key refused the row.
    #[error("the row exists already")]
    Duplicate,
    /// Anything else: a fault of ours.
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
            Self::Broken(fault) => Self::Broken(sqlx::Error::Protocol(fault.to_string())),
        }
    }
}

//! The database as the stores use it: units of work with a timeout and retries, and the readiness check.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::tokio::time::{Instant, sleep, timeout_at};
use sqlx::{MySql, Transaction};

use crate::db::commit_signal::CommitSignal;
use crate::db::error::Error;
use crate::db::error_codes::{
    breaks_connection, is_duplicate, is_missing_table, is_retryable, is_unavailable,
};
use crate::db::migrate::schema_version;
use crate::db::pool::{ACQUIRE_TIMEOUT, Pool, PooledConnection};
use crate::db::time_budget::{DatabaseWait, spent};

/// Attempts of a transaction that MySQL rolls back because of a deadlock or a lock wait timeout.
const MAX_ATTEMPTS: u32 = 4;

/// Runs one unit of work, a statement or a transaction, on one connection and within the time budget of its request:
/// `with_connection!(database, |connection| ...)`, where `...` may await. It is retried if MySQL rolled it back because
/// of a deadlock or a lock wait timeout, so it must have no effects outside the database.
///
/// A macro, because the compiler cannot yet prove that an async closure which borrows may move between threads.
macro_rules! with_connection {
    ($database:expr, |$connection:ident| $work:expr) => {
        async {
            let mut unit = $database.begin();
            loop {
                let mut pooled = unit.connect().await?;
                let $connection: &mut sqlx::mysql::MySqlConnection = &mut pooled;
                let outcome = unit.bounded(async { $work }).await;
                if let Some(outcome) = unit.finish_attempt(pooled, outcome).await {
                    break outcome;
                }
            }
        }
        .await
    };
}
pub(crate) use with_connection;

/// The database as the stores use it; clones share its connections.
#[derive(Clone, rocket_db_pools::Database)]
#[database("mysql")]
pub(crate) struct Database(Pool);

impl Database {
    /// Begins a unit of work; see [`with_connection`].
    pub(crate) fn begin(&self) -> UnitOfWork<'_> {
        UnitOfWork {
            database: self,
            wait: DatabaseWait::begin(),
            attempt: 1,
        }
    }

    /// Commits a transaction that has sent, marked or deleted messages, and wakes the tailer of this replica, so that
    /// its event streams tell it without delay. The tailers of other replicas find it when they read next; so does this
    /// one if the commit is completed but not confirmed.
    pub(crate) async fn commit_events(
        &self,
        transaction: Transaction<'_, MySql>,
    ) -> sqlx::Result<()> {
        transaction.commit().await?;
        self.0.event_commits.notify();
        Ok(())
    }

    /// The signal of [`Self::commit_events`].
    pub(crate) fn event_commits(&self) -> &CommitSignal {
        &self.0.event_commits
    }

    fn classify(&self, error: sqlx::Error) -> Error {
        match error {
            error if is_duplicate(&error) => Error::Duplicate,
            error if is_unavailable(&error) => Error::Unavailable(error.to_string()),
            error if is_missing_table(&error) && !self.has_started() => Error::NoSchema,
            error => Error::Broken(error),
        }
    }

    /// The error for the acquire timeout, or the end of the request's time. The pool retries a refused connection until
    /// then, without a more specific error.
    fn acquire_timeout_message(&self) -> String {
        let address = self.0.address();
        format!("no connection to {address} was free or could be opened in time")
    }

    /// Checks that the database is available, with a schema that this version supports.
    pub(crate) async fn check(&self) -> Result<(), Unready> {
        self.check_schema().await?;
        self.0.started.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn check_schema(&self) -> Result<(), Unready> {
        let expected = schema_version();
        match self
            .applied_version()
            .await
            .map_err(|error| Unready::Unavailable(error.to_string()))?
        {
            found if found >= expected => Ok(()),
            found => Err(Unready::OldSchema { found, expected }),
        }
    }

    /// The version of the newest migration that was applied; 0 for none.
    async fn applied_version(&self) -> Result<i64, Error> {
        let found = with_connection!(self, |connection| {
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(connection)
                .await
        });
        match found {
            Ok(version) => Ok(Option::unwrap_or(version, 0)),
            Err(Error::Broken(error)) if is_missing_table(&error) => Ok(0),
            Err(Error::NoSchema) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Whether [`Self::check`] has succeeded since this process started.
    pub(crate) fn has_started(&self) -> bool {
        self.0.started.load(Ordering::Relaxed)
    }

    /// The number of open connections, and of idle ones among them.
    pub(crate) fn connections(&self) -> (usize, usize) {
        self.0.connections()
    }

    /// Closes idle connections for as long as the service runs.
    pub(crate) async fn close_idle_connections(&self) {
        self.0.close_idle_connections().await;
    }
}

/// A statement or a transaction, with the time that it may take and the number of attempts.
pub(crate) struct UnitOfWork<'a> {
    database: &'a Database,
    wait: DatabaseWait,
    attempt: u32,
}

impl UnitOfWork<'_> {
    /// Acquires a connection from the pool. Every failure means that the database is unavailable to clients, also a
    /// wrong password, which only the operator can fix.
    pub(crate) async fn connect(&self) -> Result<PooledConnection, Error> {
        if self.wait.is_over() {
            return Err(spent());
        }
        let deadline = self.wait.deadline().min(Instant::now() + ACQUIRE_TIMEOUT);
        match timeout_at(deadline, self.database.0.acquire()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Error::Unavailable(error.to_string())),
            Err(_) => Err(Error::Unavailable(self.database.acquire_timeout_message())),
        }
    }

    /// Runs the work until the deadline.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        timeout_at(self.wait.deadline(), work)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    /// The result for the caller; `None` if the work has to be retried.
    pub(crate) async fn finish_attempt<T>(
        &mut self,
        connection: PooledConnection,
        outcome: sqlx::Result<T>,
    ) -> Option<Result<T, Error>> {
        let error = match outcome {
            Ok(value) => {
                connection.release();
                return Some(Ok(value));
            }
            Err(error) => error,
        };
        if is_retryable(&error) && self.attempt < MAX_ATTEMPTS {
            tracing::debug!(attempt = self.attempt, "retrying: {error}");
            connection.release();
            sleep(jitter(self.attempt)).await;
            self.attempt += 1;
            return None;
        }
        // A connection with an unfinished statement would occupy the pool until its TCP timeout, and one to a read-only
        // replica would fail every write until it is renewed.
        if breaks_connection(&error) {
            drop(connection);
        } else {
            connection.release();
        }
        Some(Err(self.database.classify(error)))
    }
}

/// The reason why the service is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unready {
    /// The database did not respond in time, or rejected the connection.
    #[error("{0}")]
    Unavailable(String),
    /// The schema is older than this version needs.
    #[error(
        "the schema is at version {found}, this version needs {expected}: run `herolo migrate`"
    )]
    OldSchema {
        /// The version of the newest migration that was applied; 0 for none.
        found: i64,
        /// The version of the newest migration of this release.
        expected: i64,
    },
}

/// Up to 20, 40, 60 ms, so that transactions that deadlocked do not collide again.
fn jitter(attempt: u32) -> Duration {
    Duration::from_millis(rand::random_range(1..=20 * u64::from(attempt)))
}

//! The database as the stores use it: units of work with a timeout and retries, and the readiness check.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::tokio::time::{Instant, sleep, timeout_at};

use crate::db::error::{DEADLINE, Error};
use crate::db::faults::{is_away, is_no_table, is_to_be_tried_again, spoils_connection};
use crate::db::migrate::schema_version;
use crate::db::pool::{ACQUIRE_TIMEOUT, Pool, PooledConnection};

/// How often a transaction that MySQL rolled back for a deadlock or a lock wait is tried.
const ATTEMPTS: u32 = 4;

/// Runs one unit of work, a statement or a transaction, on one connection and within [`DEADLINE`]:
/// `with_connection!(database, |connection| ...)`, where `...` may await. It is retried if MySQL rolled it back for a
/// deadlock or a lock wait timeout, so it must have no effects outside the database.
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
            deadline: Instant::now() + DEADLINE,
            attempt: 1,
        }
    }

    fn classify(&self, fault: sqlx::Error) -> Error {
        match &fault {
            sqlx::Error::Database(server) if server.is_unique_violation() => Error::Duplicate,
            _ if is_away(&fault) => Error::Unavailable(fault.to_string()),
            _ if is_no_table(&fault) && !self.has_started() => Error::NoSchema,
            _ => Error::Broken(fault),
        }
    }

    /// The pool tries a server that refuses again and again, and then knows only that the time is over.
    fn no_connection(&self) -> String {
        format!(
            "no connection to {} was free or could be opened within {} s",
            self.0.address(),
            ACQUIRE_TIMEOUT.as_secs()
        )
    }

    /// Whether the database is there with a schema that this version can work on.
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
            .map_err(|fault| Unready::Away(fault.to_string()))?
        {
            found if found >= expected => Ok(()),
            found => Err(Unready::OldSchema { found, expected }),
        }
    }

    /// The newest migration that was applied; 0 for none.
    async fn applied_version(&self) -> Result<i64, Error> {
        let found = with_connection!(self, |connection| {
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(connection)
                .await
        });
        match found {
            Ok(version) => Ok(Option::unwrap_or(version, 0)),
            Err(Error::Broken(fault)) if is_no_table(&fault) => Ok(0),
            Err(Error::NoSchema) => Ok(0),
            Err(fault) => Err(fault),
        }
    }

    /// Whether the database has been there with the right schema since this process began.
    pub(crate) fn has_started(&self) -> bool {
        self.0.started.load(Ordering::Relaxed)
    }

    /// Open connections and those of them that rest, for the metrics.
    pub(crate) fn connections(&self) -> (usize, usize) {
        self.0.connections()
    }

    /// Closes connections that nobody needed for a while, as long as the service runs.
    pub(crate) async fn close_idle_connections(&self) {
        self.0.close_idle_connections().await;
    }
}

/// One statement or one transaction, with its deadline and what was tried so far.
pub(crate) struct UnitOfWork<'a> {
    database: &'a Database,
    deadline: Instant,
    attempt: u32,
}

impl UnitOfWork<'_> {
    /// A connection of the pool. Whatever keeps it from opening, a wrong password too, is the operator's to mend, and
    /// to a caller the database is away.
    pub(crate) async fn connect(&self) -> Result<PooledConnection, Error> {
        let deadline = self.deadline.min(Instant::now() + ACQUIRE_TIMEOUT);
        match timeout_at(deadline, self.database.0.acquire()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(fault)) => Err(Error::Unavailable(fault.to_string())),
            Err(_) => Err(Error::Unavailable(self.database.no_connection())),
        }
    }

    /// The outcome of the work, or that it took too long.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        timeout_at(self.deadline, work)
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    /// The outcome for the caller, or `None` if the work has to be done again.
    pub(crate) async fn finish_attempt<T>(
        &mut self,
        connection: PooledConnection,
        outcome: sqlx::Result<T>,
    ) -> Option<Result<T, Error>> {
        let fault = match outcome {
            Ok(value) => {
                connection.release();
                return Some(Ok(value));
            }
            Err(fault) => fault,
        };
        if is_to_be_tried_again(&fault) && self.attempt < ATTEMPTS {
            tracing::debug!(attempt = self.attempt, "trying again: {fault}");
            connection.release();
            sleep(jitter(self.attempt)).await;
            self.attempt += 1;
            return None;
        }
        // A connection that was left in the middle of a statement would hold its place in the pool until the
        // network gives up on it, and one to a read-only replica would fail every write until it is renewed.
        if spoils_connection(&fault) {
            drop(connection);
        } else {
            connection.release();
        }
        Some(Err(self.database.classify(fault)))
    }
}

/// Why the service should not get requests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unready {
    /// No answer in time, or a refusal.
    #[error("{0}")]
    Away(String),
    /// The schema is older than this version needs.
    #[error(
        "the schema is at version {found}, this version needs {expected}: run `herolo migrate`"
    )]
    OldSchema {
        /// The newest migration that was applied; 0 for none.
        found: i64,
        /// The newest migration that this version knows.
        expected: i64,
    },
}

/// Up to 20, 40, 60 ms: those who deadlocked must not meet again.
fn jitter(attempt: u32) -> Duration {
    Duration::from_millis(rand::random_range(1..=20 * u64::from(attempt)))
}

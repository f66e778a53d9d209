//! The connection pool, with a deadline on everything, the retries that MySQL asks for, and the schema's migrations.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::tokio::time::{Instant, sleep, timeout, timeout_at};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

pub(crate) use self::batch::{
    Batch, BatchLimits, BatchOutcome, Batcher, MAX_BATCH, run_individually, unless_locked,
};
pub(crate) use self::fairing::stage;
pub(crate) use self::faults::is_locked;
use self::faults::{
    is_away, is_lock_wait, is_no_table, is_to_be_tried_again, is_untrusted, spoils_connection,
};
use self::pool::{ACQUIRE_TIMEOUT, Pool, PooledConnection};
pub(crate) use self::statement::{SizedStatement, placeholders, sized_statement};

use crate::config::ConfigError;

mod batch;
mod fairing;
mod faults;
mod pool;
mod statement;

/// The whole of one unit of work, waiting for a connection and retries included.
const DEADLINE: Duration = Duration::from_millis(2_500);
/// How often a transaction that MySQL rolled back for a deadlock or a lock wait is tried.
const ATTEMPTS: u32 = 4;
/// How long `herolo migrate` may run, waiting for another migration included.
const MIGRATION_DEADLINE: Duration = Duration::from_mins(30);

/// Version, name and SQL of each migration, as build.rs has listed them.
const MIGRATIONS: &[(i64, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Not `sqlx::migrate!`: sqlx's macros compile the driver, TLS and the async runtime twice.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
});

/// Does one unit of work, a statement or a transaction, on one connection and within the deadline:
/// `with_connection!(database, |connection| ...)`, where `...` may await. It is done again where MySQL rolled it back
/// for a deadlock or a lock wait, so it must have no effects outside the database.
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
    fn duplicate_for_waiter(&self) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Unavailable(reason.clone()),
            Self::NoSchema => Self::NoSchema,
            Self::Duplicate => Self::Duplicate,
            Self::Broken(fault) => Self::Broken(sqlx::Error::Protocol(fault.to_string())),
        }
    }
}

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

fn schema_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Up to 20, 40, 60 ms: those who deadlocked must not meet again.
fn jitter(attempt: u32) -> Duration {
    Duration::from_millis(rand::random_range(1..=20 * u64::from(attempt)))
}

/// Why the schema could not be brought to this version. Its text says how to go on.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot be reached with these settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody answered in time.
    #[error("no database at {address} within {} s: {fault}", patience.as_secs())]
    Away {
        /// Host and port.
        address: String,
        /// How long it was waited for.
        patience: Duration,
        /// What came of the last attempt.
        fault: String,
    },
    /// The database answered with a refusal, such as a wrong password.
    #[error("the database refuses the connection: {0}")]
    Refused(sqlx::Error),
    /// An earlier run was killed in the middle of this migration.
    #[error(
        "migration {0} was cut off half-way. Each migration is one statement that may be repeated: delete its row \
         (DELETE FROM _sqlx_migrations WHERE version = {0}) and run `herolo migrate` again"
    )]
    CutOff(i64),
    /// A statement failed, or an applied migration is not the one that this version knows.
    #[error("the migration failed: {0}")]
    Failed(MigrateError),
    /// Somebody else holds a lock.
    #[error("the migration did not end in time; SHOW PROCESSLIST tells what it waits for")]
    TooLong,
}

/// Brings the schema to this version. Safe to repeat, and at the same time as another run: one waits.
pub(crate) async fn migrate(
    options: &MySqlConnectOptions,
    patience: Duration,
) -> Result<(), MigrationError> {
    let pool = connect_patiently(options, patience).await?;
    match timeout(MIGRATION_DEADLINE, migrator().run(&pool)).await {
        Ok(Ok(())) => tracing::info!("the schema is at version {}", schema_version()),
        Ok(Err(MigrateError::Dirty(version))) => return Err(MigrationError::CutOff(version)),
        Ok(Err(fault)) => return Err(MigrationError::Failed(fault)),
        Err(_) => return Err(MigrationError::TooLong),
    }
    pool.close().await;
    Ok(())
}

/// An older version must not stumble over the migrations of a newer one: that is what makes a rollback possible.
fn migrator() -> Migrator {
    let mut migrator = Migrator {
        migrations: MIGRATOR.migrations.clone(),
        ..Migrator::DEFAULT
    };
    migrator.set_ignore_missing(true);
    migrator
}

async fn connect_patiently(
    options: &MySqlConnectOptions,
    patience: Duration,
) -> Result<MySqlPool, MigrationError> {
    let deadline = Instant::now() + patience;
    loop {
        let pool = MySqlPoolOptions::new().max_connections(1);
        let fault = match timeout(ACQUIRE_TIMEOUT, pool.connect_with(options.clone())).await {
            Ok(Ok(pool)) => return Ok(pool),
            Ok(Err(fault)) if !is_away(&fault) || is_untrusted(&fault) => {
                return Err(MigrationError::Refused(fault));
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() > deadline {
            let address = format!("{}:{}", options.get_host(), options.get_port());
            return Err(MigrationError::Away {
                address,
                patience,
                fault,
            });
        }
        tracing::info!("waiting for the database: {fault}");
        sleep(Duration::from_secs(1)).await;
    }
}

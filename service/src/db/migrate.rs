//! The migrations of the schema.

use std::sync::LazyLock;
use std::time::Duration;

use rocket::tokio::time::{Instant, sleep, timeout};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

use crate::config::ConfigError;
use crate::db::error_codes::{is_tls_failure, is_unavailable};
use crate::db::pool::ACQUIRE_TIMEOUT;

/// The timeout of `herolo migrate`, including the wait for a concurrent run.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(30);

/// Version, name and SQL of each migration, from build.rs.
const MIGRATIONS: &[(i64, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Not `sqlx::migrate!`: sqlx's macros compile the driver, TLS and the async runtime twice.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
});

/// The schema version of this release.
pub(super) fn schema_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The reason why a migration failed. The text includes the fix.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database URL is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database did not become available in time.
    #[error("no database at {address} within {} s: {error}", wait.as_secs())]
    Unavailable {
        /// Host and port.
        address: String,
        /// The maximum wait.
        wait: Duration,
        /// The error of the last attempt.
        error: String,
    },
    /// The database rejected the connection, such as for a wrong password.
    #[error("the database refuses the connection: {0}")]
    Refused(sqlx::Error),
    /// An earlier run was killed during this migration.
    #[error(
        "migration {0} was interrupted. Each migration is a single statement that can be repeated: delete its row \
         (DELETE FROM _sqlx_migrations WHERE version = {0}) and run `herolo migrate` again"
    )]
    Interrupted(i64),
    /// A statement failed, or an applied migration differs from the one of this release.
    #[error("the migration failed: {0}")]
    Failed(MigrateError),
    /// Another session holds a lock.
    #[error("the migration timed out; SHOW PROCESSLIST shows which session blocks it")]
    TimedOut,
}

/// Migrates the schema to this version. Safe to repeat; of concurrent runs, one waits for the other.
pub(crate) async fn migrate(
    options: &MySqlConnectOptions,
    wait: Duration,
) -> Result<(), MigrationError> {
    let pool = connect(options, wait).await?;
    match timeout(MIGRATION_TIMEOUT, migrator().run(&pool)).await {
        Ok(Ok(())) => tracing::info!("the schema is at version {}", schema_version()),
        Ok(Err(MigrateError::Dirty(version))) => return Err(MigrationError::Interrupted(version)),
        Ok(Err(error)) => return Err(MigrationError::Failed(error)),
        Err(_) => return Err(MigrationError::TimedOut),
    }
    pool.close().await;
    Ok(())
}

/// Ignores migrations of newer releases, which makes rollbacks possible.
fn migrator() -> Migrator {
    let mut migrator = Migrator {
        migrations: MIGRATOR.migrations.clone(),
        ..Migrator::DEFAULT
    };
    migrator.set_ignore_missing(true);
    migrator
}

/// Connects to the database, and retries for as long as `wait` while it is unavailable.
async fn connect(
    options: &MySqlConnectOptions,
    wait: Duration,
) -> Result<MySqlPool, MigrationError> {
    let deadline = Instant::now() + wait;
    loop {
        let pool = MySqlPoolOptions::new().max_connections(1);
        let error = match timeout(ACQUIRE_TIMEOUT, pool.connect_with(options.clone())).await {
            Ok(Ok(pool)) => return Ok(pool),
            Ok(Err(error)) if !is_unavailable(&error) || is_tls_failure(&error) => {
                return Err(MigrationError::Refused(error));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no response".to_owned(),
        };
        if Instant::now() > deadline {
            let address = format!("{}:{}", options.get_host(), options.get_port());
            return Err(MigrationError::Unavailable {
                address,
                wait,
                error,
            });
        }
        tracing::info!("waiting for the database: {error}");
        sleep(Duration::from_secs(1)).await;
    }
}

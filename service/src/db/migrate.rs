//! The migrations of the schema.

use std::sync::LazyLock;
use std::time::Duration;

use rocket::tokio::time::{Instant, sleep, timeout};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

use crate::config::ConfigError;
use crate::db::faults::{is_away, is_untrusted};
use crate::db::pool::ACQUIRE_TIMEOUT;

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

/// The version that the migrations lead to.
pub(super) fn schema_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
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

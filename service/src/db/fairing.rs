//! Attaches the database to Rocket.

use rocket::fairing::{self, Fairing, Info};
use rocket::figment::Figment;
use rocket::{Build, Orbit, Rocket};
use rocket_db_pools::{Database as _, Initializer, Pool as _};
use sqlx::mysql::MySqlConnectOptions;

use crate::config::{Config, ConfigError};
use crate::db::database::{Database, Unready};
use crate::db::pool::{Pool, PoolSettings};

/// Attaches the [`Database`], which opens its first connection when a request needs it.
///
/// # Errors
/// The database URL is invalid.
pub(crate) fn stage(config: &Config) -> Result<impl Fairing, ConfigError> {
    Ok(Attach {
        settings: PoolSettings {
            options: config.connect_options()?,
            max_connections: config.database_max_connections,
        },
        initializer: Database::init(),
    })
}

/// Opens the [`Database`] without Rocket, for commands, and checks its schema.
///
/// # Errors
/// The database is unavailable, or its schema is older than this version needs.
pub(crate) async fn open(options: MySqlConnectOptions) -> Result<Database, Unready> {
    let settings = PoolSettings {
        options,
        max_connections: 1,
    };
    let pool = settings.provide(Pool::init(&Figment::new())).await;
    let pool = pool.map_err(|error| Unready::Unavailable(error.to_string()))?;
    let database = Database::from(pool);
    database.check().await?;
    Ok(database)
}

/// The initializer of `rocket_db_pools`, and the settings, which it does not read from Rocket's figment.
struct Attach {
    settings: PoolSettings,
    initializer: Initializer<Database>,
}

#[rocket::async_trait]
impl Fairing for Attach {
    fn info(&self) -> Info {
        self.initializer.info()
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let initialization = self.initializer.on_ignite(rocket);
        self.settings.provide(initialization).await
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        self.initializer.on_shutdown(rocket).await;
    }
}

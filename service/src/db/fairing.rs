//! How the database is attached to Rocket.

use rocket::fairing::{self, Fairing, Info};
use rocket::{Build, Orbit, Rocket};
use rocket_db_pools::{Database as _, Initializer};

use super::Database;
use super::pool::PoolSettings;
use crate::config::{Config, ConfigError};

/// Attaches the [`Database`], which opens no connection before the first is needed.
///
/// # Errors
/// The database's URL cannot be used.
pub(crate) fn stage(config: &Config) -> Result<impl Fairing, ConfigError> {
    Ok(Attach {
        settings: PoolSettings {
            options: config.connect_options()?,
            max_connections: config.database_max_connections,
        },
        initializer: Database::init(),
    })
}

/// The initializer of `rocket_db_pools`, with the settings that it does not find in Rocket's figment.
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
        let manages = self.initializer.on_ignite(rocket);
        self.settings.provide(manages).await
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        self.initializer.on_shutdown(rocket).await;
    }
}

//! The composition root: the only file that depends on all features.

use std::time::Duration;

use rocket::{
    Build, Config as RocketConfig, Rocket, config::LogLevel, config::Shutdown, figment::Figment,
    shield::Shield,
};

use crate::config::{Config, ConfigError};
use crate::db::MigrationError;
use crate::http::framework_log;
use crate::ops::{drain, metrics, probes};
use crate::{auth, db, export, http, jobs, limits, live, mail, messages, pages, users};

/// Builds the service, for the binary and for the tests.
///
/// Opens no connection, so the service starts while the database is unavailable, and recovers when it is back.
///
/// # Errors
/// An invalid setting, with the fix, or a cryptographic backend that does not work.
pub fn build(config: &Config) -> Result<Rocket<Build>, ConfigError> {
    framework_log::install();
    // A stage can use the state that earlier stages manage. Fairings handle requests in this order.
    Ok(rocket::custom(rocket_settings(config))
        // An empty shield: `http` sets the security headers, and Rocket's default shield would set other values first.
        .attach(Shield::new())
        .attach(db::stage(config)?)
        .attach(metrics::stage())
        .attach(http::stage(config)?)
        .attach(drain::stage(config))
        .attach(probes::stage())
        .attach(jobs::stage())
        .attach(mail::stage(config)?)
        .attach(auth::stage(config)?)
        .attach(limits::stage(config)?)
        .attach(users::stage(config)?)
        .attach(users::invitations::stage(config))
        .attach(users::blocks::stage())
        .attach(users::emails::stage())
        .attach(users::password_resets::stage())
        .attach(users::unread_notices::stage())
        .attach(messages::stage())
        .attach(live::stage())
        .attach(export::stage())
        .attach(crate::openapi::stage())
        .attach(pages::stage(config)))
}

/// Migrates the database schema to this version. Safe to repeat, also concurrently with another run. Waits up to `wait`
/// for a database that is not available yet.
///
/// # Errors
/// The cause, with the fix.
pub async fn migrate(config: &Config, wait: Duration) -> Result<(), MigrationError> {
    db::migrate(&config.connect_options()?, wait).await
}

/// The OpenAPI 3.1 document of the API, as pretty-printed JSON.
#[must_use]
pub fn openapi() -> String {
    crate::openapi::document().to_owned()
}

/// Rocket's own settings. They are constants, because no operator has to change them.
fn rocket_settings(config: &Config) -> Figment {
    Figment::from(RocketConfig {
        address: config.address,
        port: config.port,
        ident: rocket::config::Ident::none(),
        // Without a timeout: if the server closed idle connections, it could close one to which the client is just
        // sending a request. For HTTP/1.1, Rocket distinguishes only 0 and any other value.
        keep_alive: 1,
        // `ops::drain` handles signals, because the drain precedes Rocket's shutdown.
        shutdown: Shutdown {
            ctrlc: false,
            #[cfg(unix)]
            signals: std::collections::HashSet::new(),
            grace: 15,
            mercy: 3,
            ..Shutdown::default()
        },
        // `ops::metrics` logs requests.
        log_level: LogLevel::Off,
        cli_colors: false,
        ..RocketConfig::release_default()
    })
}

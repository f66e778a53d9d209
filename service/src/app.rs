//! The composition root: the only file that knows all others.

use std::time::Duration;

use rocket::{
    Build, Config as RocketConfig, Rocket, config::LogLevel, config::Shutdown, figment::Figment,
    shield::Shield,
};

use crate::config::{Config, ConfigError};
use crate::db::MigrationError;
use crate::http::framework_log;
use crate::ops::{drain, metrics, probes};
use crate::{auth, db, export, http, jobs, limits, live, messages, pages, users};

/// Puts the service together: the one way in which the binary and every test boot it.
///
/// Opens no connection yet: a service whose database is away starts and heals when the database comes back.
///
/// # Errors
/// A setting that cannot be used, named together with the fix; or a cryptographic backend that does not work.
pub fn build(config: &Config) -> Result<Rocket<Build>, ConfigError> {
    framework_log::install();
    // A stage may use what those before it manage. Fairings see requests in this order.
    Ok(rocket::custom(rocket_settings(config))
        // Ours say it all; Rocket's would come first and say less.
        .attach(Shield::new())
        .attach(db::stage(config)?)
        .attach(metrics::stage())
        .attach(http::stage(config)?)
        .attach(drain::stage(config))
        .attach(probes::stage())
        .attach(jobs::stage())
        .attach(auth::stage(config)?)
        .attach(limits::stage(config)?)
        .attach(users::stage())
        .attach(messages::stage())
        .attach(live::stage())
        .attach(export::stage())
        .attach(crate::openapi::stage())
        .attach(pages::stage(config)))
}

/// Brings the database's schema to this version; safe to repeat, and at the same time as another run. A database that
/// is not there is waited for as long as the patience lasts.
///
/// # Errors
/// What is wrong and how to go on.
pub async fn migrate(config: &Config, patience: Duration) -> Result<(), MigrationError> {
    db::migrate(&config.connect_options()?, patience).await
}

/// The OpenAPI 3.1 document of the service's interface, as pretty-printed JSON.
#[must_use]
pub fn openapi() -> String {
    crate::openapi::document().to_owned()
}

/// Rocket's own settings. They are the product's decisions rather than the operator's, hence constants.
fn rocket_settings(config: &Config) -> Figment {
    Figment::from(RocketConfig {
        address: config.address,
        port: config.port,
        ident: rocket::config::Ident::none(),
        // On, and without an end: the side that sends requests must be the one to close an idle connection, or a
        // request meets a connection that is just being closed. To HTTP/1.1 Rocket only knows 0 and not 0.
        keep_alive: 1,
        // Signals are ours, because draining must go before Rocket's shutdown (see `ops::drain`).
        shutdown: Shutdown {
            ctrlc: false,
            #[cfg(unix)]
            signals: std::collections::HashSet::new(),
            grace: 15,
            mercy: 3,
            ..Shutdown::default()
        },
        // What Rocket would print per request, our own telemetry says better.
        log_level: LogLevel::Off,
        cli_colors: false,
        ..RocketConfig::release_default()
    })
}

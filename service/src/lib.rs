//! Herolo: a messaging service over REST, with its data in MySQL.
//!
//! Reading order: [`build`] puts the service together; `users` and `messages` hold what it is about, each with
//! `routes` (HTTP), `store` (SQL) and `model` (valid values); `auth` says who may call, `database` how long a
//! statement may take and what is tried again, `problem` what every error looks like.

mod auth;
mod body;
mod budget;
pub mod cli;
mod conditional;
pub mod config;
mod database;
mod export;
mod framework;
mod headers;
mod health;
mod housekeeping;
mod limits;
mod live;
mod messages;
mod openapi;
mod pages;
mod pieces;
mod problem;
mod readable;
mod shutdown;
mod sockets;
mod telemetry;
mod unicode;
mod users;

use std::time::Duration;

use rocket::{
    Build, Config as RocketConfig, Rocket, config::LogLevel, config::Shutdown, figment::Figment,
    shield::Shield,
};

use crate::auth::{Identities, Passwords, TokenKeys};
use crate::budget::Budget;
pub use crate::config::{Config, ConfigError};
use crate::database::Database;
pub use crate::database::MigrationError;
use crate::headers::AnswerHeaders;
use crate::limits::{LimitHeaders, Limits, Turns};
pub use crate::pages::is_page;
use crate::shutdown::Drain;
use crate::telemetry::Telemetry;

/// Puts the service together: the one way in which the binary and every test boot it.
///
/// Opens no connection yet: a service whose database is away starts and heals when the database comes back.
///
/// # Errors
/// A setting that cannot be used, named together with the fix; or a cryptographic backend that does not work.
pub fn build(config: &Config) -> Result<Rocket<Build>, ConfigError> {
    framework::listen_to_log();
    let drain = Drain::new(config.drain_seconds);
    let database = Database::new(config)?;
    let budget = Budget::new();
    let (telemetry, passwords) = (Telemetry::new(), Passwords::start());
    telemetry.show(passwords.counters());
    let rocket = rocket::custom(rocket_settings(config))
        .manage(Identities::new(database.clone()))
        .manage(messages::Changes::new(database.clone()))
        .manage(messages::Reads::new(database.clone(), budget.clone()))
        .manage(budget)
        .manage(database)
        .manage(TokenKeys::new(config)?)
        .manage(passwords)
        .manage(Limits::new(config)?)
        .manage(Turns::new())
        .manage(drain.clone())
        // Ours say it all; Rocket's would come first and say less.
        .attach(Shield::new())
        .attach(AnswerHeaders::new(config)?)
        .attach(LimitHeaders)
        .attach(telemetry)
        .attach(pieces::FewPieces)
        .attach(readable::ReadableHeaders)
        .attach(problem::BodyRefusal)
        .attach(drain)
        .attach(sockets::bounded_writes())
        .attach(health::start_up_watch())
        .attach(housekeeping::Chores::default())
        .attach(live::Live::default())
        .register("/", problem::catchers())
        .mount("/", users::routes())
        .mount("/", messages::routes())
        .mount("/", export::routes())
        .mount("/", live::routes())
        .mount("/", openapi::routes())
        .mount("/", health::routes())
        .mount("/", telemetry::routes())
        .mount("/", pages::routes(config));
    Ok(rocket)
}

/// Brings the database's schema to this version; safe to repeat, and at the same time as another run. A database that
/// is not there is waited for as long as the patience lasts.
///
/// # Errors
/// What is wrong and how to go on.
pub async fn migrate(config: &Config, patience: Duration) -> Result<(), MigrationError> {
    database::migrate(&config.connect_options()?, patience).await
}

/// The OpenAPI 3.1 document of the service's interface, as pretty-printed JSON.
#[must_use]
pub fn openapi() -> String {
    openapi::document().to_owned()
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
        // Signals are ours, because draining must go before Rocket's shutdown (see `shutdown`).
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

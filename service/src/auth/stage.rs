//! Attaches authentication to Rocket.

use std::sync::Arc;

use rocket::fairing::AdHoc;

use crate::auth::authenticator::Authenticator;
use crate::auth::hasher::PasswordHasher;
use crate::auth::lookup::IdentityLookup;
use crate::auth::tokens::TokenKeys;
use crate::config::{Config, ConfigError};
use crate::db::Database;
use crate::http::managed::managed;
use crate::ops::metrics::Telemetry;

/// Attaches the keys of access tokens, the batched token lookup and the threads that hash passwords.
///
/// # Errors
/// The token keys are invalid.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let keys = TokenKeys::new(config)?;
    Ok(AdHoc::on_ignite("auth", |rocket| async {
        let hasher = Arc::new(PasswordHasher::start());
        managed::<Telemetry>(&rocket).register_counters(hasher.counters());
        let database = managed::<Database>(&rocket);
        rocket
            .manage(keys)
            .manage(IdentityLookup::new(database.clone()))
            .manage(Authenticator::new(database, Arc::clone(&hasher)))
            .manage(hasher)
    }))
}

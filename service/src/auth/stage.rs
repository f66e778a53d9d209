//! How authentication is attached to Rocket.

use rocket::fairing::AdHoc;

use crate::auth::lookup::Identities;
use crate::auth::passwords::Passwords;
use crate::auth::tokens::TokenKeys;
use crate::config::{Config, ConfigError};
use crate::db::Database;
use crate::http::managed::managed;
use crate::ops::metrics::Telemetry;

/// Attaches the keys of access tokens, the batched token lookup and the threads that hash passwords.
///
/// # Errors
/// The keys cannot be used.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let keys = TokenKeys::new(config)?;
    Ok(AdHoc::on_ignite("auth", |rocket| async {
        let passwords = Passwords::start();
        managed::<Telemetry>(&rocket).show(passwords.counters());
        let identities = Identities::new(managed::<Database>(&rocket));
        rocket.manage(keys).manage(identities).manage(passwords)
    }))
}

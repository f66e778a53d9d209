//! Attaches the limits to the service.

use rocket::fairing::AdHoc;

use crate::config::{Config, ConfigError};
use crate::limits::headers::RateLimitHeaders;
use crate::limits::rules::Limits;

/// # Errors
/// A setting that cannot be used.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let limits = Limits::new(config)?;
    Ok(AdHoc::on_ignite("limits", |rocket| async {
        rocket.manage(limits).attach(RateLimitHeaders)
    }))
}

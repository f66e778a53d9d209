//! The settings, from defaults, the settings file and the environment.

mod database_url;
mod explain;
mod mail;
mod schema;
mod sources;
#[cfg(test)]
mod tests;
mod values;

pub use self::explain::ConfigError;
pub(crate) use self::mail::MailSettings;
pub use self::schema::{Config, SETTINGS, SignUpPolicy};
pub(crate) use self::values::Origins;

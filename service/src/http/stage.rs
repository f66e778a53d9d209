//! How the HTTP layer is attached to Rocket.

use rocket::fairing::AdHoc;

use crate::config::{Config, ConfigError};
use crate::http::budget::Budget;
use crate::http::chunking::ResponseChunking;
use crate::http::closing::Closing;
use crate::http::headers::ResponseHeaders;
use crate::http::media_type::BodyRefusal;
use crate::http::readable_headers::ReadableHeaders;
use crate::http::{problem, sockets};

/// Attaches what concerns every request and every answer.
///
/// # Errors
/// A setting cannot be used.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let headers = ResponseHeaders::new(config)?;
    Ok(AdHoc::on_ignite("http", |rocket| async {
        let closing = Closing::default();
        rocket
            .manage(Budget::new())
            .manage(closing.clone())
            .attach(headers)
            .attach(ResponseChunking)
            .attach(ReadableHeaders)
            .attach(BodyRefusal)
            .attach(closing)
            .attach(sockets::bounded_writes())
            .register("/", problem::catchers())
    }))
}

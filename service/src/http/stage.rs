//! Attaches the HTTP layer to Rocket.

use rocket::fairing::AdHoc;

use crate::config::{Config, ConfigError};
use crate::http::budget::Budget;
use crate::http::chunking::ResponseChunking;
use crate::http::closing::Closing;
use crate::http::headers::ResponseHeaders;
use crate::http::media_type::BodyRefusal;
use crate::http::readable_headers::ReadableHeaders;
use crate::http::{problem, sockets};

/// Attaches the fairings and catchers of all requests and responses.
///
/// # Errors
/// An invalid setting.
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

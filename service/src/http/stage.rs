//! How the HTTP layer is attached to Rocket.

use rocket::fairing::AdHoc;

use crate::config::{Config, ConfigError};
use crate::http::budget::Budget;
use crate::http::chunking::FewPieces;
use crate::http::closing::Closing;
use crate::http::headers::AnswerHeaders;
use crate::http::media_type::BodyRefusal;
use crate::http::readable_headers::ReadableHeaders;
use crate::http::{catchers, sockets};

/// Attaches what concerns every request and every answer.
///
/// # Errors
/// A setting cannot be used.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let headers = AnswerHeaders::new(config)?;
    Ok(AdHoc::on_ignite("http", |rocket| async {
        let closing = Closing::default();
        rocket
            .manage(Budget::new())
            .manage(closing.clone())
            .attach(headers)
            .attach(FewPieces)
            .attach(ReadableHeaders)
            .attach(BodyRefusal)
            .attach(closing)
            .attach(sockets::bounded_writes())
            .register("/", catchers::catchers())
    }))
}

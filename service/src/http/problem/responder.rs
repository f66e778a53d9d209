//! The response that carries a problem document, and its headers.

use std::io::Cursor;

use rocket::Request;
use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder, Response};

use crate::http::closing::Closing;
use crate::http::problem::document::{list, retry_seconds};
use crate::http::problem::spec::Problem;
use crate::http::{headers, request_id};

/// `Retry-After` of a service that is overloaded, in seconds.
const RETRY_SECONDS: u64 = 1;

impl Problem {
    /// The header that the status requires in addition to the document.
    pub(crate) fn header(&self) -> Option<Header<'static>> {
        let retry_after = |seconds: u64| Some(Header::new("Retry-After", seconds.to_string()));
        let authenticate = |challenge| Some(Header::new("WWW-Authenticate", challenge));
        match self {
            // RFC 6750 section 3: no error code for a request without a token.
            Self::MissingToken | Self::WrongCredentials => authenticate(r#"Bearer realm="herolo""#),
            Self::InvalidToken => authenticate(r#"Bearer realm="herolo", error="invalid_token""#),
            Self::MethodNotAllowed(methods) => Some(Header::new("Allow", list(methods))),
            // RFC 9110 section 15.5.16: the content codings that a request may have.
            Self::ContentCoding => Some(Header::new("Accept-Encoding", "identity")),
            Self::TooMany(wait) | Self::TooManyStreams(wait) | Self::TooManyInvitations(wait) => {
                retry_after(retry_seconds(*wait))
            }
            Self::TooManyAtOnce
            | Self::UnreadResponses
            | Self::Unavailable(_)
            | Self::DatabaseUnavailable(_) => retry_after(RETRY_SECONDS),
            _ => None,
        }
    }

    /// Logs the cause that the response omits, with the request id of the response.
    fn log(&self, request: &Request<'_>) {
        let request_id = request_id::request_id(request);
        match self {
            Self::Internal(error) => tracing::error!(request_id, "{error}"),
            Self::DatabaseUnavailable(error) => tracing::warn!(request_id, "{error}"),
            _ => {}
        }
    }
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.log(request);
        let document = self.document(request.uri().path().as_str());
        let body = serde_json::to_vec(&document).map_err(|_| Status::InternalServerError)?;
        let mut response = Response::build()
            .status(self.status())
            .header(ContentType::new("application", "problem+json"))
            .sized_body(body.len(), Cursor::new(body))
            .finalize();
        if let Some(header) = self.header() {
            response.set_header(header);
        }
        // The fairings add these headers as well, but do not run for requests that Rocket cannot parse.
        headers::add_security_headers(&mut response);
        response.set_header(request_id::request_id_header(request));
        // Otherwise the rest of the body would be read as the next request (RFC 9110 section 15.5.9).
        if matches!(self, Self::BodyTimeout) {
            response.set_header(Header::new("Connection", "close"));
        }
        let closing = request.rocket().state::<Closing>();
        if let Some(close) = closing.and_then(Closing::header) {
            response.set_header(close);
        }
        Ok(response)
    }
}

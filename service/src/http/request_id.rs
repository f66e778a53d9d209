//! The id of a request: in its response, in the service's log and in the proxy's.

use std::time::Instant;

use rocket::Request;
use rocket::http::{Header, Method};

/// The maximum length of a request id that a client or proxy chooses.
const MAX_REQUEST_ID_LENGTH: usize = 64;

/// The state of a request at its arrival.
pub(crate) struct RequestStart {
    pub(crate) id: String,
    /// The method before routing, which turns a HEAD into a GET.
    pub(crate) method: Method,
    pub(crate) at: Instant,
}

impl RequestStart {
    /// Those of the request, recorded by the first call.
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self {
            id: accept_or_create_id(request),
            method: request.method(),
            at: Instant::now(),
        })
    }
}

/// The id of a request, as its response and the log show it.
pub(crate) fn request_id<'r>(request: &'r Request<'_>) -> &'r str {
    &RequestStart::of(request).id
}

/// The response header with the request's id.
pub(crate) fn request_id_header(request: &Request<'_>) -> Header<'static> {
    Header::new("X-Request-Id", request_id(request).to_owned())
}

/// The id in the request's header, if it is acceptable, otherwise 128 random bits.
fn accept_or_create_id(request: &Request<'_>) -> String {
    accepted(request.headers().get("X-Request-Id"))
        .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

/// The id in the lines of a header, if there is exactly one of harmless characters.
pub(crate) fn accepted<'a>(mut given: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_harmless = |id: &&str| {
        (1..=MAX_REQUEST_ID_LENGTH).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let only = given.next().filter(|_| given.next().is_none());
    only.filter(is_harmless)
}

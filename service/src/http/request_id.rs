//! The id of a request: on its answer, in the log, and in what the edge logs.

use std::time::Instant;

use rocket::Request;
use rocket::http::{Header, Method};

/// A request id of the client or the edge is taken over if it is no longer than this and of harmless characters.
const LONGEST_REQUEST_ID: usize = 64;

/// What is known of a request when it arrives.
pub(crate) struct RequestStart {
    pub(crate) id: String,
    /// As it is before routing, which makes a GET of a HEAD.
    pub(crate) method: Method,
    pub(crate) at: Instant,
}

impl RequestStart {
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self {
            id: take_over_or_make_id(request),
            method: request.method(),
            at: Instant::now(),
        })
    }
}

/// The id of a request, as its answer and the log show it.
pub(crate) fn request_id<'r>(request: &'r Request<'_>) -> &'r str {
    &RequestStart::of(request).id
}

/// The header that tells the client its request's id.
pub(crate) fn request_id_header(request: &Request<'_>) -> Header<'static> {
    Header::new("X-Request-Id", request_id(request).to_owned())
}

/// The id that came along, if it is the only one and harmless, else a new one of 128 random bits.
fn take_over_or_make_id(request: &Request<'_>) -> String {
    let is_harmless = |id: &&str| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let mut given = request.headers().get("X-Request-Id");
    let only = given.next().filter(|_| given.next().is_none());
    only.filter(is_harmless)
        .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

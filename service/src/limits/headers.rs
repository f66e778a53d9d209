//! The headers with the remaining quota of each limit (draft-ietf-httpapi-ratelimit-headers-10,
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>).

use rocket::fairing::{Fairing, Info, Kind};
use rocket::request::Request;
use rocket::{Response, async_trait};

/// The header values for the response to a limited request.
#[derive(Default)]
struct Values(Option<(String, String)>);

/// Sets the header values for the response to a request.
pub(super) fn set(request: &Request<'_>, policy: String, limit: String) {
    request.local_cache(|| Values(Some((policy, limit))));
}

/// Adds the headers to each response to a limited request.
pub(crate) struct RateLimitHeaders;

#[async_trait]
impl Fairing for RateLimitHeaders {
    fn info(&self) -> Info {
        Info {
            name: "rate limit headers",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if let Values(Some((policy, limit))) = request.local_cache(Values::default) {
            response.set_raw_header("RateLimit-Policy", policy.as_str());
            response.set_raw_header("RateLimit", limit.as_str());
        }
    }
}

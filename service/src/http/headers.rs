//! Headers of every response: restrictions for browsers, and access for web pages of other origins (CORS).

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Method, Status};
use rocket::{Request, Response};

use crate::config::{Config, ConfigError, Origins};

/// Responses are data: browsers must not execute, frame, sniff or, by default, cache them. Strict transport security is
/// up to the proxy, which terminates TLS.
const SECURITY: [(&str, &str); 5] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
];

/// The response headers that a page of another origin may read.
const EXPOSED: &str = "Accept-Encoding, Allow, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
                       WWW-Authenticate, X-Request-Id";
/// The request headers that it may send.
const ACCEPTED: &str = "Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, \
                        Last-Event-ID, X-Request-Id";
/// Seconds for which browsers may cache a preflight response; they limit it to two hours or less.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Adds the security headers that the response does not have yet.
pub(crate) fn add_security_headers(response: &mut Response<'_>) {
    for (name, value) in SECURITY {
        if !response.headers().contains(name) {
            response.set_raw_header(name, value);
        }
    }
}

/// Adds these headers to every response.
pub(crate) struct ResponseHeaders {
    origins: Origins,
}

impl ResponseHeaders {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            origins: config.cors_origins()?,
        })
    }

    /// The `Access-Control-Allow-Origin` for a page of this origin; `None` if the page has no access. Where all origins
    /// have access, the header is the same for requests without an origin, so that a cache can serve the response to
    /// one to a page.
    fn allowed(&self, origin: Option<&str>) -> Option<Header<'static>> {
        let allowed = match &self.origins {
            Origins::All => "*".to_owned(),
            Origins::Listed(origins) => {
                let is_same = |listed: &&String| Some(listed.as_str()) == origin;
                origins.iter().find(is_same)?.clone()
            }
        };
        Some(Header::new("Access-Control-Allow-Origin", allowed))
    }

    fn add_cors_headers(&self, request: &Request<'_>, response: &mut Response<'_>) {
        if matches!(&self.origins, Origins::Listed(origins) if !origins.is_empty()) {
            // A cache must not serve the response for one origin to another.
            response.adjoin_raw_header("Vary", "Origin");
        }
        let origin = request.headers().get_one("Origin");
        let Some(allowed) = self.allowed(origin) else {
            return;
        };
        response.set_header(allowed);
        if origin.is_none() || !is_preflight(request) {
            response.set_raw_header("Access-Control-Expose-Headers", EXPOSED);
            return;
        }
        // No route allows OPTIONS, so the response of an existing path lists the methods that it allows.
        let Some(methods) = response.headers().get_one("Allow").map(str::to_owned) else {
            return;
        };
        response.set_raw_header("Access-Control-Allow-Methods", methods);
        response.set_raw_header("Access-Control-Allow-Headers", ACCEPTED);
        response.set_raw_header("Access-Control-Max-Age", PREFLIGHT_MAX_AGE);
        response.remove_header("Content-Type");
        response.set_status(Status::NoContent);
        *response.body_mut() = rocket::response::Body::default();
    }
}

/// Whether the request is a CORS preflight request.
fn is_preflight(request: &Request<'_>) -> bool {
    request.method() == Method::Options
        && request.headers().contains("Access-Control-Request-Method")
}

#[rocket::async_trait]
impl Fairing for ResponseHeaders {
    fn info(&self) -> Info {
        Info {
            name: "response headers",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        add_security_headers(response);
        self.add_cors_headers(request, response);
    }
}

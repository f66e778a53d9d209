//! Headers of every answer: what browsers must not do with it, and which web pages may read it.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Method, Status};
use rocket::{Request, Response};

use crate::config::{Config, ConfigError, Origins};

/// Answers are data: a browser that shows one must neither run, frame nor guess at it, nor keep it where the answer does
/// not say that it may. That HTTPS is to be used is the edge's to say, because it is the edge that speaks it.
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

/// What a page of another origin may read of an answer beside the body.
const EXPOSED: &str = "Allow, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";
/// What it may send.
const ACCEPTED: &str =
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id";
/// Seconds that a browser remembers what it may do; browsers have limits of their own, of two hours or less.
const REMEMBERED: &str = "7200";

/// The headers that say what may be done with the answer; those that it has already stay.
pub(crate) fn secure(response: &mut Response<'_>) {
    for (name, value) in SECURITY {
        if !response.headers().contains(name) {
            response.set_raw_header(name, value);
        }
    }
}

/// Adds these headers to every answer.
pub(crate) struct AnswerHeaders {
    origins: Origins,
}

impl AnswerHeaders {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            origins: config.cors_origins()?,
        })
    }

    /// What `Access-Control-Allow-Origin` says to a page of this origin; `None` if it may read nothing.
    fn allowed(&self, origin: &str) -> Option<Header<'static>> {
        let allowed = match &self.origins {
            Origins::All => "*".to_owned(),
            Origins::Listed(origins) => origins.iter().find(|listed| *listed == origin)?.clone(),
        };
        Some(Header::new("Access-Control-Allow-Origin", allowed))
    }

    fn share(&self, request: &Request<'_>, response: &mut Response<'_>) {
        if matches!(&self.origins, Origins::Listed(origins) if !origins.is_empty()) {
            // A cache must not give one origin's answer to another.
            response.adjoin_raw_header("Vary", "Origin");
        }
        let origin = request.headers().get_one("Origin");
        let Some(allowed) = origin.and_then(|origin| self.allowed(origin)) else {
            return;
        };
        response.set_header(allowed);
        if !is_preflight(request) {
            response.set_raw_header("Access-Control-Expose-Headers", EXPOSED);
            return;
        }
        // A path that there is says which methods it takes, as no route takes OPTIONS.
        let Some(methods) = response.headers().get_one("Allow").map(str::to_owned) else {
            return;
        };
        response.set_raw_header("Access-Control-Allow-Methods", methods);
        response.set_raw_header("Access-Control-Allow-Headers", ACCEPTED);
        response.set_raw_header("Access-Control-Max-Age", REMEMBERED);
        response.remove_header("Content-Type");
        response.set_status(Status::NoContent);
        *response.body_mut() = rocket::response::Body::default();
    }
}

/// A browser asks what a page of another origin may do.
fn is_preflight(request: &Request<'_>) -> bool {
    request.method() == Method::Options
        && request.headers().contains("Access-Control-Request-Method")
}

#[rocket::async_trait]
impl Fairing for AnswerHeaders {
    fn info(&self) -> Info {
        Info {
            name: "answer headers",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        secure(response);
        self.share(request, response);
    }
}

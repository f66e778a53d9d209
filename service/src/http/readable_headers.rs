//! Rejects requests with unreadable or repeated headers that change the meaning of a request.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Data, Request};

use crate::http::framework_log::take_dropped_headers;
use crate::http::problem::Problem;
use crate::http::request_id;

/// The headers that change the meaning of a request. `If-None-Match` and `X-Request-Id` do not.
const MEANINGFUL: [&str; 5] = [
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
];
/// Those of them that must not be repeated: of two values, either could be the intended one.
const SINGLE: [&str; 4] = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
];

/// The maximum number of header names in a log line.
const LOGGED_NAMES: usize = 4;

/// Rejects requests whose meaningful headers are not UTF-8 or are repeated.
pub(crate) struct ReadableHeaders;

#[rocket::async_trait]
impl Fairing for ReadableHeaders {
    fn info(&self) -> Info {
        Info {
            name: "readable headers",
            kind: Kind::Request,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        if let Some(problem) = check(request) {
            problem.refuse(request);
        }
    }
}

fn check(request: &Request<'_>) -> Option<Problem> {
    let dropped = take_dropped_headers();
    let meant = MEANINGFUL.iter().find(|name| {
        dropped
            .iter()
            .any(|header| name.eq_ignore_ascii_case(header))
    });
    if !dropped.is_empty() {
        log_dropped(request, &dropped, meant.is_some());
    }
    let problem = meant.map(|name| {
        Problem::Malformed(format!("The header {name} is not UTF-8; send it in ASCII."))
    });
    let headers = request.headers();
    let repeated = || {
        let name = SINGLE
            .iter()
            .find(|name| headers.get(name).nth(1).is_some())?;
        Some(Problem::Malformed(format!(
            "The header {name} is given more than once."
        )))
    };
    problem.or_else(repeated)
}

/// Logs one line per request, with the first few names only, so that no request can flood the log.
fn log_dropped(request: &Request<'_>, dropped: &[String], is_refused: bool) {
    let headers = dropped[..dropped.len().min(LOGGED_NAMES)].join(", ");
    let outcome = if is_refused {
        "the request is rejected"
    } else {
        "they are ignored"
    };
    tracing::info!(
        request_id = request_id::request_id(request),
        headers,
        count = dropped.len(),
        "headers are not UTF-8: {outcome}"
    );
}

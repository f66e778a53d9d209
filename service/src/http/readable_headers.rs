//! Headers that change what a request means have to be read, or else the request is refused.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request};

use crate::http::framework_log::take_dropped_headers;
use crate::http::problem::Problem;
use crate::http::request_id;

/// Those that change what a request means. Without an `If-None-Match` a request means the same, and so it does without
/// an `X-Request-Id`.
const MEANINGFUL: [&str; 5] = [
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
];
/// Those of them of which one value is read: of two, either may be meant.
const SINGLE: [&str; 4] = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
];

/// Names of headers that a line of the log has.
const LOGGED_NAMES: usize = 4;

/// Refuses requests with headers that cannot be read.
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
            problem.stash_for_catcher(request);
            // No route has this method, so the catcher is what answers.
            request.set_method(Method::Connect);
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
        Some(Problem::Malformed(format!("{name} is there twice.")))
    };
    problem.or_else(repeated)
}

/// One line for a request, with the first names only, so that no request writes much to the log.
fn log_dropped(request: &Request<'_>, dropped: &[String], is_refused: bool) {
    let headers = dropped[..dropped.len().min(LOGGED_NAMES)].join(", ");
    let outcome = if is_refused {
        "the request is refused"
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

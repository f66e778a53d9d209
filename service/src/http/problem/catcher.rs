//! Rocket's own errors, as problem documents.

use rocket::http::{Method, Status};
use rocket::route::Route;
use rocket::{Catcher, Request, catch, catchers};

use crate::http::framework_log::take_dropped_headers;
use crate::http::problem::spec::Problem;

/// The catcher of all errors.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![any]
}

#[catch(default)]
fn any(status: Status, request: &Request<'_>) -> Problem {
    // A request that Rocket cannot parse has skipped the fairing that takes its dropped headers.
    drop(take_dropped_headers());
    if let Some(problem) = Problem::stashed(request) {
        return problem.clone();
    }
    match status.code {
        400 => malformed(request),
        404 => not_found(request),
        413 => Problem::TooLarge,
        415 => Problem::UnsupportedMediaType,
        500 => Problem::internal(format!(
            "{} {} failed",
            request.method(),
            request.uri().path()
        )),
        503 => Problem::Unavailable("The service is temporarily unavailable; retry in a moment."),
        _ => Problem::Other(status),
    }
}

/// The problem of a request whose method or URI Rocket cannot parse. It replaces such a URI with `/`.
fn malformed(request: &Request<'_>) -> Problem {
    match allowed_methods(request) {
        // For `/`, method and URI are both possible causes.
        none if none.is_empty() || request.uri().path() == "/" => {
            Problem::Malformed("The method, path or query is malformed.".to_owned())
        }
        allowed => Problem::MethodNotAllowed(allowed),
    }
}

/// Distinguishes a wrong path from a wrong method, both of which are a 404 in Rocket.
fn not_found(request: &Request<'_>) -> Problem {
    let allowed = allowed_methods(request);
    if allowed.is_empty() || allowed.contains(&request.method()) {
        Problem::NotFound
    } else {
        Problem::MethodNotAllowed(allowed)
    }
}

/// The methods of the routes that have the request's path.
fn allowed_methods(request: &Request<'_>) -> Vec<Method> {
    let matching = request
        .rocket()
        .routes()
        .filter(|route| matches_path(route, request));
    let mut methods: Vec<_> = matching.map(|route| route.method).collect();
    if methods.contains(&Method::Get) {
        // Rocket serves HEAD wherever it serves GET.
        methods.push(Method::Head);
    }
    methods.sort_by_key(|method| method.as_str());
    methods.dedup();
    methods
}

/// Whether the request's path matches the route's, regardless of the method.
fn matches_path(route: &Route, request: &Request<'_>) -> bool {
    let path: Vec<_> = request.uri().path().segments().collect();
    let pattern: Vec<_> = route
        .uri
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(path)
            .all(|(pattern, given)| pattern.starts_with('<') || *pattern == given)
}

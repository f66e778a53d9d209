//! The framework's own errors, as problem documents.

use rocket::http::{Method, Status};
use rocket::route::Route;
use rocket::{Catcher, Request, catch, catchers};

use crate::http::framework_log::take_dropped_headers;
use crate::http::problem::Problem;

/// Rocket's errors, as problem documents.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![any]
}

#[catch(default)]
fn any(status: Status, request: &Request<'_>) -> Problem {
    // Of a request that Rocket cannot read, which comes here without having passed the fairings.
    drop(take_dropped_headers());
    if let Some(problem) = request.local_cache(|| None::<Problem>) {
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
        503 => {
            Problem::Unavailable("The service is not available right now; try again in a moment.")
        }
        _ => Problem::Other(status),
    }
}

/// What Rocket cannot read before routing: the URI, which it then takes for `/`, or the name of the method.
fn malformed(request: &Request<'_>) -> Problem {
    match allowed_methods(request) {
        // At `/` it may be either.
        none if none.is_empty() || request.uri().path() == "/" => {
            Problem::Malformed("The method, the path or the query is malformed.".to_owned())
        }
        allowed => Problem::MethodNotAllowed(allowed),
    }
}

/// Rocket answers 404 also where only the method is wrong; its routes tell the two apart.
fn not_found(request: &Request<'_>) -> Problem {
    let allowed = allowed_methods(request);
    if allowed.is_empty() || allowed.contains(&request.method()) {
        Problem::NotFound
    } else {
        Problem::MethodNotAllowed(allowed)
    }
}

fn allowed_methods(request: &Request<'_>) -> Vec<Method> {
    let matching = request
        .rocket()
        .routes()
        .filter(|route| leads_to(route, request));
    let mut methods: Vec<_> = matching.map(|route| route.method).collect();
    if methods.contains(&Method::Get) {
        // Rocket answers HEAD wherever there is a GET.
        methods.push(Method::Head);
    }
    methods.sort_by_key(|method| method.as_str());
    methods.dedup();
    methods
}

/// Whether the request's path is one of this route's, whatever its method.
fn leads_to(route: &Route, request: &Request<'_>) -> bool {
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

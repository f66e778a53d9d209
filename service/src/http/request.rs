//! Parts of a request that several guards need.

use rocket::Request;
use rocket::request::Outcome;

use crate::http::problem::Problem;
use crate::model::invalid::Invalid;

/// The `<username>` of a path `/users/<username>/...`.
pub(crate) fn username_in_path<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.param::<&str>(1).and_then(Result::ok)
}

/// A managed state of the service.
pub(crate) fn state<'r, T: Send + Sync + 'static>(
    request: &'r Request<'_>,
) -> Result<&'r T, Problem> {
    request
        .rocket()
        .state::<T>()
        .ok_or_else(|| Problem::internal(format!("{} is not managed", std::any::type_name::<T>())))
}

/// The value of a header; `None` if the request does not have it, a 400 if the value is invalid. The header must be one
/// of those that [`crate::http::readable_headers`] rejects if they are repeated.
pub(crate) fn optional_header<T>(
    request: &Request<'_>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Outcome<Option<T>, ()> {
    match request.headers().get_one(name).map(parse).transpose() {
        Ok(value) => Outcome::Success(value),
        Err(Invalid(detail)) => {
            let problem = Problem::Malformed(format!("{name} {detail}."));
            Outcome::Error((problem.stash_for_catcher(request), ()))
        }
    }
}

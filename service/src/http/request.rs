//! Parts of a request that several guards need.

use rocket::Request;

use crate::http::problem::Problem;

/// The `<username>` of a path `/users/<username>/...`.
pub(crate) fn username_in_path<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.param::<&str>(1).and_then(Result::ok)
}

/// A state that the service manages.
pub(crate) fn state<'r, T: Send + Sync + 'static>(
    request: &'r Request<'_>,
) -> Result<&'r T, Problem> {
    request
        .rocket()
        .state::<T>()
        .ok_or_else(|| Problem::internal(format!("{} is not managed", std::any::type_name::<T>())))
}

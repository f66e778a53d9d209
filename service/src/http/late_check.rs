//! A guard's check that is repeated if the body of the request arrives late.

use rocket::Request;
use rocket::futures::future::BoxFuture;

use crate::http::problem::Problem;

/// Checks a request again, as the guard did when the request arrived.
pub(crate) type Check = for<'r> fn(&'r Request<'_>) -> BoxFuture<'r, Result<(), Problem>>;

/// The check that a guard registered for a request.
struct LateCheck(Option<Check>);

/// Registers a check that is repeated before a late body takes effect. Only the first check of a request is kept.
pub(crate) fn register(request: &Request<'_>, check: Check) {
    request.local_cache(|| LateCheck(Some(check)));
}

/// Repeats the registered check, if there is one.
///
/// # Errors
/// The problem that the check finds.
pub(crate) async fn repeat(request: &Request<'_>) -> Result<(), Problem> {
    match request.local_cache(|| LateCheck(None)).0 {
        Some(check) => check(request).await,
        None => Ok(()),
    }
}

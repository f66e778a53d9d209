//! A check of a request that is repeated when its body has taken long.

use rocket::Request;
use rocket::futures::future::BoxFuture;

use crate::http::problem::Problem;

/// Checks a request again, as a guard did when the request arrived.
pub(crate) type Check = for<'r> fn(&'r Request<'_>) -> BoxFuture<'r, Result<(), Problem>>;

/// The check that a guard has left with a request.
struct LateCheck(Option<Check>);

/// Has the check repeated before a body takes effect that arrives late. The first check that a request gets stays.
pub(crate) fn register(request: &Request<'_>, check: Check) {
    request.local_cache(|| LateCheck(Some(check)));
}

/// Repeats the check that was left with the request, if one was.
///
/// # Errors
/// What the check finds.
pub(crate) async fn repeat(request: &Request<'_>) -> Result<(), Problem> {
    match request.local_cache(|| LateCheck(None)).0 {
        Some(check) => check(request).await,
        None => Ok(()),
    }
}

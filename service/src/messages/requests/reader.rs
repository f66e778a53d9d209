//! The user of a request for a page of messages.

use rocket::request::{FromRequest, Outcome, Request};

use crate::auth::{Caller, Claim, IdentityLookup};
use crate::http::problem::Problem;
use crate::http::request::state;

/// The user of a request for a page. A request without parameters is for the newest page, by whose statement the user
/// is looked up. All others are checked first: they may be invalid, count as searches, or only ask for changes.
pub(crate) struct Reader<'r> {
    pub(crate) claim: Claim<'r>,
    /// `None` for the newest page.
    pub(crate) caller: Option<Caller>,
}

impl<'r> Reader<'r> {
    async fn of(request: &'r Request<'_>) -> Result<Self, Problem> {
        let claim = Claim::of(request)?;
        let is_for_newest_page =
            request.uri().query().is_none() && !request.headers().contains("If-None-Match");
        let caller = if is_for_newest_page {
            None
        } else {
            Some(claim.look_up(state::<IdentityLookup>(request)?).await?)
        };
        Ok(Self { claim, caller })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Reader<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::of(request).await {
            Ok(reader) => Outcome::Success(reader),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

//! Keeps forms and coded bodies away from the routes.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request};

use crate::http::problem::Problem;

/// Keeps bodies away from the routes that none of them takes.
///
/// Forms: Rocket lets a form's `_method` field choose the request's method, so that a form on any web page could ask for
/// a DELETE; and the API takes JSON only. And bodies that are coded, because nothing here would undo that.
pub(crate) struct BodyRefusal;

#[rocket::async_trait]
impl Fairing for BodyRefusal {
    fn info(&self) -> Info {
        Info {
            name: "body refusal",
            kind: Kind::Request,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let is_form = request
            .content_type()
            .is_some_and(|kind| kind.is_form() || kind.is_form_data());
        let problem = match (is_form, is_coded(request)) {
            (true, _) => Problem::UnsupportedMediaType,
            (_, true) => Problem::CodedBody,
            _ => return,
        };
        let has_body = matches!(request.method(), Method::Post | Method::Patch | Method::Put)
            || !data.peek(1).await.is_empty();
        if has_body {
            problem.stash_for_catcher(request);
            // No route has this method, so the catcher is what answers.
            request.set_method(Method::Connect);
        }
    }
}

/// Whether the body has a content coding (RFC 9110 section 8.4) other than none.
fn is_coded(request: &Request<'_>) -> bool {
    request
        .headers()
        .get("Content-Encoding")
        .flat_map(|codings| codings.split(','))
        .map(str::trim)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

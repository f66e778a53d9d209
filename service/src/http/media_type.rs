//! Rejects forms and bodies with a content coding before routing.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request};

use crate::http::problem::Problem;

/// The paths whose POST may be a form, by how they begin and end: mail programs send one, which the route ignores (RFC
/// 8058 section 3.1).
const FORM_PATH: (&str, &str) = ("/unread-notices/", "/stop");

/// Rejects bodies that no route accepts.
///
/// The API accepts only JSON, and Rocket lets the `_method` field of a form override the request's method, so that a
/// form on any web page could send a DELETE. Content codings are rejected because nothing decodes them.
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
            .is_some_and(|kind| kind.is_form() || kind.is_form_data())
            && !takes_forms(request);
        let problem = match (is_form, is_coded(request)) {
            (true, _) => Problem::UnsupportedMediaType,
            (_, true) => Problem::ContentCoding,
            _ => return,
        };
        let has_body = matches!(request.method(), Method::Post | Method::Patch | Method::Put)
            || !data.peek(1).await.is_empty();
        if has_body {
            problem.refuse(request);
        }
    }
}

fn takes_forms(request: &Request<'_>) -> bool {
    let (begin, end) = FORM_PATH;
    let path = request.uri().path();
    path.starts_with(begin) && path.ends_with(end)
}

/// Whether the body has a content coding (RFC 9110 section 8.4) other than `identity`.
fn is_coded(request: &Request<'_>) -> bool {
    request
        .headers()
        .get("Content-Encoding")
        .flat_map(|codings| codings.split(','))
        .map(str::trim)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

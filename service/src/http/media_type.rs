//! Rejects forms and bodies with a content coding before routing.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request};

use crate::http::problem::Problem;

/// The paths whose POST ignores its body, by how they begin and end: mail programs send a form (RFC 8058 section 3.1).
const BODILESS: (&str, &str) = ("/unread-notices/", "/stop");

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
        if ignores_body(request) {
            return;
        }
        let is_form = request
            .content_type()
            .is_some_and(|kind| kind.is_form() || kind.is_form_data());
        let problem = match (is_form, is_coded(request.headers().get("Content-Encoding"))) {
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

fn ignores_body(request: &Request<'_>) -> bool {
    let (begin, end) = BODILESS;
    let path = request.uri().path().as_str().trim_end_matches('/');
    path.starts_with(begin) && path.ends_with(end)
}

/// Whether the body has a content coding (RFC 9110 section 8.4) other than `identity`.
pub(crate) fn is_coded<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    lines
        .flat_map(|codings| codings.split(','))
        .map(str::trim)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

//! The static assets of two pages: an inbox at `/` and the API reference at `/docs`. They are embedded in the binary,
//! use only the public API, and load nothing from other servers.

use std::io::{Cursor, Read as _};
use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use flate2::read::GzDecoder;
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Header, MediaType, Method, Status};
use rocket::response::Redirect;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Data, Request, Response};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::http::etag::IfNoneMatch;

/// The content security policy of the inbox (CSP Level 3, <https://www.w3.org/TR/CSP3/>): only its own scripts, and
/// requests to its own service. No script may write HTML at all (<https://www.w3.org/TR/trusted-types/>), so user
/// content stays text.
const INBOX_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The content security policy of the reference. Swagger UI has icons in `data:` URLs, and renders descriptions as
/// sanitized HTML, so trusted types are not enforced.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Assets may be cached, and are revalidated with each use: an unchanged one costs a 304.
const CACHING: &str = "no-cache";

/// The type of a web app manifest (<https://www.w3.org/TR/appmanifest/#media-type-registration>).
const MANIFEST: ContentType =
    ContentType(MediaType::const_new("application", "manifest+json", &[]));

/// The name of the route of each asset.
const ROUTE_NAME: &str = "static asset";

/// An embedded file, as build.rs prepared it: compressed by gzip, as nearly all clients accept it.
struct File {
    path: &'static str,
    content_type: ContentType,
    gzip: &'static [u8],
}

impl File {
    fn decompress(&self) -> Arc<[u8]> {
        let mut content = Vec::new();
        GzDecoder::new(self.gzip)
            .read_to_end(&mut content)
            .expect("build.rs has compressed it");
        content.into()
    }
}

/// `file!(PATH, TYPE, "folder/name")`
macro_rules! file {
    ($path:literal, $content_type:ident, $file:literal) => {
        file!($path, (ContentType::$content_type), $file)
    };
    ($path:literal, ($content_type:expr), $file:literal) => {
        File {
            path: $path,
            content_type: $content_type,
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".gz")),
        }
    };
}

/// All files in its folder, as build.rs lists them.
const INBOX: &[File] = include!(concat!(env!("OUT_DIR"), "/inbox.rs"));

const DOCS: &[File] = &[
    file!("/docs", HTML, "docs/index.html"),
    file!("/docs/icon.svg", SVG, "inbox/icon.svg"),
    file!("/docs/docs.css", CSS, "docs/docs.css"),
    file!("/docs/docs.js", JavaScript, "docs/docs.js"),
    file!("/docs/swagger-ui.css", CSS, "docs/swagger-ui.css"),
    file!(
        "/docs/swagger-ui-bundle.js",
        JavaScript,
        "docs/swagger-ui-bundle.js"
    ),
];

/// Attaches the pages that are enabled.
pub(crate) fn stage(config: &Config) -> AdHoc {
    let routes = routes(config);
    AdHoc::on_ignite("pages", |rocket| async { rocket.mount("/", routes) })
}

/// The routes of the pages that are enabled.
fn routes(config: &Config) -> Vec<Route> {
    let inbox = (config.inbox_page, INBOX, INBOX_POLICY);
    let docs = (config.docs_page, DOCS, DOCS_POLICY);
    let files = [inbox, docs]
        .into_iter()
        .filter(|(is_on, ..)| *is_on)
        .flat_map(|(_, files, policy)| files.iter().map(move |file| route(file, policy)));
    files.chain(config.inbox_page.then(stop_route)).collect()
}

/// Whether a route serves a static asset rather than the API.
#[must_use]
pub fn is_static_asset(route: &Route) -> bool {
    route.name.as_deref() == Some(ROUTE_NAME)
}

fn route(file: &'static File, policy: &'static str) -> Route {
    let mut route = Route::new(Method::Get, file.path, StaticAsset::new(file, policy));
    route.name = Some(ROUTE_NAME.into());
    route
}

/// The route of browsers that open the address by which programs stop mails about unread messages. Some mail programs
/// know no other way to unsubscribe (RFC 2369).
fn stop_route() -> Route {
    let mut route = Route::new(Method::Get, "/unread-notices/<code>/stop", StopView);
    route.name = Some(ROUTE_NAME.into());
    route
}

/// Leads to the view of the inbox with the button that stops mails. Opening the address alone must not.
#[derive(Clone)]
struct StopView;

#[rocket::async_trait]
impl Handler for StopView {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let code = request.param::<&str>(1).and_then(Result::ok);
        let is_code = |code: &&str| code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match code.filter(is_code) {
            Some(code) => Outcome::from(request, Redirect::to(format!("/#/stop/{code}"))),
            None => Outcome::forward(data, Status::NotFound),
        }
    }
}

/// Serves a file.
#[derive(Clone)]
struct StaticAsset {
    file: &'static File,
    policy: &'static str,
    /// The entity tag, a hash of the content (RFC 9110 section 8.8.3), without quotes.
    tag: String,
    /// The content without compression, once a client has asked for that.
    plain: Arc<OnceLock<Arc<[u8]>>>,
}

impl StaticAsset {
    fn new(file: &'static File, policy: &'static str) -> Self {
        let digest = Sha256::digest(file.gzip);
        Self {
            file,
            policy,
            tag: BASE64.encode(&digest[..16]),
            plain: Arc::default(),
        }
    }

    fn respond(&self, request: &Request<'_>) -> Response<'static> {
        let is_compressed = accepts_gzip(request.headers().get("Accept-Encoding"));
        // Each representation has its own tag.
        let coding = if is_compressed { "-gzip" } else { "" };
        let tag = format!("\"{}{coding}\"", self.tag);
        let mut response = Response::build();
        response
            .header(Header::new("Content-Security-Policy", self.policy))
            .header(Header::new("Cache-Control", CACHING))
            .header(Header::new("Vary", "Accept-Encoding"))
            .header(Header::new("ETag", tag.clone()));
        if IfNoneMatch::of(request).matches_quoted(&tag) {
            return response.status(Status::NotModified).finalize();
        }
        response.header(self.file.content_type.clone());
        if is_compressed {
            let content = self.file.gzip;
            response
                .header(Header::new("Content-Encoding", "gzip"))
                .sized_body(content.len(), Cursor::new(content))
                .finalize()
        } else {
            let content = Arc::clone(self.plain.get_or_init(|| self.file.decompress()));
            response
                .sized_body(content.len(), Cursor::new(content))
                .finalize()
        }
    }
}

#[rocket::async_trait]
impl Handler for StaticAsset {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::Success(self.respond(request))
    }
}

/// Whether a client that sends these lines of `Accept-Encoding` accepts gzip (RFC 9110 section 12.5.3).
pub(crate) fn accepts_gzip<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let mut elements = lines.flat_map(|line| line.split(',').map(str::trim));
    elements.any(|element| {
        let (coding, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        coding.trim().eq_ignore_ascii_case("gzip")
            && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
    })
}

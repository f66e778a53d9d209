//! The headers of answers, each described once.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Required, Response};

use crate::http::docs::operations;

/// What a request and its answer are called.
const REQUEST_ID: &str = "X-Request-Id";

/// Of the answers of routes that are limited, where the limits are not switched off.
const LIMITS: [&str; 2] = ["RateLimit", "RateLimit-Policy"];

/// Name, meaning and example. An answer that is said to have one of them always has it, but for the limits.
const HEADERS: [(&str, &str, &str); 10] = [
    (
        "Content-Disposition",
        "The name of a file to keep it in.",
        "attachment; filename=\"herolo-alice.json\"",
    ),
    (
        "ETag",
        "Names the state of this page (RFC 9110 section 8.8.3).",
        "W/\"2Vb9wQ1mE0hYtq7r\"",
    ),
    (
        "Link",
        "The `first` and, if there is one, the `next` page (RFC 8288).",
        "</users/bob/messages?per_page=20&page=1>; rel=\"first\", \
         </users/bob/messages?per_page=20&page=2&before=42>; rel=\"next\"",
    ),
    (
        "Location",
        "The path of what is there now.",
        "/users/alice/messages/42",
    ),
    (
        LIMITS[0],
        "How many more may come, `r`, and after how many seconds all are there again, `t` \
         (draft-ietf-httpapi-ratelimit-headers).",
        "\"sends\";r=1199;t=1, \"sends-client\";r=11999;t=1",
    ),
    (
        LIMITS[1],
        "How many may come, `q`, in how many seconds, `w`.",
        "\"sends\";q=1200;w=60, \"sends-client\";q=12000;w=60",
    ),
    (
        "Accept-Encoding",
        "The content codings that a body may have (RFC 7694): none.",
        "identity",
    ),
    ("Retry-After", "Seconds after which to try again.", "1"),
    (
        "WWW-Authenticate",
        "The scheme of access tokens, and what is wrong with the one that came (RFC 6750).",
        "Bearer realm=\"herolo\", error=\"invalid_token\"",
    ),
    (
        REQUEST_ID,
        "What the request is called: by its own `X-Request-Id`, or else by a random name.",
        "7f2d6a523a0e4a0b9d1a6a1f0c8b9e55",
    ),
];

/// Puts the headers among the components, and points to them wherever an answer has one of them.
pub(super) struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, meaning, example) in HEADERS {
            let header = header(meaning, example, !LIMITS.contains(&name)).into();
            components.headers.insert(name.to_owned(), header);
        }
        let parameter = request_id().into();
        components
            .parameters
            .insert(REQUEST_ID.to_owned(), parameter);
        if let Some(response) = components.responses.get_mut("TooMany") {
            tell_limits(response);
        }
        components.responses.values_mut().for_each(refer);
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let request_id = Ref::new(format!("#/components/parameters/{REQUEST_ID}"));
                operation
                    .parameters
                    .get_or_insert_default()
                    .push(RefOr::Ref(request_id));
                let responses = &mut operation.responses.responses;
                if responses.get("429").is_some_and(is_of_limits) {
                    let successes = responses
                        .iter_mut()
                        .filter(|(status, _)| status.starts_with('2'));
                    successes.for_each(|(_, response)| tell_limits(response));
                }
                responses.values_mut().for_each(refer);
            }
        }
    }
}

fn header(meaning: &str, example: &str, is_required: bool) -> Header {
    let (kind, example): (_, Value) = match example.parse::<u64>() {
        Ok(number) => (Type::Integer, number.into()),
        Err(_) => (Type::String, example.into()),
    };
    HeaderBuilder::new()
        .description(Some(meaning))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .example(Some(example))
        .extensions(Some([("required", is_required)].into_iter().collect()))
        .build()
}

fn request_id() -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(REQUEST_ID)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "What this request is to be called in its answer and in the log, if it is 1 to 64 letters, digits, `-`, \
             `_` and `.`; anything else is ignored.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some("order-4711".into()))
        .build()
}

/// Whether it is the answer of a route that is limited.
fn is_of_limits(response: &RefOr<Response>) -> bool {
    matches!(response, RefOr::Ref(shared) if shared.ref_location.ends_with("/TooMany"))
}

/// Describes the headers that tell the limits.
fn tell_limits(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    for name in LIMITS {
        response
            .headers
            .insert(name.to_owned(), Header::default().into());
    }
}

/// Every answer has its request's name; of its other headers, those that are among the components are described there.
fn refer(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    let headers = &mut response.headers;
    headers.insert(REQUEST_ID.to_owned(), Header::default().into());
    for (name, header) in headers {
        if HEADERS.iter().any(|(known, ..)| known == name) {
            *header = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        }
    }
}

//! The headers of responses, each described once.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Required, Response};

use crate::http::docs::{RATE_LIMIT_HEADERS, operations};

/// The header with the id of a request and its response.
const REQUEST_ID: &str = "X-Request-Id";

/// Name, description and example. A response that is documented with one of them always has it, except the rate limits.
const HEADERS: [(&str, &str, &str); 10] = [
    (
        "Content-Disposition",
        "A file name for saving the response.",
        "attachment; filename=\"herolo-alice.json\"",
    ),
    (
        "ETag",
        "Identifies the state of this page (RFC 9110 section 8.8.3).",
        "W/\"2Vb9wQ1mE0hYtq7r\"",
    ),
    (
        "Link",
        "The `first` page and, if there is one, the `next` page (RFC 8288).",
        "</users/bob/messages?per_page=20&page=1>; rel=\"first\", \
         </users/bob/messages?per_page=20&page=2&before=42>; rel=\"next\"",
    ),
    (
        "Location",
        "The path of the new resource.",
        "/users/alice/messages/42",
    ),
    (
        RATE_LIMIT_HEADERS[0],
        "For each limit, the remaining requests (`r`) and the seconds until the full quota is available again (`t`) \
         (draft-ietf-httpapi-ratelimit-headers).",
        "\"sends\";r=1199;t=1, \"sends-client\";r=11999;t=1",
    ),
    (
        RATE_LIMIT_HEADERS[1],
        "For each limit, the quota (`q`) of requests per window (`w`) in seconds.",
        "\"sends\";q=1200;w=60, \"sends-client\";q=12000;w=60",
    ),
    (
        "Accept-Encoding",
        "The content codings that a request body may have (RFC 7694): none.",
        "identity",
    ),
    ("Retry-After", "Seconds to wait before retrying.", "1"),
    (
        "WWW-Authenticate",
        "The authentication scheme, and the error of the access token that was sent, if any (RFC 6750).",
        "Bearer realm=\"herolo\", error=\"invalid_token\"",
    ),
    (
        REQUEST_ID,
        "The id of the request: that of its own `X-Request-Id` header if it is usable, otherwise a random one.",
        "7f2d6a523a0e4a0b9d1a6a1f0c8b9e55",
    ),
];

/// Adds the headers to the components, and refers to them from each response that has one of them.
pub(super) struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, meaning, example) in HEADERS {
            let header = header(meaning, example, !RATE_LIMIT_HEADERS.contains(&name)).into();
            components.headers.insert(name.to_owned(), header);
        }
        let parameter = request_id().into();
        components
            .parameters
            .insert(REQUEST_ID.to_owned(), parameter);
        let responses = components.responses.values_mut();
        responses.for_each(replace_with_references);
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let request_id = Ref::new(format!("#/components/parameters/{REQUEST_ID}"));
                operation
                    .parameters
                    .get_or_insert_default()
                    .push(RefOr::Ref(request_id));
                let responses = &mut operation.responses.responses;
                let refusal = responses.get("429");
                if refusal.is_some_and(|refusal| is_rate_limited(refusal, &components.responses)) {
                    let successes = responses
                        .iter_mut()
                        .filter(|(status, _)| status.starts_with('2'));
                    successes.for_each(|(_, response)| add_rate_limit_headers(response));
                }
                responses.values_mut().for_each(replace_with_references);
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
            "An id for this request in its response and in the log: 1 to 64 letters, digits, `-`, `_` and `.`; any \
             other value is ignored.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some("order-4711".into()))
        .build()
}

/// Whether the 429 response is one of operations with a rate limit.
fn is_rate_limited(refusal: &RefOr<Response>, shared: &BTreeMap<String, RefOr<Response>>) -> bool {
    let RefOr::Ref(reference) = refusal else {
        return false;
    };
    let name = reference
        .ref_location
        .rsplit('/')
        .next()
        .unwrap_or_default();
    matches!(shared.get(name), Some(RefOr::T(response)) if response.headers.contains_key(RATE_LIMIT_HEADERS[0]))
}

fn add_rate_limit_headers(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    for name in RATE_LIMIT_HEADERS {
        response
            .headers
            .insert(name.to_owned(), Header::default().into());
    }
}

/// Adds the request id to a response, and replaces its headers with references to the components.
fn replace_with_references(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    let headers = &mut response.headers;
    headers.insert(REQUEST_ID.to_owned(), Header::default().into());
    for (name, header) in headers {
        if HEADERS.iter().any(|(known, ..)| known == name) {
            *header = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        }
    }
}

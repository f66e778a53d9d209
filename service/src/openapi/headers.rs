//! The headers of answers, each described once.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Required, Response};

use super::operations;

/// What a request and its answer are called.
const REQUEST_ID: &str = "X-Request-Id";

/// Name, meaning and example. An answer that is said to have one of them always has it.
const HEADERS: [(&str, &str, &str); 6] = [
    (
        "Content-Disposition",
        "The name of a file to keep it in.",
        "attachment; filename=\"herolo-alice.json\"",
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
            let header = header(meaning, example).into();
            components.headers.insert(name.to_owned(), header);
        }
        let parameter = request_id().into();
        components
            .parameters
            .insert(REQUEST_ID.to_owned(), parameter);
        components.responses.values_mut().for_each(refer);
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let request_id = Ref::new(format!("#/components/parameters/{REQUEST_ID}"));
                operation
                    .parameters
                    .get_or_insert_default()
                    .push(RefOr::Ref(request_id));
                operation.responses.responses.values_mut().for_each(refer);
            }
        }
    }
}

fn header(meaning: &str, example: &str) -> Header {
    let (kind, example): (_, Value) = match example.parse::<u64>() {
        Ok(number) => (Type::Integer, number.into()),
        Err(_) => (Type::String, example.into()),
    };
    HeaderBuilder::new()
        .description(Some(meaning))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .example(Some(example))
        .extensions(Some([("required", true)].into_iter().collect()))
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

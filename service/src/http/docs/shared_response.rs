//! A response to requests that fail. Its examples are the documents of the problems themselves, so the OpenAPI document
//! cannot differ from what the service sends.

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};

use crate::http::problem::Problem;

/// The headers of operations with a rate limit, unless the operator switched the limits off.
pub(crate) const RATE_LIMIT_HEADERS: [&str; 2] = ["RateLimit", "RateLimit-Policy"];

/// A problem by the name of its example.
pub(super) type Example = fn() -> (&'static str, Problem);

/// A response that several operations share.
pub(super) struct SharedResponse {
    /// The name among the components.
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// The path of the examples' requests.
    pub(super) instance: &'static str,
    /// All problems that the response can have. Their statuses are the same.
    pub(super) examples: &'static [Example],
}

impl SharedResponse {
    fn status(&self) -> String {
        let mut statuses = self.examples.iter().map(|example| example().1.status());
        let first = statuses.next().unwrap_or_default();
        debug_assert!(statuses.all(|other| other == first), "{}", self.name);
        first.code.to_string()
    }

    /// Its status, and a reference to it for an operation.
    pub(super) fn reference(&self) -> (String, RefOr<Response>) {
        (self.status(), Ref::from_response_name(self.name).into())
    }

    /// The response itself, with an example of each problem.
    pub(super) fn response(&self) -> Response {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let mut content = ContentBuilder::new().schema(Some(schema));
        let mut response = ResponseBuilder::new().description(self.description);
        for (name, problem) in self.examples.iter().map(|example| example()) {
            let document = problem.document(self.instance);
            let value = serde_json::to_value(document).unwrap_or_default();
            let example = ExampleBuilder::new().value(Some(value)).build();
            content = content.examples_from_iter([(name, example)]);
            if let Some(header) = problem.header() {
                response = response.header(header.name().as_str(), Header::default());
            }
            if matches!(problem, Problem::TooMany(_)) {
                for name in RATE_LIMIT_HEADERS {
                    response = response.header(name, Header::default());
                }
            }
        }
        response
            .content("application/problem+json", content.build())
            .build()
    }
}

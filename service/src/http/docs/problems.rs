//! The responses to requests that fail. Their examples are the documents of the problems themselves, so the OpenAPI
//! document cannot differ from what the service sends.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, Modify};

use super::operations;
use crate::http::problem::Problem;
use crate::model::invalid::FieldError;

/// The headers of operations with a rate limit, unless the operator switched the limits off.
pub(crate) const RATE_LIMIT_HEADERS: [&str; 2] = ["RateLimit", "RateLimit-Policy"];

/// A problem by the name of its example.
type Example = fn() -> (&'static str, Problem);

const RATE: Example = || ("tooMany", Problem::TooMany(Duration::from_secs(2)));
const CONCURRENT_SEARCHES: Example = || ("atOnce", Problem::TooManyAtOnce);
const UNREAD_RESPONSES: Example = || ("answersUnread", Problem::UnreadResponses);
const STREAMS: Example = || {
    let wait = Duration::from_secs(15);
    ("tooManyStreams", Problem::TooManyStreams(wait))
};
const OTHER_USERS_TOKEN: Example = || ("otherUser", Problem::OtherUser);

/// A response that several operations share.
struct SharedResponse {
    /// The name among the components.
    name: &'static str,
    description: &'static str,
    /// The path of the examples' requests.
    instance: &'static str,
    /// All problems that the response can have. Their statuses are the same.
    examples: &'static [Example],
}

const MALFORMED: SharedResponse = SharedResponse {
    name: "Malformed",
    description: "The body is not JSON, or the path, the query or a header is malformed.",
    instance: "/users/alice/messages",
    examples: &[|| {
        let body = "The body is not JSON: expected value at line 1 column 1.";
        ("malformed", Problem::Malformed(body.to_owned()))
    }],
};

const TOKEN_NEEDED: SharedResponse = SharedResponse {
    name: "TokenNeeded",
    description: "The access token is missing or not valid.",
    instance: "/users/alice/messages",
    examples: &[
        || ("missing", Problem::MissingToken),
        || ("invalid", Problem::InvalidToken),
    ],
};

const CREDENTIALS_WRONG: SharedResponse = SharedResponse {
    name: "CredentialsWrong",
    description: "There is no user with this name and password.",
    instance: "/users/alice/token",
    examples: &[|| ("wrong", Problem::WrongCredentials)],
};

const OTHER_USER: SharedResponse = SharedResponse {
    name: "OtherUser",
    description: "The access token belongs to a different user than the path, whether or not the latter exists.",
    instance: "/users/bob/messages",
    examples: &[OTHER_USERS_TOKEN],
};

const NOT_CONFIRMED: SharedResponse = SharedResponse {
    name: "NotConfirmed",
    description: "The access token belongs to a different user, or the password is wrong; `type` says which.",
    instance: "/users/alice/password",
    examples: &[OTHER_USERS_TOKEN, || {
        ("wrongPassword", Problem::WrongPassword)
    }],
};

const NOT_FOUND: SharedResponse = SharedResponse {
    name: "NotFound",
    description: "The message does not exist, or is not yours.",
    instance: "/users/alice/messages/42",
    examples: &[|| ("notFound", Problem::NotFound)],
};

const BODY_TIMEOUT: SharedResponse = SharedResponse {
    name: "TooSlow",
    description: "The body did not arrive within 8 s. Nothing was changed, and the connection is closed.",
    instance: "/users/alice/messages",
    examples: &[|| ("timeout", Problem::BodyTimeout)],
};

const TAKEN: SharedResponse = SharedResponse {
    name: "Taken",
    description: "The username or the e-mail address belongs to another account; `errors` says which.",
    instance: "/users",
    examples: &[|| {
        let errors = vec![FieldError::field("username", "is taken")];
        ("taken", Problem::Conflict(errors))
    }],
};

const TOO_LARGE: SharedResponse = SharedResponse {
    name: "TooLarge",
    description: "The body is larger than 512 KiB.",
    instance: "/users/alice/messages",
    examples: &[|| ("tooLarge", Problem::TooLarge)],
};

const FORM: SharedResponse = SharedResponse {
    name: "Form",
    description: "The content type is that of a form (any other content type is read as JSON), or the body has a \
                  content coding, such as gzip; `type` says which.",
    instance: "/users/alice/messages",
    examples: &[
        || ("form", Problem::UnsupportedMediaType),
        || ("coded", Problem::ContentCoding),
    ],
};

const INVALID: SharedResponse = SharedResponse {
    name: "Invalid",
    description: "A field is missing, not valid or unknown; `errors` lists each.",
    instance: "/users",
    examples: &[|| {
        let errors = vec![
            FieldError::field("username", "must be 3 to 64 characters long"),
            FieldError::field("password", "is missing"),
        ];
        ("invalid", Problem::Invalid(errors))
    }],
};

const NOT_SENT: SharedResponse = SharedResponse {
    name: "NotSent",
    description: "A field is missing, not valid or unknown, or a receiver does not exist; `errors` lists each. \
                  Or the `Idempotency-Key` was used with a different body. `type` says which.",
    instance: "/users/alice/messages",
    examples: &[
        || {
            let detail = "'bob' is not the name of a user";
            let errors = vec![FieldError::field("receiver", detail)];
            ("invalid", Problem::Invalid(errors))
        },
        || ("keyReused", Problem::KeyReused),
    ],
};

const INVALID_QUERY: SharedResponse = SharedResponse {
    name: "InvalidQuery",
    description: "A query parameter is not valid; `errors` lists each.",
    instance: "/users/alice/messages",
    examples: &[|| {
        let detail = "must be a whole number from 1 to 100";
        let errors = vec![FieldError::parameter("per_page", detail)];
        ("invalid", Problem::Invalid(errors))
    }],
};

/// The limits (429) of each group of operations. An operation has one of these groups, because the document holds one
/// response for a status.
const TOO_MANY: SharedResponse = SharedResponse {
    name: "TooMany",
    description: "The client or account sent too many of these requests.",
    instance: "/users/alice/token",
    examples: &[RATE],
};
const TOO_MANY_SENDS: SharedResponse = SharedResponse {
    name: "TooManySends",
    description: "The client or account sent too many messages, or the account has not read its large responses.",
    instance: "/users/alice/messages",
    examples: &[RATE, UNREAD_RESPONSES],
};
const TOO_MANY_SEARCHES: SharedResponse = SharedResponse {
    name: "TooManySearches",
    description: "The client or account searched too often, the account has too many searches in progress, or it has \
                  not read its large responses.",
    instance: "/users/alice/messages",
    examples: &[RATE, CONCURRENT_SEARCHES, UNREAD_RESPONSES],
};
const TOO_MANY_STREAMS: SharedResponse = SharedResponse {
    name: "TooManyStreams",
    description: "The account has 16 event streams open at this replica.",
    instance: "/users/alice/events",
    examples: &[STREAMS],
};
const RESPONSES_UNREAD: SharedResponse = SharedResponse {
    name: "AnswersUnread",
    description: "The account has not read its large responses, which leave no room for another one.",
    instance: "/users/alice/messages",
    examples: &[UNREAD_RESPONSES],
};

/// Of every operation.
const INTERNAL: SharedResponse = SharedResponse {
    name: "Internal",
    description: "The service failed. Its log has the cause under the response's `X-Request-Id`.",
    instance: "/users/alice/messages",
    examples: &[|| ("internal", Problem::internal("a fault"))],
};

const UNAVAILABLE: SharedResponse = SharedResponse {
    name: "Unavailable",
    description: "The database is unavailable, or this replica is overloaded or shutting down.",
    instance: "/users/alice/messages",
    examples: &[|| {
        let problem = Problem::DatabaseUnavailable("out of reach".to_owned());
        ("unavailable", problem)
    }],
};

const ALL: [&SharedResponse; 20] = [
    &MALFORMED,
    &TOKEN_NEEDED,
    &CREDENTIALS_WRONG,
    &OTHER_USER,
    &NOT_CONFIRMED,
    &NOT_FOUND,
    &BODY_TIMEOUT,
    &TAKEN,
    &TOO_LARGE,
    &FORM,
    &INVALID,
    &NOT_SENT,
    &INVALID_QUERY,
    &TOO_MANY,
    &TOO_MANY_SENDS,
    &TOO_MANY_SEARCHES,
    &TOO_MANY_STREAMS,
    &RESPONSES_UNREAD,
    &INTERNAL,
    &UNAVAILABLE,
];

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident: $($shared:ident),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(&$shared),+].into_iter().map(SharedResponse::reference).collect()
            }
        }
    )+};
}

groups! {
    /// Of operations that read a body.
    BodyProblems: MALFORMED, BODY_TIMEOUT, TOO_LARGE, FORM;
    /// Of operations that validate a body.
    Invalid: INVALID;
    /// Of sending.
    NotSent: NOT_SENT;
    /// Of operations that validate query parameters.
    InvalidQuery: INVALID_QUERY;
    /// Of signing up.
    TakenOrInvalid: TAKEN, INVALID;
    /// Of logging in.
    WrongCredentials: CREDENTIALS_WRONG;
    /// Of operations on a user's own resources.
    NotTheCaller: TOKEN_NEEDED, OTHER_USER;
    /// Of operations that require the password in addition to the token.
    NotConfirmed: TOKEN_NEEDED, NOT_CONFIRMED;
    /// Of operations on one message.
    NotFound: NOT_FOUND;
    /// Of operations with a rate limit.
    Limited: TOO_MANY;
    /// Of sending, which has a rate limit and may have a large response.
    LimitedSend: TOO_MANY_SENDS;
    /// Of listing and searching, which has a rate limit and may have a large response.
    LimitedSearch: TOO_MANY_SEARCHES;
    /// Of operations whose response may be large.
    Large: RESPONSES_UNREAD;
    /// Of streaming events.
    Listening: TOO_MANY_STREAMS;
    /// Of operations that need the database.
    Unavailable: UNAVAILABLE;
}

impl SharedResponse {
    fn status(&self) -> String {
        let mut statuses = self.examples.iter().map(|example| example().1.status());
        let first = statuses.next().unwrap_or_default();
        debug_assert!(statuses.all(|other| other == first), "{}", self.name);
        first.code.to_string()
    }

    fn reference(&self) -> (String, RefOr<Response>) {
        (self.status(), Ref::from_response_name(self.name).into())
    }

    fn response(&self) -> Response {
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

/// Adds the shared responses to the components, and to each operation those that every operation has.
pub(crate) struct SharedProblems;

impl Modify for SharedProblems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for shared in ALL {
            let response = shared.response().into();
            components
                .responses
                .insert(shared.name.to_owned(), response);
        }
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let responses = &mut operation.responses.responses;
                let has_parameters = operation.parameters.iter().flatten().next().is_some();
                let common = [has_parameters.then_some(&MALFORMED), Some(&INTERNAL)];
                responses.extend(common.into_iter().flatten().map(SharedResponse::reference));
            }
        }
    }
}

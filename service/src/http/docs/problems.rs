//! The answers to requests that fail. What they show is what the problems themselves say, so it cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, Modify};

use super::operations;
use crate::http::problem::Problem;
use crate::model::invalid::FieldError;

/// An answer that several routes share.
struct Shared {
    /// Its name among the components.
    name: &'static str,
    description: &'static str,
    /// The path of the examples' requests.
    instance: &'static str,
    /// All its kinds of problem, and what each is called. They have one status and one header.
    problems: fn() -> Vec<(&'static str, Problem)>,
}

/// Of every route whose path or query has to be read.
const MALFORMED: Shared = Shared {
    name: "Malformed",
    description: "The body is not JSON, or the path, the query or a header is malformed.",
    instance: "/users/alice/messages",
    problems: || {
        let body = "The body is not JSON: expected value at line 1 column 1.";
        vec![("malformed", Problem::Malformed(body.to_owned()))]
    },
};

const TOKEN_NEEDED: Shared = Shared {
    name: "TokenNeeded",
    description: "There is no valid access token.",
    instance: "/users/alice/messages",
    problems: || {
        vec![
            ("missing", Problem::MissingToken),
            ("invalid", Problem::InvalidToken),
        ]
    },
};

const CREDENTIALS_WRONG: Shared = Shared {
    name: "CredentialsWrong",
    description: "There is no user with this name and password.",
    instance: "/users/alice/token",
    problems: || vec![("wrong", Problem::WrongCredentials)],
};

const OTHER_USER: Shared = Shared {
    name: "OtherUser",
    description: "The access token is another user's, whether or not the one in the path exists.",
    instance: "/users/bob/messages",
    problems: || vec![("otherUser", Problem::OtherUser)],
};

const NOT_CONFIRMED: Shared = Shared {
    name: "NotConfirmed",
    description: "The access token is another user's, or the password is wrong; `type` says which.",
    instance: "/users/alice/password",
    problems: || {
        vec![
            ("otherUser", Problem::OtherUser),
            ("wrongPassword", Problem::WrongPassword),
        ]
    },
};

const NOT_FOUND: Shared = Shared {
    name: "NotFound",
    description: "There is no such message, or it is not yours.",
    instance: "/users/alice/messages/42",
    problems: || vec![("notFound", Problem::NotFound)],
};

const TOO_SLOW: Shared = Shared {
    name: "TooSlow",
    description: "The body did not arrive within 8 s. Nothing was done, and the connection is closed.",
    instance: "/users/alice/messages",
    problems: || vec![("timeout", Problem::BodyTimeout)],
};

const TAKEN: Shared = Shared {
    name: "Taken",
    description: "The username or the e-mail address is another account's; `errors` says which.",
    instance: "/users",
    problems: || {
        let errors = vec![FieldError::field("username", "is taken")];
        vec![("taken", Problem::Conflict(errors))]
    },
};

const TOO_LARGE: Shared = Shared {
    name: "TooLarge",
    description: "The body is over 512 KiB.",
    instance: "/users/alice/messages",
    problems: || vec![("tooLarge", Problem::TooLarge)],
};

const FORM: Shared = Shared {
    name: "Form",
    description: "The body is a form, by its content type (any other one is taken for JSON), or it is compressed, by its \
                  content coding; `type` says which.",
    instance: "/users/alice/messages",
    problems: || {
        vec![
            ("form", Problem::UnsupportedMediaType),
            ("coded", Problem::ContentCoding),
        ]
    },
};

const INVALID: Shared = Shared {
    name: "Invalid",
    description: "A value is missing, not valid or not asked for; `errors` names each.",
    instance: "/users",
    problems: || {
        let errors = vec![
            FieldError::field("username", "must be 3 to 64 characters long"),
            FieldError::field("password", "is missing"),
        ];
        vec![("invalid", Problem::Invalid(errors))]
    },
};

const NOT_SENT: Shared = Shared {
    name: "NotSent",
    description: "A value is missing, not valid or not asked for, or nobody has the name of a receiver: `errors` names each. \
                  Or the `Idempotency-Key` came with another body before; `type` says which.",
    instance: "/users/alice/messages",
    problems: || {
        let errors = vec![FieldError::field(
            "receiver",
            "'bob' is not the name of a user",
        )];
        vec![
            ("invalid", Problem::Invalid(errors)),
            ("keyReused", Problem::KeyReused),
        ]
    },
};

const INVALID_QUERY: Shared = Shared {
    name: "InvalidQuery",
    description: "A parameter is not valid; `errors` names each.",
    instance: "/users/alice/messages",
    problems: || {
        let detail = "must be a whole number from 1 to 100";
        let errors = vec![FieldError::parameter("per_page", detail)];
        vec![("invalid", Problem::Invalid(errors))]
    },
};

const TOO_MANY: Shared = Shared {
    name: "TooMany",
    description: "It was done too often, or too often at once, by this client or for this account.",
    instance: "/users/alice/messages",
    problems: || {
        vec![
            ("tooMany", Problem::TooMany(Duration::from_secs(2))),
            ("atOnce", Problem::TooManyAtOnce),
        ]
    },
};

/// Of the routes whose answers may be large.
const ANSWERS_UNREAD: Shared = Shared {
    name: "AnswersUnread",
    description: "Large answers to this account are still being read, and another one has no room beside them.",
    instance: "/users/alice/messages",
    problems: || vec![("answersUnread", Problem::UnreadResponses)],
};

/// Of sending, whose answer repeats the message.
const TOO_MANY_SENDS: Shared = Shared {
    name: "TooManySends",
    description: "It was done too often by this client or for this account, or the account's large answers are not read.",
    instance: "/users/alice/messages",
    problems: || {
        vec![
            ("tooMany", Problem::TooMany(Duration::from_secs(2))),
            ("answersUnread", Problem::UnreadResponses),
        ]
    },
};

const TOO_MANY_STREAMS: Shared = Shared {
    name: "TooManyStreams",
    description: "This account has 16 streams at this replica.",
    instance: "/users/alice/events",
    problems: || {
        let wait = Duration::from_secs(15);
        vec![("tooManyStreams", Problem::TooManyStreams(wait))]
    },
};

/// Of every route.
const INTERNAL: Shared = Shared {
    name: "Internal",
    description: "A fault of ours. The log has it under the answer's `X-Request-Id`.",
    instance: "/users/alice/messages",
    problems: || vec![("internal", Problem::internal("a fault"))],
};

const UNAVAILABLE: Shared = Shared {
    name: "Unavailable",
    description: "The database is away, or there is more to do than can be done, or this replica is about to stop.",
    instance: "/users/alice/messages",
    problems: || {
        vec![(
            "unavailable",
            Problem::DatabaseUnavailable("out of reach".to_owned()),
        )]
    },
};

const ALL: [&Shared; 19] = [
    &MALFORMED,
    &TOKEN_NEEDED,
    &CREDENTIALS_WRONG,
    &OTHER_USER,
    &NOT_CONFIRMED,
    &NOT_FOUND,
    &TOO_SLOW,
    &TAKEN,
    &TOO_LARGE,
    &FORM,
    &INVALID,
    &NOT_SENT,
    &INVALID_QUERY,
    &TOO_MANY,
    &ANSWERS_UNREAD,
    &TOO_MANY_SENDS,
    &TOO_MANY_STREAMS,
    &INTERNAL,
    &UNAVAILABLE,
];

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident: $($shared:ident),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(&$shared),+].into_iter().map(Shared::reference).collect()
            }
        }
    )+};
}

groups! {
    /// Of every route that reads a body.
    BodyProblems: MALFORMED, TOO_SLOW, TOO_LARGE, FORM;
    /// Of every route that checks values of the body.
    Invalid: INVALID;
    /// Of sending.
    NotSent: NOT_SENT;
    /// Of every route that checks values of the query.
    InvalidQuery: INVALID_QUERY;
    /// Of signing up.
    TakenOrInvalid: TAKEN, INVALID;
    /// Of logging in.
    WrongCredentials: CREDENTIALS_WRONG;
    /// Of every route that belongs to a user.
    NotTheCaller: TOKEN_NEEDED, OTHER_USER;
    /// Of every route that takes the password beside the token.
    NotConfirmed: TOKEN_NEEDED, NOT_CONFIRMED;
    /// Of every route that names a message.
    NotFound: NOT_FOUND;
    /// Of every route that is limited.
    Limited: TOO_MANY;
    /// Of sending, which is limited and whose answer may be large.
    LimitedSend: TOO_MANY_SENDS;
    /// Of every route whose answer may be large.
    Large: ANSWERS_UNREAD;
    /// Of listening.
    Listening: TOO_MANY_STREAMS;
    /// Of every route that needs the database.
    Unavailable: UNAVAILABLE;
}

impl Shared {
    fn status(&self) -> String {
        let statuses: BTreeSet<_> = (self.problems)()
            .iter()
            .map(|(_, problem)| problem.status().code)
            .collect();
        debug_assert_eq!(statuses.len(), 1, "{} has one status", self.name);
        statuses
            .first()
            .copied()
            .map_or_else(String::new, |one| one.to_string())
    }

    fn reference(&self) -> (String, RefOr<Response>) {
        (self.status(), Ref::from_response_name(self.name).into())
    }

    fn response(&self) -> Response {
        let mut content =
            ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        let mut response = ResponseBuilder::new().description(self.description);
        for (name, problem) in (self.problems)() {
            let document = problem.document(self.instance);
            let value = serde_json::to_value(document).unwrap_or_default();
            let example = ExampleBuilder::new().value(Some(value)).build();
            content = content.examples_from_iter([(name, example)]);
            if let Some(header) = problem.header() {
                response = response.header(header.name().as_str(), Header::default());
            }
        }
        response
            .content("application/problem+json", content.build())
            .build()
    }
}

/// Puts the shared answers among the components, and says which of them every route has.
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
                let of_all = [has_parameters.then_some(&MALFORMED), Some(&INTERNAL)];
                responses.extend(of_all.into_iter().flatten().map(Shared::reference));
            }
        }
    }
}

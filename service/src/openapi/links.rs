//! What can be done with an answer: how one request leads to the next.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::RefOr;
use utoipa::openapi::link::LinkBuilder;

use crate::http::docs::operations;

/// From an answer to a request that its values make.
struct Step {
    /// The operation that is answered, and the status of the answer.
    from: (&'static str, &'static str),
    to: &'static str,
    /// Name and runtime expression of each parameter.
    parameters: &'static [(&'static str, &'static str)],
    /// The runtime expression of the body. Only a string: generators of clients refuse anything else.
    body: Option<&'static str>,
    description: &'static str,
}

const SAME_USER: (&str, &str) = ("username", "$request.path.username");
const SAME_MESSAGE: (&str, &str) = ("id", "$request.path.id");
const NEW_MESSAGE: (&str, &str) = ("id", "$response.body#/id");

/// A step whose body, if any, the answer does not have.
const fn step(
    from: (&'static str, &'static str),
    to: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    description: &'static str,
) -> Step {
    Step {
        from,
        to,
        parameters,
        body: None,
        description,
    }
}

const STEPS: [Step; 18] = [
    step(
        ("createUser", "201"),
        "issueToken",
        &[("username", "$response.body#/username")],
        "Log in to the new account, with its password.",
    ),
    step(
        ("changePassword", "204"),
        "issueToken",
        &[SAME_USER],
        "Log in with the new password.",
    ),
    Step {
        from: ("issueToken", "201"),
        to: "deleteAccount",
        parameters: &[SAME_USER],
        body: Some("$request.body"),
        description: "Delete the account, with the token.",
    },
    step(
        ("issueToken", "201"),
        "getAccount",
        &[SAME_USER],
        "Look at the account, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "sendMessage",
        &[SAME_USER],
        "Send a message, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "listMessages",
        &[SAME_USER],
        "Read what arrived, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "streamEvents",
        &[SAME_USER],
        "Listen to what arrives, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "exportAccount",
        &[SAME_USER],
        "Export all of it, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "revokeTokens",
        &[SAME_USER],
        "Revoke the token and all others.",
    ),
    step(
        ("sendMessage", "201"),
        "getMessage",
        &[SAME_USER, NEW_MESSAGE],
        "Read the message as its sender.",
    ),
    step(
        ("sendMessage", "201"),
        "markMessage",
        &[("username", "$response.body#/receiver"), NEW_MESSAGE],
        "Mark the message, as its receiver and with their token.",
    ),
    step(
        ("sendMessage", "201"),
        "deleteMessage",
        &[SAME_USER, NEW_MESSAGE],
        "Delete the message for everybody.",
    ),
    step(
        ("getMessage", "200"),
        "markMessage",
        &[SAME_USER, SAME_MESSAGE],
        "Mark the message, if you received it.",
    ),
    step(
        ("getMessage", "200"),
        "deleteMessage",
        &[SAME_USER, SAME_MESSAGE],
        "Delete the message.",
    ),
    step(
        ("markMessage", "200"),
        "getMessage",
        &[SAME_USER, SAME_MESSAGE],
        "Read the message.",
    ),
    step(
        ("markMessage", "200"),
        "listMessages",
        &[SAME_USER],
        "Read what else arrived.",
    ),
    step(
        ("markMessage", "200"),
        "deleteMessage",
        &[SAME_USER, SAME_MESSAGE],
        "Take the message out of your feed.",
    ),
    step(
        ("deleteMessage", "204"),
        "listMessages",
        &[SAME_USER],
        "Read what is left.",
    ),
];

/// Adds the steps to the answers.
pub(super) struct Links;

impl Modify for Links {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let id = operation.operation_id.clone().unwrap_or_default();
                for step in STEPS.iter().filter(|step| step.from.0 == id) {
                    let responses = &mut operation.responses.responses;
                    if let Some(RefOr::T(response)) = responses.get_mut(step.from.1) {
                        response
                            .links
                            .insert(step.to.to_owned(), step.link().into());
                    }
                }
            }
        }
    }
}

impl Step {
    fn link(&self) -> utoipa::openapi::link::Link {
        let link = LinkBuilder::new()
            .operation_id(self.to)
            .description(self.description)
            .request_body(self.body.map(Value::from));
        let parameters = self.parameters.iter().copied();
        parameters
            .fold(link, |link, (name, value)| {
                link.parameter(name, Value::from(value))
            })
            .build()
    }
}

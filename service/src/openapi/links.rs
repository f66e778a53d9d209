//! Links: the requests that a response leads to.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::RefOr;
use utoipa::openapi::link::LinkBuilder;

use crate::http::docs::operations;

/// A link from a response to a request that uses its values.
struct Step {
    /// The operation and the status of the response.
    from: (&'static str, &'static str),
    to: &'static str,
    /// Name and runtime expression of each parameter.
    parameters: &'static [(&'static str, &'static str)],
    /// The runtime expression of the body; a string, because client generators reject anything else.
    body: Option<&'static str>,
    description: &'static str,
}

const SAME_USER: (&str, &str) = ("username", "$request.path.username");
const SAME_MESSAGE: (&str, &str) = ("id", "$request.path.id");
const SAME_NAME: (&str, &str) = ("name", "$request.path.name");
const NEW_ID: (&str, &str) = ("id", "$response.body#/id");

/// A step without a body from the response.
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

const STEPS: [Step; 26] = [
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
    step(
        ("completePasswordReset", "200"),
        "issueToken",
        &[("username", "$response.body#/username")],
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
        "Get the account, with the token.",
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
        "List the received messages, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "streamEvents",
        &[SAME_USER],
        "Stream new messages, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "exportAccount",
        &[SAME_USER],
        "Export the account's data, with the token.",
    ),
    step(
        ("issueToken", "201"),
        "revokeTokens",
        &[SAME_USER],
        "Revoke the token and all others of the account.",
    ),
    step(
        ("sendMessage", "201"),
        "getMessage",
        &[SAME_USER, NEW_ID],
        "Read the message as its sender.",
    ),
    step(
        ("sendMessage", "201"),
        "markMessage",
        &[("username", "$response.body#/receiver"), NEW_ID],
        "Mark the message, as its receiver, with the receiver's token.",
    ),
    step(
        ("sendMessage", "201"),
        "deleteMessage",
        &[SAME_USER, NEW_ID],
        "Delete the message for all receivers.",
    ),
    step(
        ("issueToken", "201"),
        "createInvitation",
        &[SAME_USER],
        "Invite someone, with the token, if users can.",
    ),
    step(
        ("createInvitation", "201"),
        "deleteInvitation",
        &[SAME_USER, NEW_ID],
        "Delete the invitation.",
    ),
    step(
        ("createInvitation", "201"),
        "listInvitations",
        &[SAME_USER],
        "List the open invitations.",
    ),
    step(
        ("issueToken", "201"),
        "listBlocks",
        &[SAME_USER],
        "List the users that you block, with the token.",
    ),
    step(
        ("blockUser", "204"),
        "listBlocks",
        &[SAME_USER],
        "List the users that you block.",
    ),
    step(
        ("blockUser", "204"),
        "unblockUser",
        &[SAME_USER, SAME_NAME],
        "Unblock the user.",
    ),
    step(
        ("unblockUser", "204"),
        "blockUser",
        &[SAME_USER, SAME_NAME],
        "Block the user again.",
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
        "List the received messages.",
    ),
    step(
        ("markMessage", "200"),
        "deleteMessage",
        &[SAME_USER, SAME_MESSAGE],
        "Remove the message from your inbox.",
    ),
    step(
        ("deleteMessage", "204"),
        "listMessages",
        &[SAME_USER],
        "List the remaining messages.",
    ),
];

/// Adds the links to the responses.
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

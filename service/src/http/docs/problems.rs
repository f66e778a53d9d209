//! The table of the responses to requests that fail, and which operations have which. It is one file, if a long one,
//! because it is read like a table: a response is looked up by its name, and so are the groups that contain it.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;
use utoipa::{IntoResponses, Modify};

use crate::http::docs::operations::operations;
use crate::http::docs::shared_response::{Example, SharedResponse};
use crate::http::problem::Problem;
use crate::model::invalid::FieldError;

const RATE: Example = || ("tooMany", Problem::TooMany(Duration::from_secs(2)));
const CONCURRENT_SEARCHES: Example = || ("atOnce", Problem::TooManyAtOnce);
const UNREAD_RESPONSES: Example = || ("answersUnread", Problem::UnreadResponses);
const STREAMS: Example = || {
    let wait = Duration::from_secs(15);
    ("tooManyStreams", Problem::TooManyStreams(wait))
};
const OTHER_USERS_TOKEN: Example = || ("otherUser", Problem::OtherUser);
const SUSPENSION: Example = || ("suspended", Problem::AccountSuspended);

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

const ACCOUNT_SUSPENDED: SharedResponse = SharedResponse {
    name: "AccountSuspended",
    description: "The password is right, but the account is suspended.",
    instance: "/users/alice/token",
    examples: &[SUSPENSION],
};

const OTHER_USER: SharedResponse = SharedResponse {
    name: "OtherUser",
    description: "The access token belongs to a different user than the path, whether or not the latter exists, or the \
                  account is suspended; `type` says which.",
    instance: "/users/bob/messages",
    examples: &[OTHER_USERS_TOKEN, SUSPENSION],
};

const NOT_CONFIRMED: SharedResponse = SharedResponse {
    name: "NotConfirmed",
    description: "The access token belongs to a different user, the account is suspended, or the password is wrong; \
                  `type` says which.",
    instance: "/users/alice/password",
    examples: &[OTHER_USERS_TOKEN, SUSPENSION, || {
        ("wrongPassword", Problem::WrongPassword)
    }],
};

const SIGN_UP_REFUSED: SharedResponse = SharedResponse {
    name: "SignUpRefused",
    description: "The service accepts no sign-ups, or none without an invitation, or the invitation is wrong, used or \
                  expired; `type` says which.",
    instance: "/users",
    examples: &[
        || ("closed", Problem::SignUpsClosed),
        || ("invitationNeeded", Problem::InvitationNeeded),
        || ("invitationInvalid", Problem::InvitationInvalid),
    ],
};

const NO_INVITING: SharedResponse = SharedResponse {
    name: "NoInviting",
    description: "The access token belongs to a different user, the account is suspended, or users cannot invite \
                  others; `type` says which.",
    instance: "/users/alice/invitations",
    examples: &[OTHER_USERS_TOKEN, SUSPENSION, || {
        ("invitationsOff", Problem::InvitationsOff)
    }],
};

const NO_VERIFYING: SharedResponse = SharedResponse {
    name: "NoVerifying",
    description: "The access token belongs to a different user, the account is suspended, or the service sends no \
                  mails; `type` says which.",
    instance: "/users/alice/email-verifications",
    examples: &[OTHER_USERS_TOKEN, SUSPENSION, MAIL_OFF],
};

const MAIL_OFF: Example = || ("mailOff", Problem::MailOff);
const RESETS_OFF: Example = || ("resetsOff", Problem::ResetsOff);
const NO_MAIL: SharedResponse = SharedResponse {
    name: "NoMail",
    description: "The service sends no mails.",
    instance: "/password-resets",
    examples: &[RESETS_OFF],
};
const CODE_REFUSED: SharedResponse = SharedResponse {
    name: "CodeRefused",
    description: "The code is wrong, used or expired, or the service sends no mails; `type` says which.",
    instance: "/password-resets/completion",
    examples: &[|| ("codeInvalid", Problem::CodeInvalid), RESETS_OFF],
};

const CODE_WRONG: SharedResponse = SharedResponse {
    name: "CodeWrong",
    description: "The code is wrong or expired.",
    instance: "/unread-notices/3k9v0c7m2x8q5r1t6w4z0hjnpd/stop",
    examples: &[|| ("codeInvalid", Problem::CodeInvalid)],
};

const NOT_FOUND: SharedResponse = SharedResponse {
    name: "NotFound",
    description: "The resource does not exist, or is not yours.",
    instance: "/users/alice/messages/42",
    examples: &[|| ("notFound", Problem::NotFound)],
};

const NO_SUCH_USER: SharedResponse = SharedResponse {
    name: "NoSuchUser",
    description: "There is no user with this name.",
    instance: "/users/alice/blocks/mallory",
    examples: &[|| ("notFound", Problem::NoSuchUser)],
};

const BLOCK_LIMIT: SharedResponse = SharedResponse {
    name: "BlockLimit",
    description: "The account blocks 500 users, which is the maximum.",
    instance: "/users/alice/blocks/mallory",
    examples: &[|| ("blockLimit", Problem::TooManyBlocks)],
};

const OWN_ACCOUNT: SharedResponse = SharedResponse {
    name: "OwnAccount",
    description: "The user to block is the account itself.",
    instance: "/users/alice/blocks/alice",
    examples: &[|| ("ownAccount", Problem::OwnAccount)],
};

const BODY_TIMEOUT: SharedResponse = SharedResponse {
    name: "TooSlow",
    description: "The body did not arrive within 8 s. Nothing was changed, and the connection is closed.",
    instance: "/users/alice/messages",
    examples: &[|| ("timeout", Problem::BodyTimeout)],
};

const TAKEN: SharedResponse = SharedResponse {
    name: "Taken",
    description: "The username or the e-mail address, or the address that a code is for, belongs to another account; \
                  `errors` says which.",
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

/// The limits (429) of each group of operations. An operation has one of these groups, because a document has one
/// response per status.
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
const TOO_MANY_INVITATIONS: SharedResponse = SharedResponse {
    name: "TooManyInvitations",
    description: "The account has made its maximum of invitations in seven days, used ones included.",
    instance: "/users/alice/invitations",
    examples: &[|| {
        let wait = Duration::from_hours(1);
        ("tooManyInvitations", Problem::TooManyInvitations(wait))
    }],
};
const RESPONSES_UNREAD: SharedResponse = SharedResponse {
    name: "AnswersUnread",
    description: "The account has not read its large responses, which leave no room for another one.",
    instance: "/users/alice/messages",
    examples: &[UNREAD_RESPONSES],
};

/// The response of every operation to an internal error.
const INTERNAL: SharedResponse = SharedResponse {
    name: "Internal",
    description: "The service failed. Its log has the cause under the response's `X-Request-Id`.",
    instance: "/users/alice/messages",
    examples: &[|| ("internal", Problem::internal("an error"))],
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

const ALL: [&SharedResponse; 31] = [
    &MALFORMED,
    &TOKEN_NEEDED,
    &CREDENTIALS_WRONG,
    &ACCOUNT_SUSPENDED,
    &OTHER_USER,
    &NOT_CONFIRMED,
    &SIGN_UP_REFUSED,
    &NO_INVITING,
    &NO_VERIFYING,
    &NO_MAIL,
    &CODE_REFUSED,
    &CODE_WRONG,
    &NOT_FOUND,
    &NO_SUCH_USER,
    &BLOCK_LIMIT,
    &OWN_ACCOUNT,
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
    &TOO_MANY_INVITATIONS,
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
    /// Of POSTs without a body, which the content type of a form makes forms nevertheless.
    FormProblems: FORM;
    /// Of operations that validate a body.
    Invalid: INVALID;
    /// Of sending.
    SendProblems: NOT_SENT;
    /// Of operations that validate query parameters.
    InvalidQuery: INVALID_QUERY;
    /// Of signing up.
    TakenOrInvalid: TAKEN, INVALID;
    /// Of signing up, which the operator may restrict.
    SignUpRefused: SIGN_UP_REFUSED;
    /// Of logging in.
    LoginProblems: CREDENTIALS_WRONG, ACCOUNT_SUSPENDED;
    /// Of operations on a user's own resources.
    AuthProblems: TOKEN_NEEDED, OTHER_USER;
    /// Of inviting others.
    InviteProblems: TOKEN_NEEDED, NO_INVITING;
    /// Of having an address verified.
    VerificationProblems: TOKEN_NEEDED, NO_VERIFYING;
    /// Of operations that need mails.
    MailOff: NO_MAIL;
    /// Of operations with a code from a mail.
    CodeProblems: CODE_REFUSED;
    /// Of stopping mails with a code.
    WrongCode: CODE_WRONG;
    /// Of operations that require the password in addition to the token.
    ReauthProblems: TOKEN_NEEDED, NOT_CONFIRMED;
    /// Of operations on one message or invitation.
    NotFound: NOT_FOUND;
    /// Of unblocking a user.
    NoSuchUser: NO_SUCH_USER;
    /// Of blocking a user.
    BlockProblems: NO_SUCH_USER, BLOCK_LIMIT, OWN_ACCOUNT;
    /// Of operations with a rate limit.
    Limited: TOO_MANY;
    /// Of sending, which has a rate limit and may have a large response.
    LimitedSend: TOO_MANY_SENDS;
    /// Of listing and searching, which has a rate limit and may have a large response.
    LimitedSearch: TOO_MANY_SEARCHES;
    /// Of operations whose response may be large.
    LargeResponse: RESPONSES_UNREAD;
    /// Of streaming events.
    StreamLimits: TOO_MANY_STREAMS;
    /// Of inviting others.
    InvitationLimit: TOO_MANY_INVITATIONS;
    /// Of operations that need the database.
    Unavailable: UNAVAILABLE;
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

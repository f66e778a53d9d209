//! The problems of the API, and the table of their statuses, types and titles.

use std::time::Duration;

use rocket::Request;
use rocket::http::{Method, Status};

use crate::db;
use crate::model::invalid::FieldError;

/// An error that the API reports.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// The body is not JSON, or the request itself is malformed.
    Malformed(String),
    /// The request has no access token.
    MissingToken,
    /// The access token has expired, was revoked, or was not issued by this service.
    InvalidToken,
    /// The user does not exist or has a different password.
    WrongCredentials,
    /// The access token belongs to a different user than the path.
    OtherUser,
    /// The password that a sensitive request repeats is wrong.
    WrongPassword,
    /// The operator has suspended the account.
    AccountSuspended,
    /// The service accepts no sign-ups.
    SignUpsClosed,
    /// The service accepts sign-ups with an invitation only.
    InvitationNeeded,
    /// There is no open invitation with this code.
    InvitationInvalid,
    /// Users cannot invite others.
    InvitationsOff,
    /// The service sends no mails.
    MailOff,
    /// The service sends no mails, so a forgotten password cannot be replaced by its owner.
    ResetsOff,
    /// The code of a mail is wrong, was used, or has expired.
    CodeInvalid,
    /// The resource does not exist or is not visible to the caller.
    NotFound,
    /// The resource is about a user who does not exist.
    NoSuchUser,
    /// The path exists, but only for these methods.
    MethodNotAllowed(Vec<Method>),
    /// The body did not arrive in time.
    BodyTimeout,
    /// A unique value is already in use.
    Conflict(Vec<FieldError>),
    /// The account blocks the maximum number of users.
    TooManyBlocks,
    /// The body exceeds the limit.
    TooLarge,
    /// The body is a form.
    UnsupportedMediaType,
    /// The body is compressed or has another content coding.
    ContentCoding,
    /// Values are not valid.
    Invalid(Vec<FieldError>),
    /// An account is to block itself.
    OwnAccount,
    /// The `Idempotency-Key` was used with a different body.
    KeyReused,
    /// A client or account exceeded its rate limit; with the time until the next request is accepted.
    TooMany(Duration),
    /// An account has too many searches in progress.
    TooManyAtOnce,
    /// An account has the maximum number of event streams open; with the time until one may have ended.
    TooManyStreams(Duration),
    /// An account has made the maximum number of invitations; with the time until it can make another one.
    TooManyInvitations(Duration),
    /// The account's unread large responses leave no room for another one.
    UnreadResponses,
    /// The service is overloaded or shutting down; with a sentence that says which.
    Unavailable(&'static str),
    /// The database cannot be reached. The reason is only logged.
    DatabaseUnavailable(String),
    /// An internal error. The reason is only logged.
    Internal(String),
    /// Any other error of Rocket.
    Other(Status),
}

/// The constant parts of a problem document (RFC 9457 section 3.1).
pub(super) struct Spec {
    pub(super) status: Status,
    /// The last part of `type`. It is part of the API's contract, unlike the title.
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
}

impl Problem {
    /// An internal error.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> Status {
        self.spec().status
    }

    /// Keeps the problem for the catcher and returns its status, which is all that a failing guard can hand to Rocket.
    pub(crate) fn stash_for_catcher(self, request: &Request<'_>) -> Status {
        let status = self.status();
        request.local_cache(|| Some(self));
        status
    }

    /// Has the catcher respond to a request with the problem, from a fairing that runs before routing.
    pub(crate) fn refuse(self, request: &mut Request<'_>) {
        self.stash_for_catcher(request);
        // Routing then fails, because no route has this method.
        request.set_method(Method::Connect);
    }

    /// The problem from [`Self::stash_for_catcher`].
    pub(super) fn stashed<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.local_cache(|| None::<Self>).as_ref()
    }

    /// The table of all problems.
    #[rustfmt::skip]
    pub(super) fn spec(&self) -> Spec {
        let (status, kind, title) = match self {
            Self::Malformed(_) => (400, "malformed", "The request is malformed"),
            Self::MissingToken => (401, "token-missing", "An access token is required"),
            Self::InvalidToken => (401, "token-invalid", "The access token is not valid"),
            Self::WrongCredentials => (401, "credentials-wrong", "The username or password is wrong"),
            Self::OtherUser => (403, "other-user", "The access token belongs to a different user"),
            Self::WrongPassword => (403, "password-wrong", "The password is wrong"),
            Self::AccountSuspended => (403, "account-suspended", "The account is suspended"),
            Self::SignUpsClosed => (403, "sign-ups-closed", "The service accepts no sign-ups"),
            Self::InvitationNeeded => (403, "invitation-needed", "Signing up takes an invitation"),
            Self::InvitationInvalid => (403, "invitation-invalid", "The invitation is not valid"),
            Self::InvitationsOff => (403, "invitations-off", "Users cannot invite others"),
            Self::MailOff | Self::ResetsOff => (403, "mail-off", "The service sends no mails"),
            Self::CodeInvalid => (403, "code-invalid", "The code is not valid"),
            Self::NotFound | Self::NoSuchUser => (404, "not-found", "Not found"),
            Self::MethodNotAllowed(_) => (405, "method-not-allowed", "The method is not allowed for this path"),
            Self::BodyTimeout => (408, "timeout", "The body took too long to arrive"),
            Self::Conflict(_) => (409, "taken", "A value is already taken"),
            Self::TooManyBlocks => (409, "block-limit", "The account blocks the maximum number of users"),
            Self::TooLarge => (413, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body must be JSON"),
            Self::ContentCoding => (415, "unsupported-content-coding", "The body must not be compressed"),
            Self::Invalid(_) => (422, "invalid", "A value is not valid"),
            Self::OwnAccount => (422, "own-account", "An account cannot block itself"),
            Self::KeyReused => (422, "key-reused", "The Idempotency-Key was used for a different message"),
            Self::TooMany(_) | Self::TooManyAtOnce | Self::TooManyStreams(_) | Self::TooManyInvitations(_) =>
                (429, "too-many", "Too many requests"),
            Self::UnreadResponses => (429, "answers-unread", "Large responses have not been read"),
            Self::Unavailable(_) | Self::DatabaseUnavailable(_) =>
                (503, "unavailable", "The service is temporarily unavailable"),
            Self::Internal(_) => (500, "internal", "Internal server error"),
            Self::Other(status) => (status.code, "other", status.reason_lossy()),
        };
        Spec { status: Status::new(status), kind, title }
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Unavailable(_) | db::Error::NoSchema => {
                Self::DatabaseUnavailable(error.to_string())
            }
            error => Self::internal(error),
        }
    }
}

//! The body of a problem (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use rocket::http::Method;
use serde::Serialize;

use crate::http::body_limits::{BODY_DEADLINE, BODY_LIMIT_BYTES};
use crate::http::problem::spec::{Problem, Spec};
use crate::model::block::MAX_BLOCKS;
use crate::model::invalid::FieldError;

/// A problem document (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// Identifies the kind of problem, for programs; stable. The examples of each response list all types that it can
    /// have; types may be added.
    #[serde(rename = "type")]
    #[schema(
        format = "uri",
        pattern = "^urn:problem-type:herolo:[a-z-]+$",
        example = "urn:problem-type:herolo:not-found"
    )]
    kind: String,
    /// A short description of the kind of problem, for people.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The error of this request, and the fix.
    detail: Cow<'a, str>,
    /// The path of the request.
    instance: &'a str,
    /// The values that are wrong, if any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
}

impl Problem {
    /// The document for a request to the path `instance`.
    pub(crate) fn document<'a>(&'a self, instance: &'a str) -> Document<'a> {
        let Spec {
            status,
            kind,
            title,
        } = self.spec();
        Document {
            kind: format!("urn:problem-type:herolo:{kind}"),
            title,
            status: status.code,
            detail: self.detail(),
            instance,
            errors: self.errors(),
        }
    }

    #[rustfmt::skip]
    #[expect(clippy::too_many_lines, reason = "a table with an entry for each problem")]
    fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Malformed(detail) => detail.into(),
            Self::MissingToken =>
                "Send the header 'Authorization: Bearer <access token>'; POST /users/<username>/token issues a token."
                    .into(),
            Self::InvalidToken =>
                "The access token has expired, was revoked, or was not issued by this service; \
                 POST /users/<username>/token issues a new one.".into(),
            Self::WrongCredentials => "There is no user with this name and password.".into(),
            Self::OtherUser => "The access token was not issued to the user in the path.".into(),
            Self::WrongPassword =>
                "This request requires the account's password in addition to the access token.".into(),
            Self::AccountSuspended =>
                "The operator of this service has suspended this account; ask the operator.".into(),
            Self::SignUpsClosed =>
                "This service accepts no sign-ups; ask its operator for an account.".into(),
            Self::InvitationNeeded =>
                "Send the code of an invitation as 'invitation'; the operator of this service makes invitations, \
                 and so do users if GET /service says that they can.".into(),
            Self::InvitationInvalid =>
                "There is no open invitation with this code: it was used, has expired, or is mistyped. \
                 Check it, or ask for a new one.".into(),
            Self::InvitationsOff =>
                "On this service only the operator invites; ask the operator for an invitation.".into(),
            Self::MailOff =>
                "This service sends no mails, so that no address is verified and there are no notices; an account \
                 works without either, and only the operator of the service can turn mails on.".into(),
            Self::ResetsOff =>
                "This service sends no mails; ask its operator, who can set a new password for an account.".into(),
            Self::CodeInvalid =>
                "This code is not valid: it was used, has expired, or is mistyped. \
                 Check it; a code for a password or an address can be requested again.".into(),
            Self::NotFound => "There is nothing at this path.".into(),
            Self::NoSuchUser => "There is no user with the name at the end of the path; check its spelling.".into(),
            Self::MethodNotAllowed(methods) => format!("This path allows {}.", list(methods)).into(),
            Self::BodyTimeout => format!(
                "The body did not arrive within {} s; nothing was changed. Send the request again.",
                BODY_DEADLINE.as_secs()
            ).into(),
            Self::Conflict(errors) | Self::Invalid(errors) => summary(errors).into(),
            Self::TooManyBlocks =>
                format!("This account blocks {MAX_BLOCKS} users, which is the maximum; unblock one first.").into(),
            Self::TooLarge => format!("The body is larger than {} KiB.", BODY_LIMIT_BYTES / 1024).into(),
            Self::UnsupportedMediaType =>
                "Forms are not accepted; send JSON with 'Content-Type: application/json'.".into(),
            Self::ContentCoding =>
                "Compressed bodies are not accepted; send the body uncompressed, without 'Content-Encoding'.".into(),
            Self::OwnAccount => "The user to block is this account itself; name another one.".into(),
            Self::KeyReused =>
                "This Idempotency-Key was used for a different message; use a new key for each message.".into(),
            Self::TooMany(wait) => format!(
                "Too many requests from this client or for this account; retry in {} s.",
                retry_seconds(*wait)
            ).into(),
            Self::TooManyAtOnce =>
                "This account has too many searches in progress; send them one after the other.".into(),
            Self::TooManyStreams(wait) => format!(
                "This account has too many event streams open; close one, or retry in {} s.",
                retry_seconds(*wait)
            ).into(),
            Self::TooManyInvitations(wait) => format!(
                "This account has made all its invitations of seven days; delete one that was not used, \
                 or retry in {} s.",
                retry_seconds(*wait)
            ).into(),
            Self::UnreadResponses =>
                "Large responses to this account have not been read yet; read them to the end, \
                 and request fewer at once.".into(),
            Self::Unavailable(reason) => (*reason).into(),
            Self::DatabaseUnavailable(_) => "The database is unavailable; retry in a moment.".into(),
            Self::Internal(_) => "The cause is in the server's log under this response's X-Request-Id.".into(),
            Self::Other(status) => format!("The server responded with {status}.").into(),
        }
    }

    fn errors(&self) -> &[FieldError] {
        match self {
            Self::Conflict(errors) | Self::Invalid(errors) => errors,
            _ => &[],
        }
    }
}

/// The methods as the `Allow` header lists them.
pub(super) fn list(methods: &[Method]) -> String {
    methods
        .iter()
        .map(|method| method.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The wait as `Retry-After` has it: rounded up, so that the wait is over by then (RFC 9110 section 10.2.3).
pub(super) fn retry_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// All errors in one line, for clients that show only `detail`.
fn summary(errors: &[FieldError]) -> String {
    let lines: Vec<_> = errors
        .iter()
        .map(|error| {
            match error
                .pointer
                .trim_start_matches("#/")
                .trim_start_matches('?')
            {
                "" | "#" => format!("the body {}", error.detail),
                name => format!("{name} {}", error.detail),
            }
        })
        .collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_each_value_once() {
        let errors = [
            FieldError::field("email", "is missing"),
            FieldError::parameter("page", "must be a number"),
            FieldError {
                pointer: "#".to_owned(),
                detail: "must be an object".to_owned(),
            },
        ];
        assert_eq!(
            summary(&errors),
            "email is missing; page must be a number; the body must be an object"
        );
    }
}

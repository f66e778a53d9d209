//! The one error type of the API: every error is a problem document (RFC 9457), those of the framework included.

pub(crate) mod document;

use std::borrow::Cow;
use std::io::Cursor;
use std::time::Duration;

use rocket::Request;
use rocket::http::{ContentType, Header, Method, Status};
use rocket::response::{self, Responder, Response};

use self::document::Document;
use crate::db;
use crate::http::body_limits::{BODY_DEADLINE, BODY_LIMIT_BYTES};
use crate::http::closing::Closing;
use crate::http::{headers, request_id};
use crate::model::invalid::FieldError;

/// Seconds after which a client of a busy service may come again.
const RETRY_SECONDS: u32 = 1;

/// What to do with a body that is compressed.
const NO_CODING: &str =
    "Bodies are taken as they are only; send it uncompressed, without 'Content-Encoding'.";
/// How to go on after [`Problem::UnreadAnswers`].
const UNREAD_ANSWERS: &str = "Large answers to this account are still being read; read them to their end, and ask for fewer at once.";

/// Everything that can go wrong for a caller. Each variant's text opens with its status.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// 400: the body is not JSON, or the request itself is malformed.
    Malformed(String),
    /// 401: no token came along.
    MissingToken,
    /// 401: the token is not ours, is over, or was revoked.
    InvalidToken,
    /// 401: no such user, or another password.
    WrongCredentials,
    /// 403: the path is another user's.
    OtherUser,
    /// 403: the password that was asked for again is another one.
    WrongPassword,
    /// 404: not there, or not the caller's.
    NotFound,
    /// 405: the path exists, for these methods.
    MethodNotAllowed(Vec<Method>),
    /// 408: the body did not arrive in time.
    TooSlow,
    /// 409: taken values.
    Conflict(Vec<FieldError>),
    /// 413: the body is over the limit.
    TooLarge,
    /// 415: a form.
    UnsupportedMediaType,
    /// 415: a body that is compressed, or coded otherwise.
    CodedBody,
    /// 422: values that are not valid.
    Invalid(Vec<FieldError>),
    /// 422: an `Idempotency-Key` that came with another body before.
    KeyReused,
    /// 429: more than one client or account may do; with the time until the next may come.
    TooMany(Duration),
    /// 429: an account that asks for too much at the same time.
    TooManyAtOnce,
    /// 429: as many streams of events as an account may have here; with the time until one may have ended.
    TooManyStreams(Duration),
    /// 429: the account's large answers that are not yet read leave no room for one more.
    UnreadAnswers,
    /// 503: the service is about to stop, or has more to do than it can.
    Unavailable(&'static str),
    /// 503: the database is away. How so stands in the log only.
    DatabaseAway(String),
    /// 500: a fault of ours. What it is stands in the log only.
    Internal(String),
    /// Whatever else the framework answers with.
    Other(Status),
}

impl Problem {
    /// A fault of ours.
    pub(crate) fn internal(fault: impl std::fmt::Display) -> Self {
        Self::Internal(fault.to_string())
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Malformed(_) => Status::BadRequest,
            Self::MissingToken | Self::InvalidToken | Self::WrongCredentials => {
                Status::Unauthorized
            }
            Self::OtherUser | Self::WrongPassword => Status::Forbidden,
            Self::NotFound => Status::NotFound,
            Self::MethodNotAllowed(_) => Status::MethodNotAllowed,
            Self::TooSlow => Status::RequestTimeout,
            Self::Conflict(_) => Status::Conflict,
            Self::TooLarge => Status::PayloadTooLarge,
            Self::UnsupportedMediaType | Self::CodedBody => Status::UnsupportedMediaType,
            Self::Invalid(_) | Self::KeyReused => Status::UnprocessableEntity,
            Self::TooMany(_)
            | Self::TooManyAtOnce
            | Self::TooManyStreams(_)
            | Self::UnreadAnswers => Status::TooManyRequests,
            Self::Unavailable(_) | Self::DatabaseAway(_) => Status::ServiceUnavailable,
            Self::Internal(_) => Status::InternalServerError,
            Self::Other(status) => *status,
        }
    }

    /// For a guard that fails: it may only say so by a status, and the rest of the story waits for the catcher.
    pub(crate) fn stash_for_catcher(self, request: &Request<'_>) -> Status {
        let status = self.status();
        request.local_cache(|| Some(self));
        status
    }

    /// What the caller gets to read about it, as the answer to a request for the path `instance`.
    pub(crate) fn document<'a>(&'a self, instance: &'a str) -> Document<'a> {
        let (kind, title) = self.kind();
        Document {
            kind: format!("urn:problem-type:herolo:{kind}"),
            title,
            status: self.status().code,
            detail: self.detail(),
            instance,
            errors: self.errors(),
        }
    }

    /// The last part of `type`, and `title`.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed(_) => ("malformed", "The request is malformed"),
            Self::MissingToken => ("token-missing", "An access token is needed"),
            Self::InvalidToken => ("token-invalid", "The access token is not valid"),
            Self::WrongCredentials => ("credentials-wrong", "Username or password is wrong"),
            Self::OtherUser => ("other-user", "This belongs to another user"),
            Self::WrongPassword => ("password-wrong", "The password is wrong"),
            Self::NotFound => ("not-found", "There is nothing here"),
            Self::MethodNotAllowed(_) => ("method-not-allowed", "The method does not apply here"),
            Self::TooSlow => ("timeout", "The body took too long"),
            Self::Conflict(_) => ("taken", "A value is taken"),
            Self::TooLarge => ("too-large", "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", "The body must be JSON"),
            Self::CodedBody => ("unsupported-content-coding", "The body is compressed"),
            Self::Invalid(_) => ("invalid", "A value is not valid"),
            Self::KeyReused => ("key-reused", "The Idempotency-Key is another request's"),
            Self::TooMany(_) | Self::TooManyAtOnce | Self::TooManyStreams(_) => {
                ("too-many", "This was done too often")
            }
            Self::UnreadAnswers => ("answers-unread", "Large answers wait to be read"),
            Self::Unavailable(_) | Self::DatabaseAway(_) => {
                ("unavailable", "The service is not available right now")
            }
            Self::Internal(_) => ("internal", "Something went wrong on our side"),
            Self::Other(status) => ("other", status.reason_lossy()),
        }
    }

    fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Malformed(detail) => detail.into(),
            Self::MethodNotAllowed(methods) => format!("This path takes {}.", list(methods)).into(),
            Self::TooSlow => too_slow().into(),
            Self::Conflict(errors) | Self::Invalid(errors) => summary(errors).into(),
            Self::TooLarge => {
                format!("The body is larger than {} KiB.", BODY_LIMIT_BYTES / 1024).into()
            }
            Self::TooMany(wait) => {
                come_again("Your client or this account did this too often;", *wait)
            }
            Self::TooManyStreams(wait) => {
                come_again("This account has too many streams open; end one, or", *wait)
            }
            Self::Unavailable(why) => (*why).into(),
            Self::Other(status) => format!("The request was answered with {status}.").into(),
            constant => constant.constant_detail().into(),
        }
    }

    /// The detail of those problems that have the same one whenever they occur.
    fn constant_detail(&self) -> &'static str {
        match self {
            Self::MissingToken => {
                "Send the header 'Authorization: Bearer <access token>'; POST /users/<username>/token issues one."
            }
            Self::InvalidToken => {
                "The access token is over, revoked or not from here; POST /users/<username>/token issues a new one."
            }
            Self::WrongCredentials => "There is no user with this name and password.",
            Self::OtherUser => "The access token is not of the user in the path.",
            Self::WrongPassword => "This takes the account's password beside the access token.",
            Self::NotFound => "Nothing was found at this path.",
            Self::UnsupportedMediaType => {
                "Forms are not taken; send JSON with 'Content-Type: application/json'."
            }
            Self::CodedBody => NO_CODING,
            Self::KeyReused => {
                "A message with this Idempotency-Key was sent before, and it was another one; make a new key for each message."
            }
            Self::TooManyAtOnce => {
                "This account has several searches under way; send them one after the other."
            }
            Self::UnreadAnswers => UNREAD_ANSWERS,
            Self::DatabaseAway(_) => "The database is not available; try again in a moment.",
            Self::Internal(_) => "The fault is in our log under this answer's X-Request-Id.",
            _ => "",
        }
    }

    fn errors(&self) -> &[FieldError] {
        match self {
            Self::Conflict(errors) | Self::Invalid(errors) => errors,
            _ => &[],
        }
    }

    /// The header that the status asks for beside the document.
    pub(crate) fn header(&self) -> Option<Header<'static>> {
        match self {
            // RFC 6750 section 3: no error code where no token came along.
            Self::MissingToken | Self::WrongCredentials => {
                Some(Header::new("WWW-Authenticate", r#"Bearer realm="herolo""#))
            }
            Self::InvalidToken => Some(Header::new(
                "WWW-Authenticate",
                r#"Bearer realm="herolo", error="invalid_token""#,
            )),
            Self::MethodNotAllowed(methods) => Some(Header::new("Allow", list(methods))),
            // RFC 9110 section 15.5.16: which codings a request may have.
            Self::CodedBody => Some(Header::new("Accept-Encoding", "identity")),
            Self::TooMany(wait) | Self::TooManyStreams(wait) => {
                let seconds = whole_seconds(*wait).to_string();
                Some(Header::new("Retry-After", seconds))
            }
            Self::TooManyAtOnce
            | Self::UnreadAnswers
            | Self::Unavailable(_)
            | Self::DatabaseAway(_) => Some(Header::new("Retry-After", RETRY_SECONDS.to_string())),
            _ => None,
        }
    }

    /// Tells the log what the answer does not show, under the id that the answer does.
    fn log(&self, request: &Request<'_>) {
        let request_id = request_id::request_id(request);
        match self {
            Self::Internal(fault) => tracing::error!(request_id, "{fault}"),
            Self::DatabaseAway(fault) => tracing::warn!(request_id, "{fault}"),
            _ => {}
        }
    }
}

fn too_slow() -> String {
    let seconds = BODY_DEADLINE.as_secs();
    format!(
        "The body did not arrive within {seconds} s, and nothing was done; send the request again."
    )
}

/// For `Retry-After`, after which it must be over (RFC 9110 section 10.2.3).
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

fn come_again(why: &str, wait: Duration) -> Cow<'static, str> {
    format!("{why} come again in {} s.", whole_seconds(wait)).into()
}

fn list(methods: &[Method]) -> String {
    methods
        .iter()
        .map(|method| method.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// All that is wrong in one line, for those who read only `detail`.
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

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.log(request);
        let document = self.document(request.uri().path().as_str());
        let body = serde_json::to_vec(&document).map_err(|_| Status::InternalServerError)?;
        let mut response = Response::build();
        response
            .status(self.status())
            .header(ContentType::new("application", "problem+json"))
            .sized_body(body.len(), Cursor::new(body));
        if let Some(header) = self.header() {
            response.header(header);
        }
        let mut response = response.finalize();
        headers::secure(&mut response);
        // The fairings do the same for every answer, but for those to requests that Rocket cannot read.
        response.set_header(request_id::request_id_header(request));
        // The rest of the body would be taken for the next request (RFC 9110 section 15.5.9).
        if matches!(self, Self::TooSlow) {
            response.set_header(Header::new("Connection", "close"));
        }
        if let Some(close) = request
            .rocket()
            .state::<Closing>()
            .and_then(Closing::header)
        {
            response.set_header(close);
        }
        Ok(response)
    }
}

impl From<db::Error> for Problem {
    fn from(fault: db::Error) -> Self {
        match fault {
            db::Error::Unavailable(_) | db::Error::NoSchema => {
                Self::DatabaseAway(fault.to_string())
            }
            fault => Self::internal(fault),
        }
    }
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

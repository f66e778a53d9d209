//! The parts of the OpenAPI document that the operations of several features share.

mod operations;
mod parameters;
mod problems;
mod shared_response;

pub(crate) use self::operations::operations;
pub(crate) use self::parameters::{Owner, Resumption};
pub(crate) use self::problems::{
    AuthProblems, BlockProblems, BodyProblems, CodeProblems, FormProblems, Invalid, InvalidQuery,
    InvitationLimit, InviteProblems, LargeResponse, Limited, LimitedSearch, LimitedSend,
    LoginProblems, MailOff, NoSuchUser, NotFound, ReauthProblems, SendProblems, SharedProblems,
    SignUpRefused, StreamLimits, TakenOrInvalid, Unavailable, VerificationProblems, WrongCode,
};
pub(crate) use self::shared_response::RATE_LIMIT_HEADERS;

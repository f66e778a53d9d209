//! The parts of the OpenAPI document that the operations of several features share.

mod operations;
mod parameters;
mod problems;

pub(crate) use self::operations::operations;
pub(crate) use self::parameters::{Owner, Resumption};
pub(crate) use self::problems::{
    BodyProblems, Invalid, InvalidQuery, Large, Limited, LimitedSearch, LimitedSend, Listening,
    NotConfirmed, NotFound, NotSent, NotTheCaller, RATE_LIMIT_HEADERS, SharedProblems,
    TakenOrInvalid, Unavailable, WrongCredentials,
};

//! What the features' operations share in the OpenAPI document.

mod parameters;
mod problems;

use utoipa::openapi::path::{Operation, PathItem};

pub(crate) use self::parameters::{Known, Owner, Resumption};
pub(crate) use self::problems::{
    BodyProblems, Invalid, InvalidQuery, Large, Limited, LimitedSend, Listening, NotConfirmed,
    NotFound, NotSent, NotTheCaller, SharedProblems, TakenOrInvalid, Unavailable, WrongCredentials,
};

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

//! Valid values, independent of HTTP and SQL.

pub(crate) mod account;
pub(crate) mod draft;
pub(crate) mod email;
mod guessable;
pub(crate) mod invalid;
pub(crate) mod message;
pub(crate) mod moment;
pub(crate) mod page;
pub(crate) mod password;
pub(crate) mod search;
pub(crate) mod unicode;
pub(crate) mod user;

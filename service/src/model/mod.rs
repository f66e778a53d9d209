//! Valid values, independent of HTTP and SQL.

pub(crate) mod account;
pub(crate) mod email;
pub(crate) mod invalid;
pub(crate) mod message;
pub(crate) mod moment;
pub(crate) mod password;
pub(crate) mod unicode;
pub(crate) mod user;

//! Valid values, independent of HTTP and SQL.

pub(crate) mod account;
pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod email;
mod guessable;
mod id;
pub(crate) mod invalid;
pub(crate) mod invitation;
pub(crate) mod marking;
pub(crate) mod message;
pub(crate) mod new_message;
pub(crate) mod page;
pub(crate) mod password;
pub(crate) mod reserved;
pub(crate) mod search;
pub(crate) mod secret_code;
pub(crate) mod timestamp;
pub(crate) mod unicode;
pub(crate) mod unread_notices;
pub(crate) mod user;

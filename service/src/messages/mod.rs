//! Messages, as their senders and receivers use them.

mod cleanup;
mod page_reader;
mod requests;
mod responses;
mod routes;
mod search;
mod service;
pub(crate) mod store;
mod writer;

#[cfg(any(fuzzing, test))]
pub(crate) use self::requests::{ReadMark, read_page};
#[cfg(any(fuzzing, test))]
pub(crate) use self::responses::query_of;
pub(crate) use self::routes::{Docs, stage};
#[cfg(any(fuzzing, test))]
pub(crate) use self::search::{Candidate, Matcher, Pattern};
pub(crate) use self::service::Messages;

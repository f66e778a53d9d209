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

pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Messages;

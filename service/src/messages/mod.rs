//! Messages, as their senders and receivers use them.

mod changes;
mod cleanup;
mod reads;
mod requests;
mod responses;
mod routes;
mod search;
mod service;
pub(crate) mod store;

pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Messages;

//! Messages, as their sender and their receivers have them.

mod changes;
mod cleanup;
mod reads;
mod routes;
mod search;
pub(crate) mod store;

pub(crate) use self::reads::Reads;
pub(crate) use self::routes::{Docs, stage};

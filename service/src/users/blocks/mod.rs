//! Blocks: an account does not receive the messages of users that it blocks.

mod routes;
mod service;
pub(super) mod store;

pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Blocks;

//! Accounts and the tokens that they get.

mod cleanup;
mod routes;
pub(crate) mod store;
mod username_cache;

pub(crate) use self::routes::{Account, Docs, account, stage};
pub(crate) use self::username_cache::Names;

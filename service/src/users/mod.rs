//! Accounts, and the access tokens that are issued for them.

pub(crate) mod cleanup;
mod requests;
mod responses;
mod routes;
mod service;
mod store;
mod username_cache;

pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Users;
pub(crate) use self::username_cache::UsernameCache;

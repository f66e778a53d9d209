//! Forgotten passwords: a code by mail, with which a new password can be set.

mod requests;
mod routes;
mod service;
mod store;

pub(crate) use self::routes::{Docs, stage};

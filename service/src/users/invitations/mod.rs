//! Invitations, with whose codes accounts can be created.

pub(crate) mod cleanup;
mod routes;
mod service;
pub(super) mod store;

pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Invitations;

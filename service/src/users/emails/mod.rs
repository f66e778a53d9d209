//! Addresses of accounts: their verification by a code in a mail, and their change, for which such a code is needed.

mod requests;
mod routes;
mod service;
pub(super) mod store;

#[cfg(any(fuzzing, test))]
pub(crate) use self::requests::{EmailChange, EmailVerification};
pub(crate) use self::routes::{Docs, stage};

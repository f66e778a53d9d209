//! Forgotten passwords: a code by mail, with which a new password can be set.

mod requests;
mod routes;
mod service;
mod store;

#[cfg(any(fuzzing, test))]
pub(crate) use self::requests::{ForgottenPassword, PasswordReset};
pub(crate) use self::routes::{Docs, stage};

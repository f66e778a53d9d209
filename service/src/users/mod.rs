//! Accounts, the access tokens that are issued for them, invitations to create some, their addresses, forgotten
//! passwords, notices of unread messages, and blocks between accounts.

pub(crate) mod administration;
pub(crate) mod blocks;
mod caller_lock;
pub(crate) mod cleanup;
pub(crate) mod emails;
pub(crate) mod invitations;
pub(crate) mod password_resets;
mod requests;
mod responses;
mod routes;
mod service;
mod sign_ups;
mod store;
pub(crate) mod unread_notices;
mod username_cache;

#[cfg(any(fuzzing, test))]
pub(crate) use self::requests::{NewUser, Password, PasswordChange};
pub(crate) use self::routes::{Docs, stage};
pub(crate) use self::service::Users;
pub(crate) use self::username_cache::UsernameCache;

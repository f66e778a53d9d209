//! Limits of expensive operations: how often a client or an account may log in, sign up, send and search, and how many
//! of an account's searches run at the same time.
//!
//! The counts are in the memory of each replica. Failed logins are counted for an account *and* its client, never for
//! an account alone, so that no client can lock a user out.

mod client_address;
mod concurrency;
mod guard;
mod headers;
mod rules;
mod stage;
mod table;

#[cfg(any(fuzzing, test))]
pub(crate) use self::client_address::{network, parse as parse_client_address};
pub(crate) use self::concurrency::ConcurrencyLimit;
pub(crate) use self::guard::{Logins, RateLimited, Searches, Sends, SignUps};
pub(crate) use self::stage::stage;

//! Who calls: the guard that proves it, the access tokens it reads, and the passwords they are bought with.

mod caller;
mod lookup;
mod passwords;
mod reauth;
mod stage;
pub(crate) mod store;
mod tokens;

pub(crate) use self::caller::{Caller, TokenEnd};
pub(crate) use self::lookup::Identities;
pub(crate) use self::passwords::{Passwords, Verdict};
pub(crate) use self::reauth::Confirmed;
pub(crate) use self::stage::stage;
pub(crate) use self::tokens::{Claims, TokenKeys};

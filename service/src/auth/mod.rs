//! Who calls: the guard that proves it, the access tokens it reads, and the passwords they are bought with.

mod caller;
mod confirmation;
mod identities;
mod passwords;
mod tokens;

pub(crate) use caller::{Caller, TokenEnd};
pub(crate) use confirmation::Confirmed;
pub(crate) use identities::Identities;
pub(crate) use passwords::{Failed, Overloaded, Passwords, Verdict};
pub(crate) use tokens::{Claims, TokenKeys};

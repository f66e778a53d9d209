//! Authentication: the guard that checks access tokens, the tokens themselves, and the passwords that they are issued
//! for.

mod argon2id;
mod authenticator;
mod caller;
mod hasher;
mod lookup;
mod stage;
pub(crate) mod store;
mod tokens;

pub(crate) use self::authenticator::{Authenticator, Reauthenticated};
#[cfg(any(fuzzing, test))]
pub(crate) use self::caller::token_in;
pub(crate) use self::caller::{Caller, Claim, Sealed, TokenExpiry};
pub(crate) use self::hasher::PasswordHasher;
pub(crate) use self::lookup::IdentityLookup;
pub(crate) use self::stage::stage;
#[cfg(any(fuzzing, test))]
pub(crate) use self::tokens::Claims;
pub(crate) use self::tokens::TokenKeys;

//! Mails to the owners of accounts: an outbox in the database, and a worker on each replica that sends from it.
//!
//! A mail is a row, written in the transaction that causes it, without a text: the worker composes the text, and makes
//! the code in it, when it sends. See decision 0055.

mod addressee;
mod cleanup;
pub(crate) mod codes;
mod compose;
mod kind;
mod outbox;
mod prepare;
mod smtp;
mod stage;
mod store;
mod texts;
mod unsent;
mod worker;

pub(crate) use self::addressee::mailbox_hash;
pub(crate) use self::kind::Kind;
pub(crate) use self::outbox::{Outbox, SendsMail, SendsResets, add_one_for_owner};
pub(crate) use self::stage::stage;

//! Messages, as their sender and their receivers have them.

mod changes;
mod model;
mod moment;
mod reads;
mod routes;
mod search;
pub(crate) mod store;

pub(crate) use changes::Changes;
pub(crate) use model::{Content, Mailbox, Message, MessageId, Page};
#[cfg(test)]
pub(crate) use model::{Subject, Text};
pub(crate) use reads::Reads;
pub(crate) use routes::{
    __path_delete, __path_feed, __path_mark, __path_read, __path_send, routes,
};

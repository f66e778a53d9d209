//! Mails to owners of accounts who want to be told when messages have been unread for a while. See decision 0063.

mod inboxes;
mod job;
mod requests;
mod routes;
mod service;
pub(super) mod store;

#[cfg(any(fuzzing, test))]
pub(crate) use self::requests::NoticesWanted;
pub(crate) use self::routes::{Docs, stage};
pub(super) use self::service::UnreadNotices;

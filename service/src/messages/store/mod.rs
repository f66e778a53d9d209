//! Messages in MySQL. Every statement is restricted to its caller: as the sender, or as a receiver who has not deleted
//! the message. A statement that finds nothing does not reveal whether the message exists for another user.

mod changes;
mod cleanup;
mod collector;
mod conversation;
mod delete;
mod find;
mod idempotency;
mod inbox;
mod mark;
mod mark_several;
mod message_key;
mod newest;
mod pages;
mod receivers;
mod replies;
mod row;
mod search;
mod send;
mod send_batch;
mod sent;

pub(crate) use self::changes::delete_expired_changes;
pub(crate) use self::cleanup::{delete_expired_keys, delete_messages_of, delete_replies_of};
pub(crate) use self::collector::{Bounds, MessagePage, PageState};
pub(crate) use self::delete::DeleteRequest;
pub(crate) use self::find::{FindRequest, Found, find};
pub(crate) use self::mark::MarkRequest;
pub(crate) use self::mark_several::{Marked, mark_several};
pub(crate) use self::newest::{NewestPageContext, NewestPageRequest};
pub(crate) use self::pages::{page, page_state};
pub(crate) use self::row::{content, message_columns, received_message};
pub(crate) use self::send::{Refusal, UnknownReferences, send};
pub(crate) use self::send_batch::SendRequest;

//! The paths, bodies, headers and query parameters of requests for messages.

mod marks;
mod message_id;
mod new_message;
mod page;
mod reader;

pub(crate) use self::marks::{ReadMark, ReadMarks};
pub(crate) use self::message_id::MessagePath;
pub(crate) use self::new_message::{IdempotencyHeader, NewMessageFields, OptionalKey};
pub(crate) use self::page::PageParams;
#[cfg(any(fuzzing, test))]
pub(crate) use self::page::read_page;
pub(crate) use self::reader::Reader;

//! Event streams: new messages, and changes of messages, delivered to connected clients. Each replica has one tailer,
//! which follows the ids of all messages and changes, however many clients are connected, and delivers new ones to the
//! subscribers of that replica. Replicas do not communicate: each reads from the database what the others wrote.

mod background;
mod changes;
mod cursor;
mod followed_table;
mod hub;
mod id_cursor;
mod id_ranges;
mod memory_budget;
mod pace;
mod registry;
mod routes;
mod sequence;
mod store;
mod stream;
mod subscriber;
mod tailer;

pub use self::background::RoundInterval;
#[cfg(any(fuzzing, test))]
pub(crate) use self::cursor::StreamCursor;
pub(crate) use self::routes::{Docs, stage};

//! Event streams: new messages, delivered to connected clients. Each replica has one tailer, which follows the ids of
//! all messages, however many clients are connected, and delivers new messages to the subscribers of that replica.
//! Replicas do not communicate: each reads from the database what the others wrote.

mod background;
mod cursor;
mod hub;
mod id_ranges;
mod memory_budget;
mod registry;
mod routes;
mod store;
mod stream;
mod subscriber;
mod tailer;

pub(crate) use self::routes::{Docs, stage};

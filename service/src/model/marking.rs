//! Marks of several messages.

use std::ops::RangeInclusive;

use crate::model::message::MessageId;

/// The number of messages that one request can name.
pub(crate) const IDS: RangeInclusive<usize> = 1..=100;

/// A change of the read status of several received messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marking {
    pub(crate) read: bool,
    pub(crate) selection: Selection,
}

/// The messages that are marked. Those that the caller has not received, or has deleted, are left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Ids(Vec<MessageId>),
    /// All messages up to this one, which need not exist.
    Until(MessageId),
}

//! Messages as their senders and receivers see them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::id::resource_id;
use crate::model::invalid::Invalid;
use crate::model::user::Username;

/// The length of a subject in characters (Unicode scalar values).
const SUBJECT_LENGTH: RangeInclusive<usize> = 1..=255;
/// The length of a text in bytes of UTF-8.
const TEXT_LENGTH: RangeInclusive<usize> = 1..=65_535;

/// Upper bound for the JSON of a message without its texts and its list of receivers.
const ENVELOPE_BYTES: usize = 512;
/// Upper bound for one receiver in that list.
pub(crate) const RECEIVER_BYTES: usize = 112;

resource_id! {
    /// The id of a message. Ids grow with time.
    #[schema(value_type = u64, minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    MessageId
}

/// The subject of a message: 1 to 255 characters, stored as sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(min_length = 1, max_length = 255, example = "Lunch")]
pub(crate) struct Subject(String);

impl Subject {
    /// # Errors
    /// The reason, as a phrase that continues "subject".
    pub(crate) fn parse(subject: String) -> Result<Self, Invalid> {
        if !SUBJECT_LENGTH.contains(&subject.chars().count()) {
            return Err("must be 1 to 255 characters long".into());
        }
        Ok(Self(subject))
    }

    pub(crate) fn stored(subject: String) -> Self {
        Self(subject)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of a message: at most 65,535 bytes of UTF-8, stored byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(min_length = 1, max_length = 65535, example = "At noon?")]
pub(crate) struct Text(String);

impl Text {
    /// # Errors
    /// The reason, as a phrase that continues "message".
    pub(crate) fn parse(text: String) -> Result<Self, Invalid> {
        if !TEXT_LENGTH.contains(&text.len()) {
            return Err("must be 1 to 65535 bytes long (in UTF-8)".into());
        }
        Ok(Self(text))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The parts of a message that never change.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) id: MessageId,
    /// The message that it answers, if the user for whom it was read could see that one when it was sent.
    pub(crate) in_reply_to: Option<MessageId>,
    pub(crate) sender: Username,
    pub(crate) subject: Subject,
    pub(crate) message: Text,
    pub(crate) created_at: DateTime<Utc>,
}

impl Content {
    /// The memory that it occupies.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.subject.as_str().len() + self.message.as_str().len()
    }
}

/// A receiver of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(crate) struct Receiver {
    /// The receiver's name. A deleted account is shown as `~` and a number, which no account can have as its name.
    #[schema(value_type = String, example = "bob")]
    pub(crate) username: Username,
    /// Whether the receiver marked the message as read.
    #[schema(example = false)]
    pub(crate) read: bool,
}

/// A message as its sender or one of its receivers sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Message {
    #[schema(inline)]
    pub(crate) id: MessageId,
    /// The message that this one answers, which may have been deleted since. Absent if it answers none, or one that you
    /// could not see when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<u64>,
        nullable = false,
        minimum = 1,
        maximum = 9_223_372_036_854_775_807_i64,
        example = 41
    )]
    pub(crate) in_reply_to: Option<MessageId>,
    #[schema(value_type = String, example = "alice")]
    pub(crate) sender: Username,
    /// You, if you received the message; otherwise its receiver, or the first of several in alphabetical order.
    #[schema(value_type = String, example = "bob")]
    pub(crate) receiver: Username,
    /// All receivers. Shown to the sender only: always in the sent box, and elsewhere if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    pub(crate) receivers: Option<Vec<Receiver>>,
    #[schema(inline)]
    pub(crate) subject: Subject,
    #[schema(inline)]
    pub(crate) message: Text,
    /// The time of sending: RFC 3339, UTC, with milliseconds.
    #[serde(serialize_with = "crate::model::timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
    /// Whether you marked the message as read, if you received it; otherwise whether all its receivers did.
    #[schema(example = false)]
    pub(crate) read: bool,
}

impl Message {
    /// A message as one of its receivers sees it.
    pub(crate) fn of_receiver(content: Content, receiver: Username, read: bool) -> Self {
        let Content {
            id,
            in_reply_to,
            sender,
            subject,
            message,
            created_at,
        } = content;
        Self {
            id,
            in_reply_to,
            sender,
            receiver,
            receivers: None,
            subject,
            message,
            created_at,
            read,
        }
    }

    /// A message as its sender sees it. It has at least one receiver, as no message is sent to none.
    pub(crate) fn of_sender(content: Content, mut receivers: Vec<Receiver>) -> Self {
        receivers.sort_unstable();
        let first = receivers.first().map(|first| first.username.clone());
        let receiver = first.unwrap_or_else(|| content.sender.clone());
        let read = receivers.iter().all(|receiver| receiver.read);
        let several = (receivers.len() > 1).then_some(receivers);
        Self {
            receivers: several,
            ..Self::of_receiver(content, receiver, read)
        }
    }

    /// Lists the receivers even if there is only one.
    pub(crate) fn with_receivers(self) -> Self {
        let only = Receiver {
            username: self.receiver.clone(),
            read: self.read,
        };
        Self {
            receivers: self.receivers.or_else(|| Some(vec![only])),
            ..self
        }
    }

    /// Upper bound for the size of its JSON. It depends on the message alone, as every name counts as a longest one:
    /// the result is the same at any time and on any replica.
    pub(crate) fn max_json_bytes(&self) -> usize {
        let receivers = self.receivers.as_ref().map_or(0, Vec::len);
        max_json_bytes(&self.subject, &self.message, receivers)
    }

    /// The memory that it occupies as one of its receivers sees it.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.subject.as_str().len() + self.message.as_str().len()
    }
}

/// Upper bound for the JSON of a message with so many receivers in its list.
pub(crate) fn max_json_bytes(subject: &Subject, message: &Text, receivers: usize) -> usize {
    let texts = json_length(subject.as_str()) + json_length(message.as_str());
    ENVELOPE_BYTES + texts + receivers * RECEIVER_BYTES
}

/// The length of a text as a JSON string, without its quotes.
fn json_length(text: &str) -> usize {
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(extra).sum::<usize>()
}

impl From<Message> for Content {
    fn from(message: Message) -> Self {
        let Message {
            id,
            in_reply_to,
            sender,
            subject,
            message,
            created_at,
            ..
        } = message;
        Self {
            id,
            in_reply_to,
            sender,
            subject,
            message,
            created_at,
        }
    }
}

#[cfg(test)]
mod tests;

//! Messages to be sent.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::model::invalid::Invalid;
use crate::model::message::{Content, Message, MessageId, Receiver, Subject, Text, max_json_bytes};
use crate::model::user::Username;

/// The number of receivers of one message.
pub(crate) const RECEIVERS: RangeInclusive<usize> = 1..=100;
/// The length of an `Idempotency-Key` in characters.
const KEY_LENGTH: RangeInclusive<usize> = 1..=255;

/// The receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    One(Username),
    /// In alphabetical order, without duplicates.
    Several(Vec<Username>),
}

impl Receivers {
    /// Sorts the names and removes duplicates.
    pub(crate) fn several(mut names: Vec<Username>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self::Several(names)
    }

    pub(crate) fn names(&self) -> &[Username] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// The id and the time that a message is given when it is sent.
#[derive(Clone, Copy)]
pub(crate) struct SentMetadata {
    pub(crate) id: MessageId,
    pub(crate) created_at: DateTime<Utc>,
}

/// A message to be sent.
pub(crate) struct NewMessage {
    pub(crate) receivers: Receivers,
    /// The message that it answers, which its sender must be able to see.
    pub(crate) in_reply_to: Option<MessageId>,
    pub(crate) subject: Subject,
    pub(crate) message: Text,
}

impl NewMessage {
    /// The message as its sender sees it right after sending.
    pub(crate) fn sent(&self, metadata: SentMetadata, sender: Username) -> Message {
        let unread = |username: &Username| Receiver {
            username: username.clone(),
            read: false,
        };
        let receivers = self.receivers.names().iter().map(unread).collect();
        Message::of_sender(
            Content {
                id: metadata.id,
                in_reply_to: self.in_reply_to,
                sender,
                subject: self.subject.clone(),
                message: self.message.clone(),
                created_at: metadata.created_at,
            },
            receivers,
        )
    }

    /// A hash that two requests share exactly if they ask for the same message to the same receivers.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let names = self.receivers.names().iter().map(Username::as_str);
        let texts = [self.subject.as_str(), self.message.as_str()];
        let mut hash = Sha256::new();
        for part in names.chain(texts) {
            // Each part is preceded by its length, so that a different division into parts gives a different hash.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        // Nothing for a message that answers none: its fingerprint is that of versions without replies, so that a retry
        // across an upgrade is recognized. No part has the maximum length.
        if let Some(original) = self.in_reply_to {
            hash.update(usize::MAX.to_be_bytes());
            hash.update(original.get().to_be_bytes());
        }
        hash.finalize().into()
    }

    /// Upper bound for the JSON of the message as its sender sees it.
    pub(crate) fn max_json_bytes(&self) -> usize {
        max_json_bytes(&self.subject, &self.message, self.receivers.names().len())
    }
}

/// A client's identifier for one send, by which a retry is recognized: 1 to 255 visible ASCII characters.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// # Errors
    /// The reason, as a phrase that continues "Idempotency-Key".
    pub(crate) fn parse(key: &str) -> Result<Self, Invalid> {
        let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if !KEY_LENGTH.contains(&key.len()) || !is_visible {
            return Err("must be 1 to 255 visible ASCII characters".into());
        }
        Ok(Self(key.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_that_differ_in_case_alone_are_one() {
        let names = ["Carol", "bob", "carol", "BOB"];
        let names = names.map(|name| Username::parse(name.to_owned()).expect("valid"));
        let receivers = Receivers::several(names.to_vec());
        let names: Vec<_> = receivers.names().iter().map(Username::as_str).collect();
        assert_eq!(names, ["bob", "carol"]);
    }

    #[test]
    fn a_fingerprint_differs_exactly_if_the_messages_do() {
        let name = |name: &str| Username::parse(name.to_owned()).expect("valid");
        let reply = |original: &str, receivers: &[&str], subject: &str, message: &str| {
            let new = NewMessage {
                receivers: Receivers::several(receivers.iter().map(|one| name(one)).collect()),
                in_reply_to: MessageId::parse(original),
                subject: Subject::stored(subject.to_owned()),
                message: Text::stored(message.to_owned()),
            };
            new.fingerprint()
        };
        let fingerprint = |receivers: &[&str], subject: &str, message: &str| {
            reply("", receivers, subject, message)
        };
        let one = fingerprint(&["bob", "carol"], "ab", "c");
        assert_eq!(one, fingerprint(&["CAROL", "bob"], "ab", "c"));
        for other in [
            fingerprint(&["bob"], "ab", "c"),
            fingerprint(&["bob", "carol"], "a", "bc"),
            fingerprint(&["bobcarol"], "ab", "c"),
            fingerprint(&["bob", "carol"], "ab", "C"),
            reply("1", &["bob", "carol"], "ab", "c"),
        ] {
            assert_ne!(one, other);
        }
        let answer = reply("1", &["bob", "carol"], "ab", "c");
        assert_eq!(answer, reply("1", &["CAROL", "bob"], "ab", "c"));
        assert_ne!(answer, reply("2", &["bob", "carol"], "ab", "c"));
    }
}

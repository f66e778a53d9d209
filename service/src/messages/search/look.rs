//! A look at a batch of messages: which of them have the words.

use std::sync::Arc;

use rocket::tokio::time::Instant;
use sqlx::Row;
use sqlx::mysql::MySqlRow;

use crate::auth::Caller;
use crate::messages::search::fold::{Folding, Needles};
use crate::messages::store::content;
use crate::model::message::{Content, Mailbox, MessageId};
use crate::model::user::Username;

/// A message that may be one of those that are looked for, and whether it is marked as read.
pub(super) struct Candidate {
    pub(super) content: Content,
    pub(super) read: bool,
}

impl Candidate {
    pub(super) fn of(row: &MySqlRow, caller: &Caller, mailbox: Mailbox) -> sqlx::Result<Self> {
        let (sender, read) = match mailbox {
            Mailbox::Inbox => (
                Username::stored(row.try_get("sender")?),
                row.try_get("is_read")?,
            ),
            Mailbox::Sent => (caller.username().clone(), false),
        };
        let content = content(row, sender)?;
        Ok(Self { content, read })
    }

    pub(super) fn size(&self) -> usize {
        self.content.subject.as_str().len() + self.content.message.as_str().len()
    }
}

/// A look at a batch, and when it ends.
pub(super) struct Look {
    pub(super) needles: Option<Arc<Needles>>,
    pub(super) enough: usize,
    pub(super) bytes: usize,
    pub(super) until: Instant,
}

/// What came of it.
pub(super) struct Seen {
    pub(super) found: Vec<Candidate>,
    pub(super) bytes: usize,
    pub(super) last: Option<MessageId>,
    pub(super) is_whole: bool,
}

impl Look {
    /// At one message at least, so that every page gets on.
    pub(super) fn at(self, batch: Vec<Candidate>) -> Seen {
        let mut seen = Seen {
            found: Vec::new(),
            bytes: 0,
            last: None,
            is_whole: true,
        };
        for candidate in batch {
            if seen.last.is_some() && self.is_over(&seen) {
                seen.is_whole = false;
                break;
            }
            let (is_one, bytes) = self.compare(&candidate);
            seen.bytes += bytes;
            seen.last = Some(candidate.content.id);
            if is_one {
                seen.found.push(candidate);
            }
        }
        seen
    }

    fn is_over(&self, seen: &Seen) -> bool {
        seen.found.len() >= self.enough || seen.bytes >= self.bytes || Instant::now() >= self.until
    }

    /// Whether a message is looked for, and how many bytes that took.
    fn compare(&self, candidate: &Candidate) -> (bool, usize) {
        let Some(needles) = &self.needles else {
            return (true, candidate.size());
        };
        let Content {
            subject, message, ..
        } = &candidate.content;
        let mut texts = [subject.as_str(), message.as_str()].map(Folding::of);
        let size = texts.iter().map(Folding::size).sum();
        (needles.are_in(&mut texts), size)
    }
}

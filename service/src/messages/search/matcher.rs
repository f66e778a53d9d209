//! Matching of messages, within limits on time and bytes.

use std::sync::Arc;

use rocket::tokio::time::Instant;

use crate::messages::search::fold::{Folded, Pattern};
use crate::model::message::{Content, MessageId};

/// A message that may match, and whether it is marked as read.
pub(crate) struct Candidate {
    pub(crate) content: Content,
    pub(crate) read: bool,
}

impl Candidate {
    /// The length of its texts in bytes.
    pub(crate) fn size(&self) -> usize {
        self.content.subject.as_str().len() + self.content.message.as_str().len()
    }
}

/// The search terms, and the limits of the search.
pub(crate) struct Matcher {
    /// All candidates match if there is none.
    pub(crate) pattern: Option<Arc<Pattern>>,
    /// Stop after this many matches,
    pub(crate) max_matches: usize,
    /// after comparing this many bytes,
    pub(crate) max_bytes: usize,
    /// or at this time.
    pub(crate) deadline: Instant,
}

/// The result of matching a batch of candidates.
pub(crate) struct Matches {
    pub(crate) found: Vec<Candidate>,
    /// The number of bytes that were compared.
    pub(crate) bytes: usize,
    /// The last candidate that was compared.
    pub(crate) last: Option<MessageId>,
    /// Whether all candidates were compared.
    pub(crate) is_complete: bool,
}

impl Matcher {
    /// Compares the candidates one after the other, at least the first, so that every page makes progress.
    pub(crate) fn run(self, batch: Vec<Candidate>) -> Matches {
        let mut matches = Matches {
            found: Vec::new(),
            bytes: 0,
            last: None,
            is_complete: true,
        };
        for candidate in batch {
            if matches.last.is_some() && self.is_exhausted(&matches) {
                matches.is_complete = false;
                break;
            }
            let (is_match, bytes) = self.compare(&candidate);
            matches.bytes += bytes;
            matches.last = Some(candidate.content.id);
            if is_match {
                matches.found.push(candidate);
            }
        }
        matches
    }

    fn is_exhausted(&self, matches: &Matches) -> bool {
        matches.found.len() >= self.max_matches
            || matches.bytes >= self.max_bytes
            || Instant::now() >= self.deadline
    }

    /// Whether a message matches, and the number of bytes that were compared.
    fn compare(&self, candidate: &Candidate) -> (bool, usize) {
        let Some(pattern) = &self.pattern else {
            return (true, candidate.size());
        };
        let Content {
            subject, message, ..
        } = &candidate.content;
        let mut texts = [subject.as_str(), message.as_str()].map(Folded::of);
        let size = texts.iter().map(Folded::size).sum();
        (pattern.matches(&mut texts), size)
    }
}

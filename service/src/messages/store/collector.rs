//! Collects the messages of a page, within bounds on their number and bytes.

use sqlx::mysql::MySqlRow;

use crate::http::budget::{Reservation, SMALL_RESPONSE};
use crate::messages::store::row::id;
use crate::model::message::{Message, MessageId};
use crate::model::page::Page;

/// One row more than the page shows tells whether another page follows, without counting rows.
pub(super) const OVERFETCH: u64 = 1;

/// The number of messages to read at once until they are known to be short: small, so that few are read needlessly, yet
/// sufficient for a page of the default length.
pub(super) const CHUNK: usize = 20;

/// A page of messages, newest first.
pub(crate) struct MessagePage {
    pub(crate) messages: Vec<Message>,
    /// The state of the page without regard to bytes. Where bytes end the page follows from it, as texts never change.
    pub(crate) state: PageState,
    /// The next page has the messages that are older than this one; `None` on the last page.
    pub(crate) next_cursor: Option<MessageId>,
}

/// The part of an inbox page that can change.
#[derive(Default)]
pub(crate) struct PageState {
    /// The messages, and whether each is marked as read.
    pub(crate) marks: Vec<(MessageId, bool)>,
    pub(crate) has_more: bool,
}

/// The limits of a page.
pub(crate) struct Bounds<'a> {
    /// The maximum size of its messages, of which the first is never left out. The same bounds give the same page on
    /// every replica.
    pub(crate) bytes: usize,
    /// The page's part of the budget. If the reservation cannot grow with the page, there is no page.
    pub(crate) reservation: &'a mut Reservation,
}

/// Removes the row past the page, if there is one, and returns the cursor of the next page.
pub(super) fn split_page<T>(
    rows: &mut Vec<T>,
    page: &Page,
    id: impl FnOnce(&T) -> MessageId,
) -> Option<MessageId> {
    let has_more = rows.len() as u64 > page.per_page;
    rows.truncate(rows.len() - usize::from(has_more));
    rows.last().filter(|_| has_more).map(id)
}

/// Collects the messages of a page, newest first. Of messages past the end of the page, it keeps only the ids.
pub(super) struct PageCollector<'a, 'b> {
    bounds: &'a mut Bounds<'b>,
    per_page: usize,
    messages: Vec<Message>,
    marks: Vec<(MessageId, bool)>,
    bytes: usize,
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    /// The next message did not fit on the page.
    Full,
    /// The next message did not fit into the budget.
    OverBudget,
}

impl<'a, 'b> PageCollector<'a, 'b> {
    pub(super) fn new(page: &Page, bounds: &'a mut Bounds<'b>) -> Self {
        Self {
            bounds,
            per_page: usize::try_from(page.per_page).unwrap_or(usize::MAX),
            messages: Vec::new(),
            marks: Vec::new(),
            bytes: 0,
            status: Status::Open,
        }
    }

    /// Whether more messages may fit.
    pub(super) fn is_open(&self) -> bool {
        self.status == Status::Open
    }

    /// How many of the remaining messages to read next: all of them if those that were read are short.
    pub(super) fn next_chunk(&self, remaining: usize) -> usize {
        let are_short = !self.messages.is_empty() && self.bytes <= SMALL_RESPONSE;
        if are_short {
            remaining
        } else {
            remaining.min(CHUNK)
        }
    }

    /// The number of rows yet to be pushed, including the one past the page.
    pub(super) fn remaining(&self) -> usize {
        (self.per_page + 1).saturating_sub(self.marks.len())
    }

    /// The last row that was pushed.
    pub(super) fn last(&self) -> Option<MessageId> {
        self.marks.last().map(|(id, _)| *id)
    }

    /// Adds a row; its message is made only if it may fit. A row past the page shows that more pages follow.
    pub(super) fn push_row(
        &mut self,
        row: &MySqlRow,
        is_read: bool,
        message: impl FnOnce(&MySqlRow) -> sqlx::Result<Message>,
    ) -> sqlx::Result<()> {
        self.marks.push((id(row)?, is_read));
        if self.marks.len() > self.per_page {
            return Ok(());
        }
        self.push(|| message(row))
    }

    /// Adds a message; it is made only if it may fit.
    pub(super) fn push(
        &mut self,
        message: impl FnOnce() -> sqlx::Result<Message>,
    ) -> sqlx::Result<()> {
        if !self.is_open() {
            return Ok(());
        }
        let message = message()?;
        let bytes = self.bytes + message.max_json_bytes();
        if bytes > self.bounds.bytes && !self.messages.is_empty() {
            self.status = Status::Full;
        } else if !self.bounds.reservation.covers(bytes) {
            // The messages that were collected are not needed any more.
            self.status = Status::OverBudget;
            self.messages = Vec::new();
        } else {
            self.bytes = bytes;
            self.messages.push(message);
        }
        Ok(())
    }

    /// The page of the rows that were pushed; `None` if it exceeds the budget.
    pub(super) fn finish(mut self) -> Option<MessagePage> {
        let mut marks = std::mem::take(&mut self.marks);
        let has_more = marks.len() > self.per_page;
        marks.truncate(self.per_page);
        let next_cursor = marks.last().filter(|_| has_more).map(|(id, _)| *id);
        self.finish_with(PageState { marks, has_more }, next_cursor)
    }

    /// The page of the messages that were pushed, whose state and next cursor were determined separately; `None` if it
    /// exceeds the budget.
    pub(super) fn finish_with(
        self,
        state: PageState,
        next_cursor: Option<MessageId>,
    ) -> Option<MessagePage> {
        let next_cursor = match self.status {
            Status::Open => next_cursor,
            Status::Full => self.messages.last().map(|last| last.id),
            Status::OverBudget => return None,
        };
        Some(MessagePage {
            messages: self.messages,
            next_cursor,
            state,
        })
    }
}

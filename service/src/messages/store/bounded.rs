//! Pages of so many messages and so many bytes: what a page passes through on its way from the database.

use sqlx::mysql::MySqlRow;

use crate::http::budget::{Reservation, SMALL_RESPONSE};
use crate::messages::store::{Outline, Received, id};
use crate::model::message::{Message, MessageId, Page};

/// How much a page may hold.
pub(crate) struct Bounds<'a> {
    /// Bytes of its messages; the first message is on it in any case. The same bounds give the same page at all replicas.
    pub(crate) bytes: usize,
    /// What the page has of the budget. Where that cannot grow with it, there is no page.
    pub(crate) reservation: &'a mut Reservation,
}

/// Messages that are read at once as long as it is not known that they are short: few enough that little is read in vain,
/// and so many that the usual page is read at once.
pub(crate) const PORTION: usize = 20;

/// Takes the messages of a page as they come, newest first.
///
/// Of those that are beyond the page nothing is kept but which they are.
pub(crate) struct Shelf<'a, 'b> {
    bounds: &'a mut Bounds<'b>,
    per_page: usize,
    messages: Vec<Message>,
    marks: Vec<(MessageId, bool)>,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The next message had no room on the page.
    Full,
    /// The next message had none in the budget.
    BeyondBudget,
}

impl<'a, 'b> Shelf<'a, 'b> {
    pub(crate) fn new(page: &Page, bounds: &'a mut Bounds<'b>) -> Self {
        Self {
            bounds,
            per_page: usize::try_from(page.per_page).unwrap_or(usize::MAX),
            messages: Vec::new(),
            marks: Vec::new(),
            bytes: 0,
            state: State::Open,
        }
    }

    /// Whether there may be room for more.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// How many of those that are left are to be read next: all, if those that were read are short.
    pub(crate) fn portion(&self, left: usize) -> usize {
        let are_short = !self.messages.is_empty() && self.bytes <= SMALL_RESPONSE;
        if are_short { left } else { left.min(PORTION) }
    }

    /// How many rows are left to be taken, with the one past the page.
    pub(crate) fn left(&self) -> usize {
        (self.per_page + 1).saturating_sub(self.marks.len())
    }

    /// The last row that was taken.
    pub(crate) fn last(&self) -> Option<MessageId> {
        self.marks.last().map(|(id, _)| *id)
    }

    /// Takes a row with a message, which is made of it if there is room. One row past the page tells that there are more.
    pub(crate) fn take(
        &mut self,
        row: &MySqlRow,
        is_read: bool,
        message: impl FnOnce(&MySqlRow) -> sqlx::Result<Message>,
    ) -> sqlx::Result<()> {
        self.marks.push((id(row)?, is_read));
        if self.marks.len() > self.per_page {
            return Ok(());
        }
        self.put_if_open(|| message(row))
    }

    /// Takes a message if there is room.
    pub(crate) fn put_if_open(
        &mut self,
        message: impl FnOnce() -> sqlx::Result<Message>,
    ) -> sqlx::Result<()> {
        if self.state == State::Open {
            self.put(message()?);
        }
        Ok(())
    }

    fn put(&mut self, message: Message) {
        let bytes = self.bytes + message.bytes();
        if bytes > self.bounds.bytes && !self.messages.is_empty() {
            self.state = State::Full;
        } else if !self.bounds.reservation.covers(bytes) {
            // What was taken so far is not needed any more.
            self.state = State::BeyondBudget;
            self.messages = Vec::new();
        } else {
            self.bytes = bytes;
            self.messages.push(message);
        }
    }

    /// The page of what was taken; `None` if it is beyond the budget.
    pub(crate) fn page(mut self) -> Option<Received> {
        let has_more = self.marks.len() > self.per_page;
        self.marks.truncate(self.per_page);
        let last = self.marks.last().filter(|_| has_more).map(|(id, _)| *id);
        let outline = Outline {
            marks: std::mem::take(&mut self.marks),
            has_more,
        };
        self.page_of(outline, last)
    }

    /// The same where it was known before which messages there are and what the next page is older than.
    pub(crate) fn page_of(self, outline: Outline, rest: Option<MessageId>) -> Option<Received> {
        let rest = match self.state {
            State::Open => rest,
            State::Full => self.messages.last().map(|last| last.id),
            State::BeyondBudget => return None,
        };
        Some(Received {
            messages: self.messages,
            rest,
            outline,
        })
    }
}

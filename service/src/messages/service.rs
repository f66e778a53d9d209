//! The operations on messages, as handlers use them.

use std::time::Duration;

use crate::auth::{Caller, Claim};
use crate::db::{Batcher, Database};
use crate::http::budget::{self, Budget, Reservation};
use crate::http::problem::Problem;
use crate::limits::ConcurrencyLimit;
use crate::messages::page_reader::PageReader;
use crate::messages::store;
use crate::messages::store::{
    FindRequest, Found, Marked, MessagePage, PageState, Refusal, UnknownReferences,
};
use crate::messages::writer::MessageWriter;
use crate::model::invalid::FieldError;
use crate::model::marking::Marking;
use crate::model::message::{Message, MessageId};
use crate::model::new_message::{IdempotencyKey, NewMessage, Receivers};
use crate::model::page::Page;
use crate::model::search::Filter;

/// Reads, sends and changes messages for their senders and receivers. Messages for a response are returned with its
/// reservation of the budget.
pub(crate) struct Messages {
    database: Database,
    writer: MessageWriter,
    page_reader: PageReader,
    finder: Batcher<FindRequest>,
    searches: ConcurrencyLimit,
    budget: Budget,
}

impl Messages {
    pub(crate) fn new(database: Database, budget: Budget) -> Self {
        Self {
            writer: MessageWriter::new(database.clone()),
            page_reader: PageReader::new(database.clone(), budget.clone()),
            finder: Batcher::new(database.clone()),
            searches: ConcurrencyLimit::new(),
            database,
            budget,
        }
    }

    /// Sends a message to all its receivers or to none, and with a key only if no message was sent with that key
    /// before.
    pub(crate) async fn send(
        &self,
        caller: Caller,
        new: NewMessage,
        key: Option<IdempotencyKey>,
    ) -> Result<(Message, Reservation), Problem> {
        let field = receivers_field(&new);
        // Reserved before the message is sent, because nothing may delay the response afterwards.
        let reservation = self.reserve(&caller, new.max_json_bytes()).await?;
        let sent = self.writer.send(caller, new, key).await?;
        let message = sent.map_err(|refusal| problem(field, refusal))?;
        Ok((message, reservation))
    }

    /// The newest page of the user's inbox, which is looked up with the user.
    pub(crate) async fn newest_page(
        &self,
        claim: &Claim<'_>,
    ) -> Result<(Caller, MessagePage, Reservation), Problem> {
        self.page_reader.newest_page(claim).await
    }

    /// A page of the caller's messages.
    pub(crate) async fn page(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<(MessagePage, Reservation), Problem> {
        let _permit = match page.filter {
            Filter::NONE => None,
            _ => Some(self.searches.acquire(caller.id()).await?),
        };
        self.page_reader.page(caller, page).await
    }

    /// A page of at most `bytes` bytes, which waits for its part of the budget up to the timeout.
    pub(crate) async fn page_within(
        &self,
        caller: &Caller,
        page: &Page,
        bytes: usize,
        timeout: Duration,
    ) -> Result<(MessagePage, Reservation), Problem> {
        self.page_reader
            .page_within(caller, page, bytes, timeout)
            .await
    }

    /// The state of an inbox page, which costs less than the page. `None` if it cannot be read separately.
    pub(crate) async fn page_state(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Option<PageState>, Problem> {
        Ok(store::page_state(&self.database, caller, page).await?)
    }

    /// A message that the user sent, or received and has not deleted.
    pub(crate) async fn find(
        &self,
        claim: &Claim<'_>,
        id: MessageId,
    ) -> Result<(Message, Reservation), Problem> {
        let request = FindRequest {
            user: claim.user(),
            message: id,
        };
        let (caller, found) = self.finder.submit(request).await?.open(claim)?;
        let message = match found {
            Found::Nothing => None,
            Found::Received(message) => Some(message),
            Found::Sent => store::find(&self.database, &caller, id).await?,
        };
        self.reserved(&caller, message).await
    }

    /// Marks a received message as read or unread.
    pub(crate) async fn mark(
        &self,
        caller: &Caller,
        id: MessageId,
        read: bool,
    ) -> Result<(Message, Reservation), Problem> {
        let message = self.writer.mark(caller.clone(), id, read).await?;
        self.reserved(caller, message).await
    }

    /// Marks several received messages as read or unread.
    pub(crate) async fn mark_several(
        &self,
        caller: &Caller,
        marking: &Marking,
    ) -> Result<Marked, Problem> {
        Ok(store::mark_several(&self.database, caller, marking).await?)
    }

    /// Deletes a message: one that the caller sent for all its receivers, one that the caller received from their own
    /// inbox only.
    pub(crate) async fn delete(&self, caller: &Caller, id: MessageId) -> Result<(), Problem> {
        let existed = self.writer.delete(caller, id).await?;
        existed.then_some(()).ok_or(Problem::NotFound)
    }

    async fn reserved(
        &self,
        caller: &Caller,
        message: Option<Message>,
    ) -> Result<(Message, Reservation), Problem> {
        let message = message.ok_or(Problem::NotFound)?;
        let reservation = self.reserve(caller, message.max_json_bytes()).await?;
        Ok((message, reservation))
    }

    async fn reserve(&self, caller: &Caller, bytes: usize) -> Result<Reservation, Problem> {
        let mut reservation = self.budget.reservation(caller.id());
        reservation.wait(bytes, budget::RESERVATION_TIMEOUT).await?;
        Ok(reservation)
    }
}

/// The field that names the receivers.
fn receivers_field(new: &NewMessage) -> &'static str {
    match new.receivers {
        Receivers::One(_) => "receiver",
        Receivers::Several(_) => "receivers",
    }
}

fn problem(field: &str, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::KeyReused => Problem::KeyReused,
        Refusal::TokenRevoked => Problem::InvalidToken,
        Refusal::Unknown(unknown) => Problem::Invalid(errors(field, &unknown)),
    }
}

/// The errors of a message. That of an original is the same whether the message does not exist, is of other users, or
/// was deleted.
fn errors(receivers_field: &str, unknown: &UnknownReferences) -> Vec<FieldError> {
    let receiver = |name| {
        let detail = format!("'{name}' is not the name of a user");
        FieldError::field(receivers_field, detail)
    };
    let original = unknown.original.then(|| {
        let detail = "must be the id of a message that you sent, or received and have not deleted; \
                      leave it out to send a message that answers none";
        FieldError::field("in_reply_to", detail)
    });
    unknown
        .receivers
        .iter()
        .map(receiver)
        .chain(original)
        .collect()
}

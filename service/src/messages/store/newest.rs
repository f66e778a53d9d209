//! The newest pages of several inboxes, read by one statement.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, SizedStatement, sized_statement,
    with_connection,
};
use crate::http::budget::{Budget, Reservation, SMALL_RESPONSE};
use crate::messages::store::collector::{Bounds, MessagePage, OVERFETCH, PageState, split_page};
use crate::messages::store::inbox;
use crate::messages::store::row::{content, message_columns};
use crate::model::message::Message;
use crate::model::page::Page;
use crate::model::user::{UserId, Username};
use crate::users::UsernameCache;

/// A request for the page that is requested most often: the newest messages of the caller's inbox.
pub(crate) struct NewestPageRequest(pub(crate) Caller);

/// The resources that the pages of all callers need.
pub(crate) struct NewestPageContext {
    pub(crate) database: Database,
    pub(crate) names: UsernameCache,
    pub(crate) budget: Budget,
}

/// A page of each of the users, with the ids of the senders instead of their names, and whether any account is being
/// deleted, which [`UsernameCache`] needs from the same snapshot.
///
/// The inner statement names all columns of the index in its order, although all but the last are constant: without
/// them, MySQL would read the whole inbox and sort it.
const PAGES: SizedStatement<3> = sized_statement!(
    [2, 4, 8],
    concat!(
        "SELECT ",
        message_columns!(viewer: "receiver.id"),
        ", receiver.id AS receiver_id, m.sender_id, r.is_read, \
         (SELECT MAX(user_id) FROM account_deletions) IS NOT NULL AS has_pending_deletions \
     FROM users AS receiver FORCE INDEX (PRIMARY) STRAIGHT_JOIN LATERAL ( \
         SELECT newest.message_id, newest.is_read FROM receipts AS newest FORCE INDEX (PRIMARY) \
         WHERE newest.receiver_id = receiver.id AND newest.is_deleted = FALSE \
         ORDER BY newest.receiver_id DESC, newest.is_deleted DESC, newest.message_id DESC LIMIT ? \
     ) AS r STRAIGHT_JOIN messages AS m FORCE INDEX (PRIMARY) ON m.id = r.message_id \
     WHERE receiver.id IN ("
    ),
    "?",
    ")"
);

/// A message without the name of its sender.
#[derive(Clone)]
struct UnresolvedMessage {
    sender: UserId,
    message: Message,
}

/// The newest page of one inbox.
#[derive(Clone, Default)]
struct Inbox {
    messages: Vec<UnresolvedMessage>,
    bytes: usize,
    /// The page is too large for a batch and has to be read individually.
    is_large: bool,
}

impl Inbox {
    /// Adds a row, or discards the page if it has become large.
    fn push(&mut self, row: &MySqlRow) -> sqlx::Result<()> {
        if self.is_large {
            return Ok(());
        }
        let unknown = Username::stored("");
        let content = content(row, unknown.clone())?;
        let message = Message::of_receiver(content, unknown, row.try_get("is_read")?);
        self.bytes += message.max_json_bytes();
        let sender = row.try_get::<u64, _>("sender_id")?.into();
        self.messages.push(UnresolvedMessage { sender, message });
        if self.bytes > SMALL_RESPONSE {
            self.is_large = true;
            self.messages = Vec::new();
        }
        Ok(())
    }

    /// The caller's page, newest first; `None` if it is large.
    fn page(self, caller: &Caller) -> Option<MessagePage> {
        if self.is_large {
            return None;
        }
        let message = |unresolved: UnresolvedMessage| Message {
            receiver: caller.username().clone(),
            ..unresolved.message
        };
        let mut messages: Vec<_> = self.messages.into_iter().map(message).collect();
        // MySQL does not guarantee an order of the rows that a lateral join returns.
        messages.sort_unstable_by_key(|message| Reverse(message.id));
        let next_cursor = split_page(&mut messages, &Page::DEFAULT, |message| message.id);
        let marks = messages.iter().map(|message| (message.id, message.read));
        let state = PageState {
            marks: marks.collect(),
            has_more: next_cursor.is_some(),
        };
        Some(MessagePage {
            messages,
            state,
            next_cursor,
        })
    }
}

impl NewestPageRequest {
    fn receiver(&self) -> u64 {
        u64::from(self.0.id())
    }
}

/// The newest pages of these users' inboxes, and whether any account is being deleted.
async fn inboxes(
    connection: &mut MySqlConnection,
    receivers: &[u64],
) -> sqlx::Result<(HashMap<u64, Inbox>, bool)> {
    let (statement, receivers) = PAGES.for_values(receivers);
    let query = sqlx::query(statement).bind(Page::DEFAULT.per_page + OVERFETCH);
    let mut rows = receivers
        .fold(query, |query, receiver| query.bind(*receiver))
        .fetch(connection);
    let mut inboxes = HashMap::<u64, Inbox>::new();
    let mut has_pending_deletions = false;
    while let Some(row) = rows.try_next().await? {
        has_pending_deletions = row.try_get("has_pending_deletions")?;
        let receiver = row.try_get("receiver_id")?;
        inboxes.entry(receiver).or_default().push(&row)?;
    }
    Ok((inboxes, has_pending_deletions))
}

impl Batch for NewestPageRequest {
    type Context = NewestPageContext;
    /// The page with its part of the budget; `None` if it exceeds the budget or is too large for a batch.
    type Output = Option<(MessagePage, Reservation)>;

    /// Unlike commits, pages use MySQL's processors, so several small batches are faster than one large batch.
    const LIMITS: BatchLimits = BatchLimits {
        concurrency: 4,
        max_in_flight: 16,
        min_batch: 4,
        max_batch: PAGES.capacity(),
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, context: &NewestPageContext) -> Result<Self::Output, Error> {
        let mut reservation = context.budget.reservation(self.0.id());
        let mut bounds = Bounds {
            bytes: Page::CONTENT_BYTES,
            reservation: &mut reservation,
        };
        let page = inbox::page(&context.database, &self.0, &Page::DEFAULT, &mut bounds).await?;
        Ok(page.map(|page| (page, reservation)))
    }

    /// Leaves large pages out, which bounds the memory of a batch.
    async fn run_batch(
        context: &NewestPageContext,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Self::Output>>, Error> {
        let receivers: Vec<_> = all.iter().map(|one| one.receiver()).collect();
        with_connection!(context.database, |connection| {
            let (mut inboxes, has_pending_deletions) = inboxes(connection, &receivers).await?;
            let messages = inboxes.values().flat_map(|inbox| &inbox.messages);
            let senders: Vec<_> = messages.map(|unresolved| unresolved.sender).collect();
            let names = context
                .names
                .resolve(connection, &senders, has_pending_deletions);
            let mut names = names.await?.into_iter();
            for unresolved in inboxes.values_mut().flat_map(|inbox| &mut inbox.messages) {
                unresolved.message.sender = names.next().ok_or(sqlx::Error::RowNotFound)?;
            }
            let page = |(index, one): (usize, &Arc<Self>)| {
                let receiver = one.receiver();
                // Several requests in a batch may be for the same inbox.
                let inbox = if receivers[index + 1..].contains(&receiver) {
                    inboxes.get(&receiver).cloned()
                } else {
                    inboxes.remove(&receiver)
                };
                let page = inbox.unwrap_or_default().page(&one.0)?;
                Some((page, context.budget.reservation(one.0.id())))
            };
            let pages = all.iter().enumerate().map(page);
            Ok(pages.map(BatchOutcome::Done).collect())
        })
    }
}

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
    unit_of_work,
};
use crate::http::budget::{Budget, Reservation, SMALL};
use crate::messages::store::bounded::Bounds;
use crate::messages::store::{LOOK_AHEAD, Outline, Received, content, inbox};
use crate::model::message::{Message, Page};
use crate::model::user::{UserId, Username};
use crate::users::Names;

/// The page that most ask for, again and again: the newest messages of the caller's inbox.
pub(crate) struct Newest(pub(crate) Caller);

/// The resources that the pages of all callers need.
pub(crate) struct NewestContext {
    pub(crate) database: Database,
    pub(crate) names: Names,
    pub(crate) budget: Budget,
}

/// A page of each of the users, without the names of who sent the messages, and whether any account is on its way out, as
/// [`Names`] wants to know at the same time.
///
/// Its inner statement is in the order of the whole key, of which all but the last column are the same: without them MySQL
/// would read the whole inbox and sort it.
const PAGES: SizedStatement<3> = sized_statement!(
    [2, 4, 8],
    "SELECT receiver.id AS receiver_id, m.id, m.sender_id, m.subject, m.body, m.created_at, r.is_read, \
         (SELECT MAX(user_id) FROM departures) IS NOT NULL AS is_somebody_leaving \
     FROM users AS receiver FORCE INDEX (PRIMARY) STRAIGHT_JOIN LATERAL ( \
         SELECT newest.message_id, newest.is_read FROM receipts AS newest FORCE INDEX (PRIMARY) \
         WHERE newest.receiver_id = receiver.id AND newest.is_deleted = FALSE \
         ORDER BY newest.receiver_id DESC, newest.is_deleted DESC, newest.message_id DESC LIMIT ? \
     ) AS r STRAIGHT_JOIN messages AS m FORCE INDEX (PRIMARY) ON m.id = r.message_id \
     WHERE receiver.id IN (",
    "?",
    ")"
);

/// A message on a page.
#[derive(Clone)]
struct Line {
    sender: UserId,
    /// Without the name of its sender until that is known.
    message: Message,
}

/// What was read of one inbox.
#[derive(Clone, Default)]
struct Inbox {
    lines: Vec<Line>,
    bytes: usize,
    /// It has a page that is to be read by itself.
    is_large: bool,
}

impl Inbox {
    /// Takes a row unless the page has become large. Then nothing of it is kept.
    fn take(&mut self, row: &MySqlRow) -> sqlx::Result<()> {
        if self.is_large {
            return Ok(());
        }
        let nobody = Username::stored("");
        let content = content(row, nobody.clone())?;
        let message = Message::of_receiver(content, nobody, row.try_get("is_read")?);
        self.bytes += message.bytes();
        let sender = row.try_get::<u64, _>("sender_id")?.into();
        self.lines.push(Line { sender, message });
        if self.bytes > SMALL {
            self.is_large = true;
            self.lines = Vec::new();
        }
        Ok(())
    }

    /// The caller's page, newest first; `None` if it is large.
    fn page(self, caller: &Caller) -> Option<Received> {
        if self.is_large {
            return None;
        }
        let message = |line: Line| Message {
            receiver: caller.username().clone(),
            ..line.message
        };
        let mut messages: Vec<_> = self.lines.into_iter().map(message).collect();
        // In which order MySQL reads what a join begins with it does not promise.
        messages.sort_unstable_by_key(|message| Reverse(message.id));
        let has_more = messages.len() as u64 > Page::DEFAULT.per_page;
        messages.truncate(messages.len() - usize::from(has_more));
        let rest = messages.last().filter(|_| has_more).map(|last| last.id);
        let marks = messages.iter().map(|message| (message.id, message.read));
        let outline = Outline {
            marks: marks.collect(),
            has_more,
        };
        Some(Received {
            messages,
            outline,
            rest,
        })
    }
}

impl Newest {
    fn receiver(&self) -> u64 {
        u64::from(self.0.id())
    }
}

/// What was read of the inboxes of these users, and whether any account is on its way out.
async fn inboxes(
    connection: &mut MySqlConnection,
    receivers: &[u64],
) -> sqlx::Result<(HashMap<u64, Inbox>, bool)> {
    let (statement, places) = PAGES.for_values(receivers);
    let query = sqlx::query(statement).bind(Page::DEFAULT.per_page + LOOK_AHEAD);
    let mut rows = places
        .fold(query, |query, receiver| query.bind(*receiver))
        .fetch(connection);
    let mut inboxes = HashMap::<u64, Inbox>::new();
    let mut is_somebody_leaving = false;
    while let Some(row) = rows.try_next().await? {
        is_somebody_leaving = row.try_get("is_somebody_leaving")?;
        let receiver = row.try_get("receiver_id")?;
        inboxes.entry(receiver).or_default().take(&row)?;
    }
    Ok((inboxes, is_somebody_leaving))
}

impl Batch for Newest {
    type Context = NewestContext;
    /// The page with what it takes of the budget; `None` if it is beyond that, or of those that are read by themselves.
    type Output = Option<(Received, Reservation)>;

    /// Unlike commits, pages use MySQL's processors, so several small batches are faster than one large batch.
    const LIMITS: BatchLimits = BatchLimits {
        concurrency: 4,
        max_in_flight: 16,
        min_batch: 4,
        max_batch: PAGES.capacity(),
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, context: &NewestContext) -> Result<Self::Output, Error> {
        let mut reservation = context.budget.reservation(self.0.id());
        let mut bounds = Bounds {
            bytes: Page::CONTENT_BYTES,
            reservation: &mut reservation,
        };
        let page = inbox::page(&context.database, &self.0, &Page::DEFAULT, &mut bounds).await?;
        Ok(page.map(|page| (page, reservation)))
    }

    /// A large page is left out, so that a batch holds little whatever is in its inboxes.
    async fn run_batch(
        context: &NewestContext,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Self::Output>>, Error> {
        let receivers: Vec<_> = all.iter().map(|one| one.receiver()).collect();
        unit_of_work!(context.database, |connection| {
            let (mut inboxes, is_somebody_leaving) = inboxes(connection, &receivers).await?;
            let lines = || inboxes.values().flat_map(|inbox| &inbox.lines);
            let senders: Vec<_> = lines().map(|line| line.sender).collect();
            let names = context.names.of(connection, &senders, is_somebody_leaving);
            let mut names = names.await?.into_iter();
            for line in inboxes.values_mut().flat_map(|inbox| &mut inbox.lines) {
                line.message.sender = names.next().ok_or(sqlx::Error::RowNotFound)?;
            }
            let page = |(index, one): (usize, &Arc<Self>)| {
                let receiver = one.receiver();
                // One who asks twice has the page twice.
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

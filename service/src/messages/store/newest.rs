//! The newest pages of several inboxes, read by one statement.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::{LOOK_AHEAD, Received, content, inbox};
use crate::auth::Caller;
use crate::database::{Database, Error, Rounds, Several, Work, several, unit_of_work};
use crate::messages::model::{Message, Page};
use crate::users::{Names, UserId, Username};

/// The page that most ask for, again and again: the newest messages of the caller's inbox.
pub(crate) struct Newest {
    caller: Caller,
    /// The same for all who ask.
    names: Arc<Names>,
}

/// A page of each of the users, without the names of who sent the messages, and whether any account is on its way out, as
/// [`Names`] wants to know at the same time.
///
/// Its inner statement is in the order of the whole key, of which all but the last column are the same: without them MySQL
/// would read the whole inbox and sort it.
const PAGES: Several<3> = several!(
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
struct Line<'a> {
    row: &'a MySqlRow,
    sender: Username,
}

impl Newest {
    pub(crate) fn new(caller: Caller, names: Arc<Names>) -> Self {
        Self { caller, names }
    }

    fn receiver(&self) -> u64 {
        u64::from(self.caller.id())
    }

    /// The caller's page, of these lines.
    fn page(&self, lines: &[Line<'_>]) -> sqlx::Result<Received> {
        let message = |line: &Line<'_>| {
            let content = content(line.row, line.sender.clone())?;
            let is_read = line.row.try_get("is_read")?;
            let receiver = self.caller.username().clone();
            Ok(Message::of_receiver(content, receiver, is_read))
        };
        let mut messages: Vec<Message> = lines.iter().map(message).collect::<sqlx::Result<_>>()?;
        // In which order MySQL reads what a join begins with it does not promise.
        messages.sort_unstable_by_key(|message| Reverse(message.id));
        let has_more = messages.len() as u64 > Page::DEFAULT.per_page;
        messages.truncate(messages.len() - usize::from(has_more));
        let rest = messages.last().filter(|_| has_more).map(|last| last.id);
        Ok(Received { messages, rest })
    }
}

/// Who sent the messages of these rows, in their order.
async fn senders(
    connection: &mut MySqlConnection,
    names: &Names,
    rows: &[MySqlRow],
) -> sqlx::Result<Vec<Username>> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let is_somebody_leaving = first.try_get("is_somebody_leaving")?;
    let sender = |row: &MySqlRow| row.try_get::<u64, _>("sender_id").map(UserId::from);
    let senders: Vec<_> = rows.iter().map(sender).collect::<sqlx::Result<_>>()?;
    names.of(connection, &senders, is_somebody_leaving).await
}

impl Work for Newest {
    /// Unlike a commit, pages are work for MySQL's processors, so several rounds of few pages are faster than one of many.
    const ROUNDS: Rounds = Rounds {
        lanes: 4,
        most_lanes: 16,
        least: 4,
        largest: PAGES.most(),
    };

    type Outcome = Received;

    async fn alone(&self, database: &Database) -> Result<Received, Error> {
        inbox::page(database, &self.caller, &Page::DEFAULT).await
    }

    async fn together(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<Option<Received>>, Error> {
        let Some(first) = all.first() else {
            return Ok(Vec::new());
        };
        let receivers: Vec<_> = all.iter().map(|one| one.receiver()).collect();
        unit_of_work!(database, |connection| {
            let (statement, places) = PAGES.about(&receivers);
            let query = sqlx::query(statement).bind(Page::DEFAULT.per_page + LOOK_AHEAD);
            let rows = places
                .fold(query, |query, receiver| query.bind(*receiver))
                .fetch_all(&mut *connection)
                .await?;
            let senders = senders(connection, &first.names, &rows).await?;
            let mut inboxes = HashMap::<u64, Vec<Line<'_>>>::new();
            for (row, sender) in rows.iter().zip(senders) {
                let receiver = row.try_get("receiver_id")?;
                inboxes
                    .entry(receiver)
                    .or_default()
                    .push(Line { row, sender });
            }
            let page = |one: &Arc<Self>| {
                let lines = inboxes.get(&one.receiver());
                one.page(lines.map_or(&[], Vec::as_slice))
            };
            all.iter().map(|one| page(one).map(Some)).collect()
        })
    }
}

//! The newest pages of several inboxes, read by one statement.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::{LOOK_AHEAD, Received, inbox, received_message};
use crate::auth::Caller;
use crate::database::{Database, Error, Rounds, Several, Work, several, unit_of_work};
use crate::messages::model::{Message, Page};

/// The page that most ask for, again and again: the newest messages of the caller's inbox.
pub(crate) struct Newest {
    caller: Caller,
}

/// A page of each of the users. Its inner statement is in the order of the whole key, of which all but the last column are
/// the same: without them MySQL would read the whole inbox and sort it.
const PAGES: Several<3> = several!(
    [2, 4, 8],
    "SELECT receiver.id AS receiver_id, m.id, sender.username AS sender, m.subject, m.body, m.created_at, r.is_read \
     FROM users AS receiver FORCE INDEX (PRIMARY) STRAIGHT_JOIN LATERAL ( \
         SELECT newest.message_id, newest.is_read FROM receipts AS newest FORCE INDEX (PRIMARY) \
         WHERE newest.receiver_id = receiver.id AND newest.is_deleted = FALSE \
         ORDER BY newest.receiver_id DESC, newest.is_deleted DESC, newest.message_id DESC LIMIT ? \
     ) AS r STRAIGHT_JOIN messages AS m FORCE INDEX (PRIMARY) ON m.id = r.message_id \
     STRAIGHT_JOIN users AS sender FORCE INDEX (PRIMARY) ON sender.id = m.sender_id WHERE receiver.id IN (",
    "?",
    ")"
);

impl Newest {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller }
    }

    fn receiver(&self) -> u64 {
        u64::from(self.caller.id())
    }

    /// The caller's page, of these rows.
    fn page(&self, rows: &[&MySqlRow]) -> sqlx::Result<Received> {
        let message = |row: &&MySqlRow| received_message(row, self.caller.username().clone());
        let mut messages: Vec<Message> = rows.iter().map(message).collect::<sqlx::Result<_>>()?;
        // In which order MySQL reads what a join begins with it does not promise.
        messages.sort_unstable_by_key(|message| Reverse(message.id));
        let has_more = messages.len() as u64 > Page::DEFAULT.per_page;
        messages.truncate(messages.len() - usize::from(has_more));
        let rest = messages.last().filter(|_| has_more).map(|last| last.id);
        Ok(Received { messages, rest })
    }
}

impl Work for Newest {
    /// Unlike a commit, pages are work for MySQL's processors, so several rounds of few pages are faster than one of many.
    const ROUNDS: Rounds = Rounds {
        lanes: 4,
        most_lanes: 16,
        largest: PAGES.most(),
    };

    type Outcome = Received;

    async fn alone(&self, database: &Database) -> Result<Received, Error> {
        inbox::page(database, &self.caller, &Page::DEFAULT).await
    }

    async fn together(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Option<Vec<Received>>, Error> {
        let receivers: Vec<_> = all.iter().map(|one| one.receiver()).collect();
        unit_of_work!(database, |connection| {
            let (statement, places) = PAGES.about(&receivers);
            let query = sqlx::query(statement).bind(Page::DEFAULT.per_page + LOOK_AHEAD);
            let rows = places
                .fold(query, |query, receiver| query.bind(*receiver))
                .fetch_all(connection)
                .await?;
            let mut inboxes = HashMap::<u64, Vec<&MySqlRow>>::new();
            for row in &rows {
                let receiver = row.try_get("receiver_id")?;
                inboxes.entry(receiver).or_default().push(row);
            }
            let page = |one: &Arc<Self>| {
                let rows = inboxes.get(&one.receiver());
                one.page(rows.map_or(&[], Vec::as_slice))
            };
            let pages: sqlx::Result<Vec<_>> = all.iter().map(page).collect();
            pages.map(Some)
        })
    }
}

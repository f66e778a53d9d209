//! Messages to one receiver each, alone or several as one transaction.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, Row};

use super::{Refusal, send_once};
use crate::auth::Caller;
use crate::database::{Database, Error, LARGEST_ROUND, Work, unit_of_work, unless_locked};
use crate::messages::model::{Message, MessageId, NewMessage, Postmark};
use crate::users::Username;

/// A message of a caller to one receiver, without a key.
pub(crate) struct Outgoing {
    caller: Caller,
    new: NewMessage,
    receiver: Username,
}

impl Outgoing {
    /// The receiver is the one of the message.
    pub(crate) fn new(caller: Caller, new: NewMessage, receiver: Username) -> Self {
        Self {
            caller,
            new,
            receiver,
        }
    }

    /// What came of it.
    pub(crate) fn answer(&self, postmark: Option<Postmark>) -> Result<Message, Refusal> {
        let sent = postmark.map(|mark| self.new.sent(mark, self.caller.username().clone()));
        sent.ok_or_else(|| Refusal::NoSuchReceivers(vec![self.receiver.clone()]))
    }
}

mod statements {
    use crate::database::{Several, places, several};

    /// The receivers. By how much one id that a statement gives is greater than the one before it is the server's to say.
    pub(super) const USERS: Several<7> = several!(
        [1, 2, 4, 8, 16, 32, 64],
        "SELECT id, username, @@SESSION.auto_increment_increment AS step FROM users WHERE username IN (",
        "?",
        ")"
    );

    /// For so many messages: their insertion, and that of their receipts. Any number of messages is put together from
    /// these, because a place that is left over cannot repeat one.
    pub(super) struct Length {
        pub(super) count: usize,
        pub(super) messages: &'static str,
        pub(super) receipts: &'static str,
    }

    macro_rules! length {
        ($count:tt) => {
            Length {
                count: $count,
                messages: concat!(
                    "INSERT INTO messages (sender_id, subject, body, created_at) VALUES ",
                    places!($count, "(?, ?, ?, ?)")
                ),
                receipts: concat!(
                    "INSERT INTO receipts (receiver_id, message_id) VALUES ",
                    places!($count, "(?, ?)")
                ),
            }
        };
    }

    /// From the longest to the shortest.
    pub(super) const LENGTHS: [Length; 7] = [
        length!(64),
        length!(32),
        length!(16),
        length!(8),
        length!(4),
        length!(2),
        length!(1),
    ];
}
use statements::{LENGTHS, Length, USERS};
const _: () = assert!(USERS.most() >= LARGEST_ROUND);

/// A message and the id of its receiver.
type Addressed<'a> = (&'a Outgoing, u64);

/// What comes of it is nothing if the receiver is not there; the others are sent nevertheless.
impl Work for Outgoing {
    type Outcome = Option<Postmark>;

    async fn alone(&self, database: &Database) -> Result<Option<Postmark>, Error> {
        send_once(database, &self.caller, &self.new, None).await
    }

    /// `None` if somebody holds a lock on one of the users for long: the others must not wait for that.
    async fn together(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Option<Vec<Option<Postmark>>>, Error> {
        let created_at = Utc::now().trunc_subsecs(3);
        let ids = unit_of_work!(database, |connection| {
            unless_locked(send_all(connection, all, created_at).await.map(Some))
        })?;
        let postmark = |id: Option<u64>| {
            Some(Postmark {
                id: MessageId::stored(id?)?,
                created_at,
            })
        };
        Ok(ids.map(|ids| ids.into_iter().map(postmark).collect()))
    }
}

/// The ids of the messages; `None` for each whose receiver is not there.
async fn send_all(
    connection: &mut MySqlConnection,
    all: &[Arc<Outgoing>],
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<Option<u64>>> {
    let users = Users::named_in(connection, all).await?;
    let addressed: Vec<_> = all
        .iter()
        .filter_map(|one| Some((&**one, users.id_of(&one.receiver)?)))
        .collect();
    let mut transaction = connection.begin().await?;
    let given = insert(&mut transaction, &addressed, users.step, created_at).await?;
    transaction.commit().await?;
    let mut given = VecDeque::from(given);
    let id = |one: &Arc<Outgoing>| users.id_of(&one.receiver).and_then(|_| given.pop_front());
    Ok(all.iter().map(id).collect())
}

/// The receivers that there are.
struct Users {
    ids: HashMap<String, u64>,
    /// By how much each of the ids that one statement gives is greater than the one before it.
    step: usize,
}

impl Users {
    async fn named_in(
        connection: &mut MySqlConnection,
        all: &[Arc<Outgoing>],
    ) -> sqlx::Result<Self> {
        let (statement, places) = USERS.about(all);
        let rows = places
            .fold(sqlx::query(statement), |query, one| {
                query.bind(one.receiver.as_str())
            })
            .fetch_all(connection)
            .await?;
        let step = rows
            .first()
            .map_or(Ok(1), |row| row.try_get::<u64, _>("step"))?;
        let entry = |row: &MySqlRow| Ok((row.try_get("username")?, row.try_get("id")?));
        Ok(Self {
            ids: rows.iter().map(entry).collect::<sqlx::Result<_>>()?,
            step: usize::try_from(step).unwrap_or(1),
        })
    }

    fn id_of(&self, name: &Username) -> Option<u64> {
        self.ids.get(name.as_str()).copied()
    }
}

/// The ids of the messages, in their order.
async fn insert(
    connection: &mut MySqlConnection,
    mut messages: &[Addressed<'_>],
    step: usize,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<u64>> {
    let mut ids = Vec::with_capacity(messages.len());
    while let Some(length) = LENGTHS.iter().find(|length| length.count <= messages.len()) {
        let (part, rest) = messages.split_at(length.count);
        let first = insert_messages(connection, length, part, created_at).await?;
        let given: Vec<u64> = (first..).step_by(step).take(part.len()).collect();
        insert_receipts(connection, length, part, &given).await?;
        ids.extend(given);
        messages = rest;
    }
    Ok(ids)
}

/// The id of the first of them. Those of a statement that inserts a known number of rows follow each other, whatever
/// others insert at the same time
/// (<https://dev.mysql.com/doc/refman/8.4/en/innodb-auto-increment-handling.html>, "simple inserts").
async fn insert_messages(
    connection: &mut MySqlConnection,
    length: &Length,
    messages: &[Addressed<'_>],
    created_at: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let mut query = sqlx::query(length.messages);
    for (outgoing, _) in messages {
        query = query
            .bind(u64::from(outgoing.caller.id()))
            .bind(outgoing.new.subject.as_str())
            .bind(outgoing.new.message.as_str())
            .bind(created_at);
    }
    Ok(query.execute(connection).await?.last_insert_id())
}

async fn insert_receipts(
    connection: &mut MySqlConnection,
    length: &Length,
    messages: &[Addressed<'_>],
    ids: &[u64],
) -> sqlx::Result<()> {
    let mut query = sqlx::query(length.receipts);
    for ((_, receiver), id) in messages.iter().zip(ids) {
        query = query.bind(*receiver).bind(*id);
    }
    query.execute(connection).await.map(drop)
}

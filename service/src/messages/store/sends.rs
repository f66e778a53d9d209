//! Messages to one receiver each, without a key: several that come at the same time are sent in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, FromRow, Row};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, MAX_BATCH, unit_of_work, unless_locked,
};
use crate::messages::store::send::{Refusal, send};
use crate::model::message::{Message, MessageId, NewMessage, Postmark};
use crate::model::user::Username;

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

    /// The message as it was sent.
    pub(crate) fn message(&self, postmark: Postmark) -> Message {
        self.new.sent(postmark, self.caller.username().clone())
    }
}

mod statements {
    use crate::db::{SizedStatement, placeholders, sized_statement};

    /// Senders and receivers, locked until the transaction ends, but for those whose rows others have locked. By how much
    /// one id that a statement gives is greater than the one before it is the server's to say.
    pub(super) const USERS: SizedStatement<7> = sized_statement!(
        [2, 4, 8, 16, 32, 64, 128],
        "SELECT username, id, token_epoch, @@SESSION.auto_increment_increment AS step FROM users \
         FORCE INDEX (users_username) WHERE username IN (",
        "?",
        ") FOR SHARE SKIP LOCKED"
    );
    /// Which of those that were not found exist.
    pub(super) const KNOWN: SizedStatement<2> = sized_statement!(
        [8, 128],
        "SELECT username FROM users FORCE INDEX (users_username) WHERE username IN (",
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
                messages: const_str::concat!(
                    "INSERT INTO messages (sender_id, subject, body, created_at) VALUES ",
                    placeholders!($count, "(?, ?, ?, ?)")
                ),
                receipts: const_str::concat!(
                    "INSERT INTO receipts (receiver_id, message_id) VALUES ",
                    placeholders!($count, "(?, ?)")
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
use statements::{KNOWN, LENGTHS, Length, USERS};
/// Each message has a sender and a receiver.
const MOST_NAMES: usize = 2 * MAX_BATCH;
const _: () = assert!(USERS.capacity() >= MOST_NAMES && KNOWN.capacity() >= MOST_NAMES);

/// A message and the id of its receiver.
type Addressed<'a> = (&'a Outgoing, u64);

/// One message that is refused keeps no other one back.
impl Batch for Outgoing {
    type Context = Database;
    type Output = Result<Postmark, Refusal>;

    /// Only sends whose sender or receiver another transaction has locked run individually, and wait for it.
    const LIMITS: BatchLimits = BatchLimits {
        max_individual: 4,
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, database: &Database) -> Result<Self::Output, Error> {
        send(database, &self.caller, &self.new, None).await
    }

    /// Sends whose sender or receiver another transaction has locked run individually, so that the others do not wait.
    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Self::Output>>, Error> {
        let created_at = Utc::now().trunc_subsecs(3);
        unit_of_work!(database, |connection| {
            unless_locked(all, send_all(connection, all, created_at).await)
        })
    }
}

/// What is to be done with a message, by its sender and its receiver.
enum Verdict {
    /// It is sent to the receiver with this id.
    Send(u64),
    /// The receiver does not exist.
    NoSuchReceiver,
    /// The sender's token is good no more.
    TokenRevoked,
    /// Another transaction has locked one of the two.
    Locked,
}

async fn send_all(
    connection: &mut MySqlConnection,
    all: &[Arc<Outgoing>],
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<BatchOutcome<Result<Postmark, Refusal>>>> {
    let mut transaction = connection.begin().await?;
    let users = Users::of(&mut transaction, all).await?;
    let verdicts: Vec<_> = all.iter().map(|one| users.verdict(one)).collect();
    let judged = all.iter().zip(&verdicts);
    let addressed: Vec<_> = judged
        .clone()
        .filter_map(|(one, verdict)| match verdict {
            Verdict::Send(receiver) => Some((&**one, *receiver)),
            _ => None,
        })
        .collect();
    let ids = insert(&mut transaction, &addressed, users.step, created_at).await?;
    transaction.commit().await?;
    let mut ids = VecDeque::from(ids);
    let outcome = |(one, verdict): (&Arc<Outgoing>, &Verdict)| match verdict {
        Verdict::Send(_) => {
            let id = ids.pop_front().and_then(MessageId::stored);
            let id = id.ok_or(sqlx::Error::RowNotFound)?;
            Ok(BatchOutcome::Done(Ok(Postmark { id, created_at })))
        }
        Verdict::NoSuchReceiver => Ok(BatchOutcome::Done(Err(Refusal::NoSuchReceivers(vec![
            one.receiver.clone(),
        ])))),
        Verdict::TokenRevoked => Ok(BatchOutcome::Done(Err(Refusal::TokenRevoked))),
        Verdict::Locked => Ok(BatchOutcome::RunIndividually),
    };
    judged.map(outcome).collect()
}

/// A user as the transaction has locked them.
struct User {
    id: u64,
    token_epoch: u32,
}

/// The senders and receivers of some messages.
struct Users {
    found: HashMap<String, User>,
    /// The names of those who exist and whose rows are locked.
    locked: HashSet<String>,
    /// By how much each of the ids that one statement gives is greater than the one before it.
    step: usize,
}

impl Users {
    async fn of(connection: &mut MySqlConnection, all: &[Arc<Outgoing>]) -> sqlx::Result<Self> {
        let senders = all.iter().map(|one| one.caller.username().as_str());
        let receivers = all.iter().map(|one| one.receiver.as_str());
        let names: BTreeSet<_> = senders.chain(receivers).collect();
        let names: Vec<_> = names.into_iter().collect();
        let (statement, places) = USERS.for_values(&names);
        let rows = places
            .fold(sqlx::query(statement), |query, name| query.bind(*name))
            .fetch_all(&mut *connection)
            .await?;
        let step = rows
            .first()
            .map_or(Ok(1), |row| row.try_get::<u64, _>("step"))?;
        let found = rows
            .iter()
            .map(user)
            .collect::<sqlx::Result<HashMap<_, _>>>()?;
        let mut missing = names;
        missing.retain(|name| !found.contains_key(*name));
        Ok(Self {
            locked: known(connection, &missing).await?,
            found,
            step: usize::try_from(step).unwrap_or(1),
        })
    }

    fn verdict(&self, outgoing: &Outgoing) -> Verdict {
        let (caller, receiver) = (&outgoing.caller, outgoing.receiver.as_str());
        let sender = caller.username().as_str();
        match (self.found.get(sender), self.found.get(receiver)) {
            _ if self.locked.contains(sender) => Verdict::Locked,
            (Some(sender), _) if !is_of(caller, sender) => Verdict::TokenRevoked,
            // A deleted account gives its name away.
            (None, _) => Verdict::TokenRevoked,
            (Some(_), Some(receiver)) => Verdict::Send(receiver.id),
            (Some(_), None) if self.locked.contains(receiver) => Verdict::Locked,
            (Some(_), None) => Verdict::NoSuchReceiver,
        }
    }
}

fn user(row: &MySqlRow) -> sqlx::Result<(String, User)> {
    let user = User {
        id: row.try_get("id")?,
        token_epoch: row.try_get("token_epoch")?,
    };
    Ok((row.try_get("username")?, user))
}

/// Whether the caller is this user, and the caller's token is still good.
fn is_of(caller: &Caller, user: &User) -> bool {
    u64::from(caller.id()) == user.id && caller.token_epoch() == user.token_epoch
}

/// Those of the names that users have. No statement where all were found.
async fn known(connection: &mut MySqlConnection, names: &[&str]) -> sqlx::Result<HashSet<String>> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, places) = KNOWN.for_values(names);
    let rows = places
        .fold(sqlx::query(statement), |query, name| query.bind(*name))
        .fetch_all(connection)
        .await?;
    let name = |row: &MySqlRow| <(String,)>::from_row(row).map(|(name,)| name);
    rows.iter().map(name).collect()
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

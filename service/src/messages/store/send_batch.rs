//! Group commit of sends to one receiver each, without a key, that answer no message: concurrent ones share a
//! transaction.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, FromRow, Row};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, MAX_BATCH, unless_locked, with_connection,
};
use crate::messages::store::send::{Refusal, UnknownReferences, send};
use crate::model::message::{Message, MessageId};
use crate::model::new_message::{NewMessage, SentMetadata};
use crate::model::user::Username;

/// A request to send a message to one receiver, without a key, that answers no message.
pub(crate) struct SendRequest {
    caller: Caller,
    new: NewMessage,
    receiver: Username,
}

impl SendRequest {
    /// The receiver must be that of the message.
    pub(crate) fn new(caller: Caller, new: NewMessage, receiver: Username) -> Self {
        Self {
            caller,
            new,
            receiver,
        }
    }

    /// The message as it was sent.
    pub(crate) fn message(&self, metadata: SentMetadata) -> Message {
        self.new.sent(metadata, self.caller.username().clone())
    }
}

mod statements {
    use crate::db::{SizedStatement, placeholders, sized_statement};

    /// Locks the senders and receivers until the transaction ends, except those whose rows other transactions have
    /// locked. `step` is the difference between successive ids, which depends on the server's configuration.
    pub(super) const USERS: SizedStatement<7> = sized_statement!(
        [2, 4, 8, 16, 32, 64, 128],
        "SELECT username, id, token_epoch, @@SESSION.auto_increment_increment AS step FROM users \
         FORCE INDEX (users_username) WHERE username IN (",
        "?",
        ") FOR SHARE SKIP LOCKED"
    );
    /// Which of the users that were not found exist.
    pub(super) const KNOWN: SizedStatement<2> = sized_statement!(
        [8, 128],
        "SELECT username FROM users FORCE INDEX (users_username) WHERE username IN (",
        "?",
        ")"
    );

    /// The statements that insert a number of messages and their receipts. Insertions of any number are composed of
    /// these, because surplus placeholders cannot repeat a message. The receipt of a receiver who blocks the sender is
    /// inserted as deleted.
    pub(super) struct Insertion {
        pub(super) count: usize,
        pub(super) messages: &'static str,
        pub(super) receipts: &'static str,
    }

    macro_rules! insertion {
        ($count:tt) => {
            Insertion {
                count: $count,
                messages: const_str::concat!(
                    "INSERT INTO messages (sender_id, subject, body, created_at) VALUES ",
                    placeholders!($count, "(?, ?, ?, ?)")
                ),
                receipts: const_str::concat!(
                    "INSERT INTO receipts (receiver_id, is_deleted, message_id) SELECT new.receiver_id, \
                     EXISTS (SELECT 1 FROM blocks WHERE blocker_id = CAST(new.receiver_id AS UNSIGNED) \
                     AND blocked_id = CAST(new.sender_id AS UNSIGNED)), new.message_id FROM (VALUES ",
                    placeholders!($count, "ROW(?,?,?)"),
                    ") AS new (receiver_id, sender_id, message_id)"
                ),
            }
        };
    }

    /// In descending order.
    pub(super) const INSERTIONS: [Insertion; 7] = [
        insertion!(64),
        insertion!(32),
        insertion!(16),
        insertion!(8),
        insertion!(4),
        insertion!(2),
        insertion!(1),
    ];
}
use statements::{INSERTIONS, Insertion, KNOWN, USERS};
/// Each message has a sender and a receiver.
const MAX_NAMES: usize = 2 * MAX_BATCH;
const _: () = assert!(USERS.capacity() >= MAX_NAMES && KNOWN.capacity() >= MAX_NAMES);

/// A request and the id of its receiver.
type Addressed<'a> = (&'a SendRequest, u64);

/// A refused message does not affect the others of its batch.
impl Batch for SendRequest {
    type Context = Database;
    type Output = Result<SentMetadata, Refusal>;

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
        with_connection!(database, |connection| {
            let sent = send_all(database, connection, all, created_at).await;
            unless_locked(all, sent)
        })
    }
}

/// Whether a message can be sent, according to its sender and its receiver.
enum Verdict {
    /// It can be sent to the receiver with this id.
    Send(u64),
    /// The receiver does not exist.
    NoSuchReceiver,
    /// The sender's token is no longer valid.
    TokenRevoked,
    /// Another transaction has locked the sender or the receiver.
    Locked,
}

async fn send_all(
    database: &Database,
    connection: &mut MySqlConnection,
    all: &[Arc<SendRequest>],
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<BatchOutcome<Result<SentMetadata, Refusal>>>> {
    let mut transaction = connection.begin().await?;
    let users = Users::of(&mut transaction, all).await?;
    let verdicts: Vec<_> = all.iter().map(|one| users.verdict(one)).collect();
    let decided = all.iter().zip(&verdicts);
    let addressed: Vec<_> = decided
        .clone()
        .filter_map(|(one, verdict)| match verdict {
            Verdict::Send(receiver) => Some((&**one, *receiver)),
            _ => None,
        })
        .collect();
    let ids = insert(&mut transaction, &addressed, users.step, created_at).await?;
    database.commit_events(transaction).await?;
    let mut ids = VecDeque::from(ids);
    let outcome = |(one, verdict): (&Arc<SendRequest>, &Verdict)| match verdict {
        Verdict::Send(_) => {
            let id = ids.pop_front().and_then(MessageId::stored);
            let id = id.ok_or(sqlx::Error::RowNotFound)?;
            Ok(BatchOutcome::Done(Ok(SentMetadata { id, created_at })))
        }
        Verdict::NoSuchReceiver => {
            let unknown = UnknownReferences {
                receivers: vec![one.receiver.clone()],
                original: false,
            };
            Ok(BatchOutcome::Done(Err(Refusal::Unknown(unknown))))
        }
        Verdict::TokenRevoked => Ok(BatchOutcome::Done(Err(Refusal::TokenRevoked))),
        Verdict::Locked => Ok(BatchOutcome::RunIndividually),
    };
    decided.map(outcome).collect()
}

/// A user whose row the transaction has locked.
struct User {
    id: u64,
    token_epoch: u32,
}

/// The senders and receivers of some messages.
struct Users {
    found: HashMap<String, User>,
    /// The names of users whose rows other transactions have locked.
    locked: HashSet<String>,
    /// The difference between successive ids of one statement.
    step: usize,
}

impl Users {
    async fn of(connection: &mut MySqlConnection, all: &[Arc<SendRequest>]) -> sqlx::Result<Self> {
        let senders = all.iter().map(|one| one.caller.username().as_str());
        let receivers = all.iter().map(|one| one.receiver.as_str());
        let names: BTreeSet<_> = senders.chain(receivers).collect();
        let names: Vec<_> = names.into_iter().collect();
        let (statement, values) = USERS.for_values(&names);
        let rows = values
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

    fn verdict(&self, request: &SendRequest) -> Verdict {
        let (caller, receiver) = (&request.caller, request.receiver.as_str());
        let sender = caller.username().as_str();
        match (self.found.get(sender), self.found.get(receiver)) {
            _ if self.locked.contains(sender) => Verdict::Locked,
            (Some(sender), _) if !is_of(caller, sender) => Verdict::TokenRevoked,
            // The name of a deleted account is free, or belongs to another account.
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

/// Whether the caller is this user and the caller's token is still valid.
fn is_of(caller: &Caller, user: &User) -> bool {
    u64::from(caller.id()) == user.id && caller.token_epoch() == user.token_epoch
}

/// The names that belong to users. If there are no names, no statement is executed.
async fn known(connection: &mut MySqlConnection, names: &[&str]) -> sqlx::Result<HashSet<String>> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let (statement, values) = KNOWN.for_values(names);
    let rows = values
        .fold(sqlx::query(statement), |query, name| query.bind(*name))
        .fetch_all(connection)
        .await?;
    let name = |row: &MySqlRow| <(String,)>::from_row(row).map(|(name,)| name);
    rows.iter().map(name).collect()
}

/// Inserts messages, and returns their ids in the same order.
async fn insert(
    connection: &mut MySqlConnection,
    mut messages: &[Addressed<'_>],
    step: usize,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<u64>> {
    let mut ids = Vec::with_capacity(messages.len());
    while let Some(insertion) = INSERTIONS
        .iter()
        .find(|insertion| insertion.count <= messages.len())
    {
        let (part, rest) = messages.split_at(insertion.count);
        let first = insert_messages(connection, insertion, part, created_at).await?;
        let given: Vec<u64> = (first..).step_by(step).take(part.len()).collect();
        insert_receipts(connection, insertion, part, &given).await?;
        ids.extend(given);
        messages = rest;
    }
    Ok(ids)
}

/// Inserts messages, and returns the id of the first. The ids of a statement that inserts a known number of rows are
/// consecutive, regardless of concurrent insertions
/// (<https://dev.mysql.com/doc/refman/8.4/en/innodb-auto-increment-handling.html>, "simple inserts").
async fn insert_messages(
    connection: &mut MySqlConnection,
    insertion: &Insertion,
    messages: &[Addressed<'_>],
    created_at: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let mut query = sqlx::query(insertion.messages);
    for (request, _) in messages {
        query = query
            .bind(u64::from(request.caller.id()))
            .bind(request.new.subject.as_str())
            .bind(request.new.message.as_str())
            .bind(created_at);
    }
    Ok(query.execute(connection).await?.last_insert_id())
}

async fn insert_receipts(
    connection: &mut MySqlConnection,
    insertion: &Insertion,
    messages: &[Addressed<'_>],
    ids: &[u64],
) -> sqlx::Result<()> {
    let mut query = sqlx::query(insertion.receipts);
    for ((request, receiver), id) in messages.iter().zip(ids) {
        query = query
            .bind(*receiver)
            .bind(u64::from(request.caller.id()))
            .bind(*id);
    }
    query.execute(connection).await.map(drop)
}

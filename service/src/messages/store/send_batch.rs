//! Group commit of sends to one receiver each that answer no message: concurrent ones share a transaction.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, FromRow, Row};

use crate::auth::Caller;
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, MAX_BATCH, is_conflict, unless_in_conflict,
    with_connection,
};
use crate::messages::store::idempotency::{self, KeyedSend, UserKey};
use crate::messages::store::send::{Refusal, UnknownReferences, send};
use crate::model::message::{Message, MessageId};
use crate::model::new_message::{IdempotencyKey, NewMessage, SentMetadata};
use crate::model::user::Username;

/// A request to send a message to one receiver that answers no message.
pub(crate) struct SendRequest {
    caller: Caller,
    new: NewMessage,
    receiver: Username,
    key: Option<IdempotencyKey>,
}

impl SendRequest {
    /// The receiver must be that of the message.
    pub(crate) fn new(
        caller: Caller,
        new: NewMessage,
        receiver: Username,
        key: Option<IdempotencyKey>,
    ) -> Self {
        Self {
            caller,
            new,
            receiver,
            key,
        }
    }

    fn user_key(&self) -> Option<UserKey<'_>> {
        let key = self.key.as_ref()?;
        Some(idempotency::user_key(&self.caller, key))
    }

    /// The message as it was sent.
    pub(crate) fn message(&self, metadata: SentMetadata) -> Message {
        self.new.sent(metadata, self.caller.username().clone())
    }
}

mod statements {
    use crate::db::{
        ComposedStatement, SizedStatement, composed_statement, placeholders, sized_statement,
    };

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

    /// The statements that insert a number of messages and their receipts. The receipt of a receiver who blocks the
    /// sender is inserted as deleted.
    pub(super) struct Insertion {
        pub(super) messages: &'static str,
        pub(super) receipts: &'static str,
    }

    macro_rules! insertion {
        ($count:tt) => {
            Insertion {
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
    pub(super) const INSERTIONS: ComposedStatement<Insertion> = composed_statement!(insertion);
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

    /// Few sends run individually: those that arrive alone, retries, and those that wait for another transaction, which
    /// has locked the sender or the receiver, or uses the key. While others wait for such a transaction, a retry may be
    /// refused (503).
    const LIMITS: BatchLimits = BatchLimits {
        max_individual: 4,
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, database: &Database) -> Result<Self::Output, Error> {
        send(database, &self.caller, &self.new, self.key.as_ref()).await
    }

    /// Sends whose sender or receiver another transaction has locked run individually, so that the others do not wait.
    /// So do those whose key was used before, which get the result of the first send, and those whose key another
    /// transaction uses: the batch ends at once when it finds such a key, and the others are sent without them. A
    /// transaction of a replica that has lost its connection keeps its keys until MySQL's `wait_timeout`.
    async fn run_batch(
        database: &Database,
        all: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Self::Output>>, Error> {
        let created_at = Utc::now().trunc_subsecs(3);
        with_connection!(database, |connection| {
            let mut sent = send_all(database, connection, all, &[], created_at).await;
            if sent.as_ref().is_err_and(is_conflict) {
                let taken = idempotency::taken(connection, &keys_of(all)).await?;
                if !taken.is_empty() {
                    sent = send_all(database, connection, all, &taken, created_at).await;
                }
            }
            unless_in_conflict(all, sent)
        })
    }
}

/// Whether a message can be sent, according to its sender, its key and its receiver.
enum Verdict {
    /// It can be sent to the receiver with this id.
    Send(u64),
    /// The receiver does not exist.
    NoSuchReceiver,
    /// The sender's token is no longer valid.
    TokenRevoked,
    /// Another transaction has locked the sender or the receiver, or another send has the key.
    RunIndividually,
}

/// The keys of those requests that have one.
fn keys_of(all: &[Arc<SendRequest>]) -> Vec<UserKey<'_>> {
    all.iter().filter_map(|one| one.user_key()).collect()
}

/// Sends all but those whose keys are `taken`, or were used before.
async fn send_all(
    database: &Database,
    connection: &mut MySqlConnection,
    all: &[Arc<SendRequest>],
    taken: &[(u64, String)],
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<BatchOutcome<Result<SentMetadata, Refusal>>>> {
    let mut transaction = connection.begin().await?;
    let users = Users::of(&mut transaction, all).await?;
    let are_first = are_first_with_key(&mut transaction, all, taken).await?;
    let decided: Vec<_> = all
        .iter()
        .zip(are_first)
        .map(|(one, is_first)| (&**one, users.verdict(one, is_first)))
        .collect();
    let addressed: Vec<_> = decided
        .iter()
        .filter_map(|(one, verdict)| match verdict {
            Verdict::Send(receiver) => Some((*one, *receiver)),
            _ => None,
        })
        .collect();
    let sent = insert(&mut transaction, &addressed, users.step, created_at).await?;
    insert_keys(&mut transaction, &addressed, &sent).await?;
    database.commit_events(transaction).await?;
    let mut sent = sent.into_iter();
    let outcomes = decided.into_iter().map(|(one, verdict)| match verdict {
        Verdict::Send(_) => {
            let metadata = sent.next().ok_or(sqlx::Error::RowNotFound)?;
            Ok(BatchOutcome::Done(Ok(metadata)))
        }
        Verdict::NoSuchReceiver => {
            let unknown = UnknownReferences {
                receivers: vec![one.receiver.clone()],
                original: false,
            };
            Ok(BatchOutcome::Done(Err(Refusal::Unknown(unknown))))
        }
        Verdict::TokenRevoked => Ok(BatchOutcome::Done(Err(Refusal::TokenRevoked))),
        Verdict::RunIndividually => Ok(BatchOutcome::RunIndividually),
    });
    outcomes.collect()
}

fn borrowed((user, key): &(u64, String)) -> UserKey<'_> {
    (*user, key)
}

/// Whether each request is the first with its key, also among the requests themselves; true for those without a key.
async fn are_first_with_key(
    connection: &mut MySqlConnection,
    all: &[Arc<SendRequest>],
    taken: &[(u64, String)],
) -> sqlx::Result<Vec<bool>> {
    let mut used: HashSet<UserKey<'_>> = taken.iter().map(borrowed).collect();
    let mut others = keys_of(all);
    others.retain(|key| !used.contains(key));
    let found = idempotency::used(connection, &others).await?;
    used.extend(found.iter().map(borrowed));
    let keys = all.iter().map(|one| one.user_key());
    Ok(keys
        .map(|key| key.is_none_or(|key| used.insert(key)))
        .collect())
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

    fn verdict(&self, request: &SendRequest, is_first_with_key: bool) -> Verdict {
        let (caller, receiver) = (&request.caller, request.receiver.as_str());
        let sender = caller.username().as_str();
        match (self.found.get(sender), self.found.get(receiver)) {
            _ if self.locked.contains(sender) => Verdict::RunIndividually,
            (Some(sender), _) if !is_of(caller, sender) => Verdict::TokenRevoked,
            // The name of a deleted account is free, or belongs to another account.
            (None, _) => Verdict::TokenRevoked,
            _ if !is_first_with_key => Verdict::RunIndividually,
            (Some(_), Some(receiver)) => Verdict::Send(receiver.id),
            (Some(_), None) if self.locked.contains(receiver) => Verdict::RunIndividually,
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

/// Inserts messages and their receipts, and returns their metadata in the same order.
async fn insert(
    connection: &mut MySqlConnection,
    messages: &[Addressed<'_>],
    step: usize,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Vec<SentMetadata>> {
    let mut sent = Vec::with_capacity(messages.len());
    for (insertion, part) in INSERTIONS.parts(messages) {
        let first = insert_messages(connection, insertion, part, created_at).await?;
        let ids: Vec<u64> = (first..).step_by(step).take(part.len()).collect();
        insert_receipts(connection, insertion, part, &ids).await?;
        for id in ids {
            let id = MessageId::stored(id).ok_or(sqlx::Error::RowNotFound)?;
            sent.push(SentMetadata { id, created_at });
        }
    }
    Ok(sent)
}

/// Stores the keys of those messages that have one.
async fn insert_keys(
    connection: &mut MySqlConnection,
    messages: &[Addressed<'_>],
    sent: &[SentMetadata],
) -> sqlx::Result<()> {
    let keyed = messages
        .iter()
        .zip(sent)
        .filter_map(|((request, _), sent)| {
            let key = request.user_key()?;
            Some(KeyedSend {
                key,
                new: &request.new,
                sent: *sent,
            })
        });
    idempotency::insert(connection, &keyed.collect::<Vec<_>>()).await
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

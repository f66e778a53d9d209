//! A send in a transaction of its own: to one or several receivers, with or without an `Idempotency-Key`.
//!
//! The statement that inserts the message makes all checks: whether the sender's token is still valid, all receivers
//! exist and the key is unused. So a refused send consumes no id, and no message is committed after its sender's tokens
//! were revoked or the account was deleted: the statement locks the sender's row, which a revocation changes.

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::store::idempotency::KeyedSend;
use crate::messages::store::{idempotency, replies};
use crate::model::message::MessageId;
use crate::model::new_message::{IdempotencyKey, NewMessage, RECEIVERS, Receivers, SentMetadata};
use crate::model::user::Username;

/// The reason why a message was not sent.
pub(crate) enum Refusal {
    /// The message refers to users that do not exist, or answers a message that the sender cannot see.
    Unknown(UnknownReferences),
    /// The key was used for a different message.
    KeyReused,
    /// The sender's tokens were revoked, or the account was deleted, after the request was authorized.
    TokenRevoked,
}

/// The references of a message that was not sent because of them.
pub(crate) struct UnknownReferences {
    /// Names that belong to no user.
    pub(crate) receivers: Vec<Username>,
    /// Whether the sender cannot see the message that is answered.
    pub(crate) original: bool,
}

mod statements {
    use crate::db::{SizedStatement, sized_statement};

    /// Inserts a message to one receiver, with an additional condition.
    macro_rules! to_one {
        ($more:literal) => {
            concat!(
                "INSERT INTO messages (sender_id, subject, body, created_at) \
                 SELECT sender.id, ?, ?, ? FROM users AS sender STRAIGHT_JOIN users AS receiver \
                 WHERE sender.id = ? AND sender.token_epoch = ? AND receiver.username = ? ",
                $more,
                "FOR SHARE"
            )
        };
    }
    /// Inserts a message to several receivers, whose number is checked.
    macro_rules! to_several {
        ($more:literal) => {
            sized_statement!(
                [100],
                "INSERT INTO messages (sender_id, subject, body, created_at) \
                 SELECT sender.id, ?, ?, ? FROM users AS sender WHERE sender.id = ? AND sender.token_epoch = ? \
                 AND (SELECT COUNT(*) FROM users AS receiver WHERE receiver.username IN (",
                "?",
                $more
            )
        };
    }

    pub(super) const TO_ONE: &str = to_one!("");
    pub(super) const TO_ONE_WITH_KEY: &str = to_one!(
        "AND NOT EXISTS (SELECT 1 FROM idempotency_keys AS used \
         WHERE used.user_id = sender.id AND used.idempotency_key = ?) "
    );
    pub(super) const TO_SEVERAL: SizedStatement<1> = to_several!(") FOR SHARE) = ? FOR SHARE");
    pub(super) const TO_SEVERAL_WITH_KEY: SizedStatement<1> = to_several!(
        ") FOR SHARE) = ? AND NOT EXISTS (SELECT 1 FROM idempotency_keys AS used \
         WHERE used.user_id = sender.id AND used.idempotency_key = ?) FOR SHARE"
    );
    /// Inserts the receipts of the receivers that a condition selects, as deleted for those who block the sender. The
    /// same statement inserts all of them, so that the sender cannot tell.
    macro_rules! insert_receipts {
        ($condition:literal) => {
            concat!(
                "INSERT INTO receipts (receiver_id, is_deleted, message_id) SELECT receiver.id, \
                 EXISTS (SELECT 1 FROM blocks WHERE blocker_id = receiver.id AND blocked_id = ?), ? \
                 FROM users AS receiver WHERE receiver.username ",
                $condition
            )
        };
    }
    pub(super) const RECEIPT: &str = insert_receipts!("= ?");
    pub(super) const RECEIPTS: SizedStatement<1> =
        sized_statement!([100], insert_receipts!("IN ("), "?", ")");
    /// Which of these users exist.
    pub(super) const KNOWN: SizedStatement<1> = sized_statement!(
        [100],
        "SELECT username FROM users WHERE username IN (",
        "?",
        ")"
    );
}
use statements::{KNOWN, RECEIPTS, TO_SEVERAL, TO_SEVERAL_WITH_KEY};
const _: () = assert!(TO_SEVERAL.capacity() >= *RECEIVERS.end());
const _: () = assert!(TO_SEVERAL_WITH_KEY.capacity() >= *RECEIVERS.end());
const _: () = assert!(RECEIPTS.capacity() >= *RECEIVERS.end());
const _: () = assert!(KNOWN.capacity() >= *RECEIVERS.end());

/// Attempts of a send that is refused for a reason that no longer holds when it is determined.
const MAX_ATTEMPTS: u32 = 3;

/// Sends a message to all its receivers or to none, and with a key only if no message was sent with that key before. A
/// retry gets the result of the first attempt, even if its receivers or the message have been deleted since.
pub(crate) async fn send(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Result<SentMetadata, Refusal>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        match send_once(database, caller, new, key).await {
            Ok(Some(metadata)) => return Ok(Ok(metadata)),
            Ok(None) => {}
            // Another send with the same key was committed in the meantime.
            Err(Error::Duplicate) if key.is_some() => {}
            Err(error) => return Err(error),
        }
        if let Some(result) = explain_refusal(database, caller, new, key).await? {
            return Ok(result);
        }
        // The reason no longer holds: the key has just expired, or a receiver has just signed up.
    }
    let reason = "a send was refused repeatedly for a reason that did not hold afterwards";
    Err(Error::Unavailable(reason.to_owned()))
}

/// Sends the message in one transaction; `None` if it is refused.
///
/// # Errors
/// [`Error::Duplicate`] if another send with the key was committed in the meantime. The transaction waits for one that
/// is in progress.
async fn send_once(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Option<SentMetadata>, Error> {
    let created_at = Utc::now().trunc_subsecs(3);
    with_connection!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let receivers = new.receivers.names();
        let viewers = match new.in_reply_to {
            None => Vec::new(),
            Some(original) => {
                replies::viewers(&mut transaction, caller, original, receivers).await?
            }
        };
        if new.in_reply_to.is_some() && viewers.is_empty() {
            return Ok(None);
        }
        let Some(id) = insert_message(&mut transaction, caller, new, key, created_at).await? else {
            return Ok(None);
        };
        let received = insert_receipts(&mut transaction, caller, id, &new.receivers).await?;
        // The receivers' rows are locked, so none can be missing; otherwise the transaction is rolled back.
        if received < receivers.len() as u64 {
            return Ok(None);
        }
        if let Some(original) = new.in_reply_to {
            replies::insert(&mut transaction, id, original, &viewers).await?;
        }
        let sent = SentMetadata { id, created_at };
        if let Some(key) = key {
            let key = idempotency::user_key(caller, key);
            idempotency::insert(&mut transaction, &[KeyedSend { key, new, sent }]).await?;
        }
        database.commit_events(transaction).await?;
        Ok(Some(sent))
    })
}

/// Returns the id of the message; `None`, without consuming an id, if one of the checks fails.
async fn insert_message(
    connection: &mut MySqlConnection,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Option<MessageId>> {
    let names = new.receivers.names();
    let several = match key {
        None => &TO_SEVERAL,
        Some(_) => &TO_SEVERAL_WITH_KEY,
    };
    let (statement, values) = several.for_values(names);
    let statement = match (&new.receivers, key) {
        (Receivers::Several(_), _) => statement,
        (Receivers::One(_), None) => statements::TO_ONE,
        (Receivers::One(_), Some(_)) => statements::TO_ONE_WITH_KEY,
    };
    let mut query = sqlx::query(statement)
        .bind(new.subject.as_str())
        .bind(new.message.as_str())
        .bind(created_at)
        .bind(u64::from(caller.id()))
        .bind(caller.token_epoch());
    query = match &new.receivers {
        Receivers::One(name) => query.bind(name.as_str()),
        Receivers::Several(_) => values
            .fold(query, |query, name| query.bind(name.as_str()))
            .bind(names.len() as u64),
    };
    if let Some(key) = key {
        query = query.bind(key.as_str());
    }
    let inserted = query.execute(connection).await?;
    Ok(MessageId::stored(inserted.last_insert_id()).filter(|_| inserted.rows_affected() == 1))
}

/// Returns the number of receivers.
async fn insert_receipts(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
    receivers: &Receivers,
) -> sqlx::Result<u64> {
    let start = |statement| {
        sqlx::query(statement)
            .bind(u64::from(caller.id()))
            .bind(id.get())
    };
    let query = match receivers {
        Receivers::One(name) => start(statements::RECEIPT).bind(name.as_str()),
        Receivers::Several(names) => {
            let (statement, values) = RECEIPTS.for_values(names);
            values.fold(start(statement), |query, name| query.bind(name.as_str()))
        }
    };
    Ok(query.execute(connection).await?.rows_affected())
}

/// The result of a send that was refused: if the key was used before, the result of that send, regardless of later
/// changes; otherwise the reason. `None` if the message can be sent now.
async fn explain_refusal(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Result<SentMetadata, Refusal>>, Error> {
    with_connection!(database, |connection| {
        let sender = idempotency::find(connection, caller, key).await?;
        let Some(sender) = sender.filter(|sender| sender.token_epoch == caller.token_epoch())
        else {
            return Ok(Some(Err(Refusal::TokenRevoked)));
        };
        if let Some(first) = sender.first_send {
            let is_same = first.fingerprint == new.fingerprint();
            return Ok(Some(
                is_same.then_some(first.sent).ok_or(Refusal::KeyReused),
            ));
        }
        let unknown = UnknownReferences {
            receivers: unknown(connection, new.receivers.names()).await?,
            original: match new.in_reply_to {
                None => false,
                Some(original) => !replies::is_visible(connection, caller, original).await?,
            },
        };
        let is_refused = unknown.original || !unknown.receivers.is_empty();
        Ok(is_refused.then_some(Err(Refusal::Unknown(unknown))))
    })
}

/// The names that belong to no user.
async fn unknown(
    connection: &mut MySqlConnection,
    names: &[Username],
) -> sqlx::Result<Vec<Username>> {
    let (statement, values) = KNOWN.for_values(names);
    let known: Vec<String> = values
        .fold(sqlx::query_scalar(statement), |query, name| {
            query.bind(name.as_str())
        })
        .fetch_all(connection)
        .await?;
    let is_known = |name: &&Username| known.iter().any(|known| known == name.as_str());
    Ok(names
        .iter()
        .filter(|name| !is_known(name))
        .cloned()
        .collect())
}

//! One message, sent as a transaction of its own: to one or several receivers, and with an `Idempotency-Key` or without.
//!
//! The statement that inserts the message makes all checks: whether the sender's token is still good, whether all receivers
//! exist and whether the key is free. So a send that is refused uses no id, and no message of a sender whose tokens were
//! revoked, or whose account was deleted, is ever committed afterwards: the statement locks the sender's row, which a
//! revocation changes.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, Row};

use crate::auth::Caller;
use crate::db::{Database, Error, unit_of_work};
use crate::messages::store::id;
use crate::model::message::{
    IdempotencyKey, MessageId, NewMessage, Postmark, RECEIVERS, Receivers,
};
use crate::model::user::Username;

/// Why a message was not sent.
pub(crate) enum Refusal {
    /// No user has these names.
    NoSuchReceivers(Vec<Username>),
    /// The key is that of another message.
    KeyOfAnother,
    /// The sender's tokens were revoked, or the account was deleted, after the request was authorised.
    TokenRevoked,
}

mod statements {
    use crate::db::{SizedStatement, sized_statement};

    /// An insertion to one receiver, with what is to be checked beside the sender and the receiver.
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
    /// The same to several, by how many of them there are.
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
    pub(super) const RECEIPT: &str =
        "INSERT INTO receipts (receiver_id, message_id) SELECT id, ? FROM users WHERE username = ?";
    pub(super) const RECEIPTS: SizedStatement<1> = sized_statement!(
        [100],
        "INSERT INTO receipts (receiver_id, message_id) SELECT id, ? FROM users WHERE username IN (",
        "?",
        ")"
    );
    pub(super) const KEY: &str = "INSERT INTO idempotency_keys (user_id, idempotency_key, fingerprint, message_id, created_at) \
         VALUES (?, ?, ?, ?, ?)";
    /// The sender, and the send that the key was used for, if it was.
    pub(super) const SENDER: &str = "SELECT sender.token_epoch, used.fingerprint, used.message_id AS id, used.created_at \
         FROM users AS sender LEFT JOIN idempotency_keys AS used \
         ON used.user_id = sender.id AND used.idempotency_key = ? WHERE sender.id = ?";
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

/// How often a send is tried whose reason for a refusal has gone by the time it is looked for.
const ATTEMPTS: u32 = 3;

/// Sends a message to all its receivers or to none, and with a key only if none was sent with that key before. A send
/// that repeats another one gets the first one's answer, whatever has happened to the receivers and the message since.
pub(crate) async fn send(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Result<Postmark, Refusal>, Error> {
    for _ in 0..ATTEMPTS {
        match send_once(database, caller, new, key).await {
            Ok(Some(postmark)) => return Ok(Ok(postmark)),
            Ok(None) => {}
            // A send with the same key was committed meanwhile.
            Err(Error::Duplicate) if key.is_some() => {}
            Err(fault) => return Err(fault),
        }
        if let Some(answer) = explain(database, caller, new, key).await? {
            return Ok(answer);
        }
        // The reason has gone since: the key was forgotten a moment ago, or a receiver has just signed up.
    }
    let reason = "a send was refused for a reason that had gone a moment later, again and again";
    Err(Error::Unavailable(reason.to_owned()))
}

/// One transaction. `None` if the send is refused.
///
/// # Errors
/// [`Error::Duplicate`] if another send with the key was committed meanwhile. One that is under way is waited for.
async fn send_once(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Postmark>, Error> {
    let created_at = Utc::now().trunc_subsecs(3);
    unit_of_work!(database, |connection| {
        let mut transaction = connection.begin().await?;
        let Some(id) = insert_message(&mut transaction, caller, new, key, created_at).await? else {
            return Ok(None);
        };
        let received = insert_receipts(&mut transaction, id, &new.receivers).await?;
        // The receivers' rows are locked, so they are still there; otherwise all is rolled back.
        if received < new.receivers.names().len() as u64 {
            return Ok(None);
        }
        if let Some(key) = key {
            insert_key(&mut transaction, caller, key, new, id, created_at).await?;
        }
        transaction.commit().await?;
        Ok(Some(Postmark { id, created_at }))
    })
}

/// The id of the message; `None`, and no id is used, if one of the checks fails.
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
    let (statement, places) = several.for_values(names);
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
        Receivers::Several(_) => places
            .fold(query, |query, name| query.bind(name.as_str()))
            .bind(names.len() as u64),
    };
    if let Some(key) = key {
        query = query.bind(key.as_str());
    }
    let inserted = query.execute(connection).await?;
    Ok(MessageId::stored(inserted.last_insert_id()).filter(|_| inserted.rows_affected() == 1))
}

/// The number of receivers.
async fn insert_receipts(
    connection: &mut MySqlConnection,
    id: MessageId,
    receivers: &Receivers,
) -> sqlx::Result<u64> {
    let query = match receivers {
        Receivers::One(name) => sqlx::query(statements::RECEIPT)
            .bind(id.get())
            .bind(name.as_str()),
        Receivers::Several(names) => {
            let (statement, places) = RECEIPTS.for_values(names);
            places.fold(sqlx::query(statement).bind(id.get()), |query, name| {
                query.bind(name.as_str())
            })
        }
    };
    Ok(query.execute(connection).await?.rows_affected())
}

async fn insert_key(
    connection: &mut MySqlConnection,
    caller: &Caller,
    key: &IdempotencyKey,
    new: &NewMessage,
    id: MessageId,
    created_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(statements::KEY)
        .bind(u64::from(caller.id()))
        .bind(key.as_str())
        .bind(&new.fingerprint()[..])
        .bind(id.get())
        .bind(created_at)
        .execute(connection)
        .await
        .map(drop)
}

/// What a send that was not done is answered with: the first answer of its key, before all that may have changed since;
/// or why it is refused. `None` if it can be sent now.
async fn explain(
    database: &Database,
    caller: &Caller,
    new: &NewMessage,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Result<Postmark, Refusal>>, Error> {
    unit_of_work!(database, |connection| {
        let sender = sqlx::query(statements::SENDER)
            // No key is empty.
            .bind(key.map_or("", IdempotencyKey::as_str))
            .bind(u64::from(caller.id()))
            .fetch_optional(&mut *connection)
            .await?;
        let Some(sender) = sender else {
            return Ok(Some(Err(Refusal::TokenRevoked)));
        };
        if sender.try_get::<u32, _>("token_epoch")? != caller.token_epoch() {
            return Ok(Some(Err(Refusal::TokenRevoked)));
        }
        if let Some(answer) = first_answer(&sender, new)? {
            return Ok(Some(answer));
        }
        let unknown = unknown(connection, new.receivers.names()).await?;
        Ok((!unknown.is_empty()).then_some(Err(Refusal::NoSuchReceivers(unknown))))
    })
}

/// The answer to the send that the key was used for.
fn first_answer(
    sender: &MySqlRow,
    new: &NewMessage,
) -> sqlx::Result<Option<Result<Postmark, Refusal>>> {
    let Some(fingerprint) = sender.try_get::<Option<Vec<u8>>, _>("fingerprint")? else {
        return Ok(None);
    };
    if fingerprint != new.fingerprint() {
        return Ok(Some(Err(Refusal::KeyOfAnother)));
    }
    Ok(Some(Ok(Postmark {
        id: id(sender)?,
        created_at: sender.try_get("created_at")?,
    })))
}

/// Those of the names that no user has.
async fn unknown(
    connection: &mut MySqlConnection,
    names: &[Username],
) -> sqlx::Result<Vec<Username>> {
    let (statement, places) = KNOWN.for_values(names);
    let known: Vec<String> = places
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

/// How long keys are kept: a day, and an hour for clocks that differ.
const KEYS_KEPT: TimeDelta = TimeDelta::hours(25);

/// Forgets some of the oldest keys that are over; whether there may be more of them.
pub(crate) async fn forget_keys(database: &Database) -> Result<bool, Error> {
    /// Few enough to lock nobody out for long.
    const SOME: u64 = 500;
    let oldest = Utc::now() - KEYS_KEPT;
    let forgotten = unit_of_work!(database, |connection| {
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?")
            .bind(oldest)
            .bind(SOME)
            .execute(connection)
            .await
    })?;
    Ok(forgotten.rows_affected() == SOME)
}

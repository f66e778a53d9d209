//! Messages in MySQL. Every statement is bounded by its caller: as the sender, or as a receiver who has not deleted
//! the message. A statement that finds nothing does not say whether somebody else would have found something.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{Database, Error, unit_of_work};
use crate::messages::search;
use crate::messages::store::bounded::{Bounds, Shelf};
use crate::model::message::{
    Content, Filter, Mailbox, Message, MessageId, Page, Receiver, Subject, Text,
};
use crate::model::user::Username;
use crate::users::store::Departure;

/// One row past the page tells whether another page follows, without counting anything.
pub(super) const LOOK_AHEAD: u64 = 1;

/// A page of messages, newest first.
pub(crate) struct Received {
    pub(crate) messages: Vec<Message>,
    /// All that the page would show if bytes were not bounded. What is shown follows from it, as messages never change.
    pub(crate) outline: Outline,
    /// Where there may be more: what is older than this.
    pub(crate) rest: Option<MessageId>,
}

pub(crate) mod bounded;
mod deletions;
mod inbox;
mod keys;
mod marks;
mod newest;
mod send;
mod sends;

pub(crate) use self::deletions::Deletion;
pub(crate) use self::inbox::{Outline, outline};
pub(crate) use self::marks::Marking;
pub(crate) use self::newest::{Newest, NewestContext};
pub(crate) use self::send::{Refusal, forget_keys, send};
pub(crate) use self::sends::Outgoing;

/// Deletes some of the messages that a deleted account has sent; whether there may be more of them.
pub(crate) async fn clear_away(database: &Database, departure: &Departure) -> Result<bool, Error> {
    /// Each with up to a hundred receipts.
    const SOME: u64 = 100;
    let deleted = unit_of_work!(database, |connection| {
        sqlx::query("DELETE /*+ INDEX(messages messages_sender) */ FROM messages WHERE sender_id = ? LIMIT ?")
            .bind(departure.user)
            .bind(SOME)
            .execute(connection)
            .await
    })?;
    Ok(deleted.rows_affected() == SOME)
}

/// A page of the caller's messages, of so many bytes at most; `None` if it is beyond the budget.
pub(crate) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<Received>, Error> {
    if page.filter != Filter::NONE {
        return search::page(database, caller, page, bounds).await;
    }
    match page.mailbox {
        Mailbox::Inbox => inbox::page(database, caller, page, bounds).await,
        Mailbox::Sent => sent(database, caller, page, bounds).await,
    }
}

/// Takes away the row past the page, if there is one, and tells what the next page is older than.
pub(super) fn cut_off(rows: &mut Vec<MySqlRow>, page: &Page) -> Option<MessageId> {
    let has_more = rows.len() as u64 > page.per_page;
    rows.truncate(rows.len() - usize::from(has_more));
    let last = rows.last().filter(|_| has_more)?;
    MessageId::stored(last.get("id"))
}

/// The statements of the sent box. It is what the key `messages_sender` is in the order of: a page is a short backward
/// walk along it.
mod sent_statements {
    macro_rules! page {
        (from: $from:literal) => {
            concat!(
                "SELECT m.id, m.subject, m.body, m.created_at FROM messages AS m FORCE INDEX (messages_sender) \
                 WHERE m.sender_id = ? AND m.id ",
                $from,
                " ORDER BY m.id DESC LIMIT ?"
            )
        };
    }

    pub(super) const BEFORE: &str = page!(from: "< ?");
    pub(super) const FROM_NTH: &str = page!(
        from: "<= (SELECT s.id FROM messages AS s FORCE INDEX (messages_sender) \
                   WHERE s.sender_id = ? ORDER BY s.id DESC LIMIT 1 OFFSET ?)"
    );
    /// Who received the caller's messages from one id to another.
    pub(super) const RECEIVERS: &str = "SELECT m.id, receiver.username, r.is_read \
         FROM messages AS m FORCE INDEX (messages_sender) \
         STRAIGHT_JOIN receipts AS r FORCE INDEX (receipts_message) ON r.message_id = m.id \
         STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id \
         WHERE m.sender_id = ? AND m.id BETWEEN ? AND ?";
}

/// A page of the messages that the caller sent and has not deleted, each with its receivers.
async fn sent(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<Received>, Error> {
    unit_of_work!(database, |connection| {
        let Some(mut received) = sent_alone(connection, caller, page, bounds).await? else {
            return Ok(None);
        };
        let (newest, oldest) = (received.messages.first(), received.messages.last());
        let id = |message: Option<&Message>| message.map_or(0, |message| message.id.get());
        let mut receivers = receivers(connection, caller, id(oldest)..=id(newest)).await?;
        // A message without receivers was deleted between the two statements.
        let with_receivers = |message: Message| {
            let receivers = receivers.remove(&message.id)?;
            Some(Message::of_sender(message.into(), receivers).with_receivers())
        };
        let messages = received.messages.into_iter().filter_map(with_receivers);
        received.messages = messages.collect();
        let bytes = received.messages.iter().map(Message::bytes).sum();
        Ok(bounds.reservation.covers(bytes).then_some(received))
    })
}

/// The same without the receivers. There is room for the longest lists of them.
async fn sent_alone(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<Received>> {
    let name = caller.username();
    let mut bounds = Bounds {
        bytes: bounds.bytes.saturating_sub(page.receivers_bytes()),
        reservation: bounds.reservation,
    };
    let mut shelf = Shelf::new(page, &mut bounds);
    while shelf.is_open() && shelf.left() > 0 {
        let count = shelf.portion(shelf.left() - 1) as u64 + LOOK_AHEAD;
        let query = sent_query(caller, page, shelf.last()).bind(count);
        let mut rows = query.fetch(&mut *connection);
        let mut found = 0;
        while let Some(row) = rows.try_next().await? {
            found += 1;
            shelf.take(&row, false, |row| {
                let content = content(row, name.clone())?;
                Ok(Message::of_receiver(content, name.clone(), false))
            })?;
        }
        if found < count {
            break;
        }
    }
    Ok(shelf.page())
}

/// The messages of a page after the last one, if there is one; how many is yet to be bound.
fn sent_query(
    caller: &Caller,
    page: &Page,
    last: Option<MessageId>,
) -> Query<'static, sqlx::MySql, sqlx::mysql::MySqlArguments> {
    let sender = u64::from(caller.id());
    match (last.or(page.before), page.offset()) {
        (None, offset @ 1..) => sqlx::query(sent_statements::FROM_NTH)
            .bind(sender)
            .bind(sender)
            .bind(offset),
        (before, _) => sqlx::query(sent_statements::BEFORE)
            .bind(sender)
            .bind(before.map_or(u64::MAX, MessageId::get)),
    }
}

/// The receivers of those messages in a range of ids that the caller sent.
async fn receivers(
    connection: &mut MySqlConnection,
    caller: &Caller,
    ids: RangeInclusive<u64>,
) -> sqlx::Result<BTreeMap<MessageId, Vec<Receiver>>> {
    let mut rows = sqlx::query(sent_statements::RECEIVERS)
        .bind(u64::from(caller.id()))
        .bind(ids.start())
        .bind(ids.end())
        .fetch(connection);
    let mut receivers = BTreeMap::<_, Vec<_>>::new();
    while let Some(row) = rows.try_next().await? {
        receivers.entry(id(&row)?).or_default().push(Receiver {
            username: Username::stored(row.try_get("username")?),
            read: row.try_get("is_read")?,
        });
    }
    Ok(receivers)
}

/// One message that the caller sent, or received and has not deleted.
pub(crate) async fn find(
    database: &Database,
    caller: &Caller,
    id: MessageId,
) -> Result<Option<Message>, Error> {
    unit_of_work!(database, |connection| select_one(connection, caller, id)
        .await)
}

/// Where the caller is sender and receiver, it is the message that they received, with all its receivers.
async fn select_one(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<Option<Message>> {
    let caller_id = u64::from(caller.id());
    let row = sqlx::query(
        "SELECT m.id, sender.username AS sender, m.sender_id = ? AS is_sender, m.subject, m.body, m.created_at, r.is_read \
         FROM messages AS m STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
         LEFT JOIN receipts AS r FORCE INDEX (receipts_message) \
             ON r.message_id = m.id AND r.receiver_id = ? AND r.is_deleted = FALSE \
         WHERE m.id = ? AND (m.sender_id = ? OR r.receiver_id IS NOT NULL)",
    )
    .bind(caller_id)
    .bind(caller_id)
    .bind(id.get())
    .bind(caller_id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let content = content(&row, Username::stored(row.try_get("sender")?))?;
    let own: Option<bool> = row.try_get("is_read")?;
    let of_receiver =
        |content, read| Message::of_receiver(content, caller.username().clone(), read);
    if let (Some(read), false) = (own, row.try_get("is_sender")?) {
        return Ok(Some(of_receiver(content, read)));
    }
    let mut receivers = receivers(connection, caller, id.get()..=id.get()).await?;
    // A message without receivers was deleted between the two statements.
    let sent = receivers
        .remove(&id)
        .map(|all| Message::of_sender(content, all));
    Ok(sent.map(|sent| match own {
        Some(read) => Message {
            receiver: caller.username().clone(),
            read,
            ..sent
        },
        None => sent,
    }))
}

/// A message as the row's receiver has it.
pub(crate) fn received_message(row: &MySqlRow, receiver: Username) -> sqlx::Result<Message> {
    let sender = Username::stored(row.try_get("sender")?);
    let read = row.try_get("is_read")?;
    Ok(Message::of_receiver(content(row, sender)?, receiver, read))
}

/// What a row says of a message.
pub(crate) fn content(row: &MySqlRow, sender: Username) -> sqlx::Result<Content> {
    Ok(Content {
        id: id(row)?,
        sender,
        subject: Subject::stored(row.try_get("subject")?),
        message: Text::stored(row.try_get("body")?),
        created_at: row.try_get("created_at")?,
    })
}

fn id(row: &MySqlRow) -> sqlx::Result<MessageId> {
    MessageId::stored(row.try_get("id")?).ok_or(sqlx::Error::RowNotFound)
}

//! Pages of the sent box. The index `messages_sender` has its order, so a page is a short backward scan of that index.

use rocket::futures::TryStreamExt as _;
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::store::collector::{Bounds, MessagePage, OVERFETCH, PageCollector};
use crate::messages::store::receivers::ReceiversByMessage;
use crate::messages::store::row::content;
use crate::model::message::{Message, MessageId};
use crate::model::page::Page;

mod statements {
    use crate::messages::store::row::message_columns;

    macro_rules! page {
        (from: $from:literal) => {
            concat!(
                "SELECT ",
                message_columns!(viewer: "m.sender_id"),
                " FROM messages AS m FORCE INDEX (messages_sender) WHERE m.sender_id = ? AND m.id ",
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
}

/// A page of the messages that the caller sent and has not deleted, each with its receivers.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<MessagePage>, Error> {
    with_connection!(database, |connection| {
        let Some(mut found) = without_receivers(connection, caller, page, bounds).await? else {
            return Ok(None);
        };
        let (newest, oldest) = (found.messages.first(), found.messages.last());
        let id = |message: Option<&Message>| message.map_or(0, |message| message.id.get());
        let ids = id(oldest)..=id(newest);
        let mut receivers = ReceiversByMessage::of_range(connection, caller, ids).await?;
        let messages = found.messages.into_iter();
        let messages = messages.filter_map(|message| receivers.message(message.into()));
        found.messages = messages.map(Message::with_receivers).collect();
        let bytes = found.messages.iter().map(Message::max_json_bytes).sum();
        Ok(bounds.reservation.covers(bytes).then_some(found))
    })
}

/// The page without the receivers, within bounds that leave room for the longest lists of them.
async fn without_receivers(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<MessagePage>> {
    let name = caller.username();
    let mut bounds = Bounds {
        bytes: bounds.bytes.saturating_sub(page.receivers_bytes()),
        reservation: bounds.reservation,
    };
    let mut collector = PageCollector::new(page, &mut bounds);
    while collector.is_open() && collector.remaining() > 0 {
        let limit = collector.next_chunk(collector.remaining() - 1) as u64 + OVERFETCH;
        let query = query(caller, page, collector.last()).bind(limit);
        let mut rows = query.fetch(&mut *connection);
        let mut found = 0;
        while let Some(row) = rows.try_next().await? {
            found += 1;
            collector.push_row(&row, false, |row| {
                let content = content(row, name.clone())?;
                Ok(Message::of_receiver(content, name.clone(), false))
            })?;
        }
        if found < limit {
            break;
        }
    }
    Ok(collector.finish())
}

/// The messages of a page after the last one, if there is one. The limit remains to be bound.
fn query(
    caller: &Caller,
    page: &Page,
    last: Option<MessageId>,
) -> Query<'static, sqlx::MySql, MySqlArguments> {
    let sender = u64::from(caller.id());
    match (last.or(page.before), page.offset()) {
        (None, offset @ 1..) => sqlx::query(statements::FROM_NTH)
            .bind(sender)
            .bind(sender)
            .bind(offset),
        (before, _) => sqlx::query(statements::BEFORE)
            .bind(sender)
            .bind(before.map_or(u64::MAX, MessageId::get)),
    }
}

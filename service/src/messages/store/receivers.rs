//! The receivers of messages that the caller sent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rocket::futures::{Stream, TryStreamExt as _};
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Caller;
use crate::db::{SizedStatement, sized_statement};
use crate::messages::store::row::id;
use crate::model::message::{Content, Message, MessageId, Receiver};
use crate::model::page::Page;
use crate::model::user::Username;

/// The receivers of the messages that a user sent, in a range of ids.
const OF_RANGE: &str = "SELECT m.id, receiver.username, r.is_read \
     FROM messages AS m FORCE INDEX (messages_sender) \
     STRAIGHT_JOIN receipts AS r FORCE INDEX (receipts_message) ON r.message_id = m.id \
     STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id \
     WHERE m.sender_id = ? AND m.id BETWEEN ? AND ?";
/// The receivers of some messages.
const OF_MESSAGES: SizedStatement<2> = sized_statement!(
    [20, 100],
    "SELECT r.message_id AS id, receiver.username, r.is_read FROM receipts AS r FORCE INDEX (receipts_message) \
     STRAIGHT_JOIN users AS receiver ON receiver.id = r.receiver_id WHERE r.message_id IN (",
    "?",
    ")"
);
const _: () = assert!(OF_MESSAGES.capacity() as u64 >= Page::MAX_PER_PAGE);

/// The receivers of messages, by the messages' ids.
pub(super) struct ReceiversByMessage(BTreeMap<MessageId, Vec<Receiver>>);

impl ReceiversByMessage {
    /// The receivers of the messages that the caller sent, in a range of ids.
    pub(super) async fn of_range(
        connection: &mut MySqlConnection,
        caller: &Caller,
        ids: RangeInclusive<u64>,
    ) -> sqlx::Result<Self> {
        let query = sqlx::query(OF_RANGE)
            .bind(u64::from(caller.id()))
            .bind(ids.start())
            .bind(ids.end());
        Self::read(query.fetch(connection)).await
    }

    /// The receivers of up to a page of messages, which the caller must have sent.
    pub(super) async fn of_messages(
        connection: &mut MySqlConnection,
        ids: &[MessageId],
    ) -> sqlx::Result<Self> {
        if ids.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let (statement, ids) = OF_MESSAGES.for_values(ids);
        let query = ids.fold(sqlx::query(statement), |query, id| query.bind(id.get()));
        Self::read(query.fetch(connection)).await
    }

    async fn read(
        mut rows: impl Stream<Item = sqlx::Result<MySqlRow>> + Unpin,
    ) -> sqlx::Result<Self> {
        let mut receivers = BTreeMap::<_, Vec<_>>::new();
        while let Some(row) = rows.try_next().await? {
            receivers.entry(id(&row)?).or_default().push(Receiver {
                username: Username::stored(row.try_get("username")?),
                read: row.try_get("is_read")?,
            });
        }
        Ok(Self(receivers))
    }

    /// The message as its sender sees it; `None` if it was deleted before its receivers were read.
    pub(super) fn message(&mut self, content: Content) -> Option<Message> {
        let receivers = self.0.remove(&content.id)?;
        Some(Message::of_sender(content, receivers))
    }
}

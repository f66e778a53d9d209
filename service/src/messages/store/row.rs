//! The columns of a message, and the values in them.

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use crate::model::message::{Content, Message, MessageId, Subject, Text};
use crate::model::user::Username;

/// The columns that [`content`] reads, of `messages AS m`; with `sender`, also those that [`received_message`] reads,
/// of `users AS sender`. The viewer is an expression for the id of the user for whom the message is read.
macro_rules! message_columns {
    (viewer: $viewer:literal) => {
        concat!(
            "m.id, m.subject, m.body, m.created_at, (SELECT reply.in_reply_to FROM replies AS reply \
             WHERE reply.message_id = m.id AND reply.user_id = ",
            $viewer,
            ") AS in_reply_to"
        )
    };
    (sender, viewer: $viewer:literal) => {
        concat!(
            "sender.username AS sender, ",
            $crate::messages::store::message_columns!(viewer: $viewer)
        )
    };
}
pub(crate) use message_columns;

/// The message of a row as its receiver sees it.
pub(crate) fn received_message(row: &MySqlRow, receiver: Username) -> sqlx::Result<Message> {
    let content = content(row, sender(row)?)?;
    Ok(Message::of_receiver(
        content,
        receiver,
        row.try_get("is_read")?,
    ))
}

/// The content of a row's message.
pub(crate) fn content(row: &MySqlRow, sender: Username) -> sqlx::Result<Content> {
    Ok(Content {
        id: id(row)?,
        in_reply_to: original(row)?,
        sender,
        subject: Subject::stored(row.try_get("subject")?),
        message: Text::stored(row.try_get("body")?),
        created_at: row.try_get("created_at")?,
    })
}

pub(super) fn sender(row: &MySqlRow) -> sqlx::Result<Username> {
    row.try_get("sender").map(Username::stored)
}

fn original(row: &MySqlRow) -> sqlx::Result<Option<MessageId>> {
    let original: Option<u64> = row.try_get("in_reply_to")?;
    Ok(original.and_then(MessageId::stored))
}

pub(super) fn id(row: &MySqlRow) -> sqlx::Result<MessageId> {
    MessageId::stored(row.try_get("id")?).ok_or(sqlx::Error::RowNotFound)
}

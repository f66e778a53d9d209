//! Replies, each stored for those of its users who can see the message that it answers.
//!
//! The statements are restricted to rows of the sender and the receivers until the sender is known to see that message.
//! So neither the response nor its time depends on a message that only other users can see.

use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Caller;
use crate::model::message::MessageId;
use crate::model::new_message::RECEIVERS;
use crate::model::user::Username;

mod statements {
    use crate::db::{SizedStatement, sized_statement};

    /// The message with an id, if a user received it and has not deleted it, or sent it.
    macro_rules! visible {
        () => {
            "SELECT message_id AS id FROM receipts FORCE INDEX (PRIMARY) \
             WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ? \
             UNION ALL SELECT id FROM messages FORCE INDEX (messages_sender) WHERE sender_id = ? AND id = ?"
        };
    }

    pub(super) const VISIBLE: &str = visible!();
    /// Those of some users who can see the message that is answered, each with the root of its conversation; none if
    /// the sender cannot see it. A receiver who blocks the sender is left out, as the reply arrives deleted.
    pub(super) const VIEWERS: SizedStatement<2> = sized_statement!(
        [2, 101],
        concat!(
            "SELECT u.id AS user_id, CAST(COALESCE((SELECT root_id FROM replies AS e \
             WHERE e.message_id = m.id AND e.user_id = u.id), m.id) AS UNSIGNED) AS root_id FROM (",
            visible!(),
            " LIMIT 1) AS original STRAIGHT_JOIN messages AS m ON m.id = original.id \
             STRAIGHT_JOIN users AS u FORCE INDEX (users_username) WHERE (u.id = m.sender_id OR EXISTS (\
             SELECT 1 FROM receipts WHERE receiver_id = u.id AND is_deleted = FALSE AND message_id = m.id)) \
             AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker_id = u.id AND blocked_id = ?) AND u.username IN ("
        ),
        "?",
        ")"
    );
    /// Surplus placeholders repeat rows, which changes nothing.
    pub(super) const INSERT: SizedStatement<3> = sized_statement!(
        [2, 8, 101],
        "INSERT INTO replies (message_id, user_id, in_reply_to, root_id) VALUES ",
        "(?,?,?,?)",
        " ON DUPLICATE KEY UPDATE root_id = replies.root_id"
    );
}
use statements::{INSERT, VIEWERS, VISIBLE};
const _: () = assert!(VIEWERS.capacity() > *RECEIVERS.end());
const _: () = assert!(INSERT.capacity() > *RECEIVERS.end());

/// A user for whom a message is a reply, and the root of the conversation for this user.
pub(super) struct Viewer {
    user: u64,
    root: u64,
}

/// Those of the caller and these receivers who see a message that answers `original` as a reply. There are none if the
/// caller cannot see the original.
pub(super) async fn viewers(
    connection: &mut MySqlConnection,
    caller: &Caller,
    original: MessageId,
    receivers: &[Username],
) -> sqlx::Result<Vec<Viewer>> {
    let mut names: Vec<_> = receivers.iter().collect();
    names.push(caller.username());
    let (statement, names) = VIEWERS.for_values(&names);
    let sender = u64::from(caller.id());
    let query = sqlx::query(statement)
        .bind(sender)
        .bind(original.get())
        .bind(sender)
        .bind(original.get())
        .bind(sender);
    let rows = names
        .fold(query, |query, name| query.bind(name.as_str()))
        .fetch_all(connection)
        .await?;
    let viewer = |row: &MySqlRow| {
        Ok(Viewer {
            user: row.try_get("user_id")?,
            root: row.try_get("root_id")?,
        })
    };
    rows.iter().map(viewer).collect()
}

/// Stores that a message is a reply.
pub(super) async fn insert(
    connection: &mut MySqlConnection,
    id: MessageId,
    original: MessageId,
    viewers: &[Viewer],
) -> sqlx::Result<()> {
    let (statement, viewers) = INSERT.for_values(viewers);
    let query = viewers.fold(sqlx::query(statement), |query, viewer| {
        query
            .bind(id.get())
            .bind(viewer.user)
            .bind(original.get())
            .bind(viewer.root)
    });
    query.execute(connection).await.map(drop)
}

/// Whether the caller can see a message.
pub(super) async fn is_visible(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<bool> {
    let user = u64::from(caller.id());
    let found = sqlx::query(VISIBLE)
        .bind(user)
        .bind(id.get())
        .bind(user)
        .bind(id.get())
        .fetch_all(connection)
        .await?;
    Ok(!found.is_empty())
}

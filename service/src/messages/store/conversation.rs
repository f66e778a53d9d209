//! Pages of a conversation: of both the messages that the caller received and those that the caller sent.
//!
//! The index `replies_conversation` has the order of a conversation for each of its users, without messages that they
//! never saw. Those that the caller has deleted are still in it, so a page scans a bounded part. The first message of a
//! conversation answers none, so it has no row there and is added at the end.

use std::collections::BTreeMap;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Caller;
use crate::db::{Database, Error, with_connection};
use crate::messages::store::collector::{
    Bounds, MessagePage, OVERFETCH, PageCollector, PageState, split_page,
};
use crate::messages::store::find::sent_by;
use crate::messages::store::receivers::ReceiversByMessage;
use crate::messages::store::replies::is_visible;
use crate::messages::store::row::{content, id, sender};
use crate::model::message::{Message, MessageId};
use crate::model::page::Page;

/// Replies that one page scans. Each costs two lookups by primary key.
const SCAN_LIMIT: u64 = 1_000;
/// Replies that are read at once if the first ones do not fill the page.
const BATCH: u64 = 200;

mod statements {
    use crate::db::{SizedStatement, sized_statement};
    use crate::messages::store::row::message_columns;

    /// The root of the conversation with a message that is a reply for the user.
    pub(super) const ROOT: &str =
        "SELECT root_id FROM replies WHERE message_id = ? AND user_id = ?";

    /// The replies of a conversation before a given one, newest first, and whether the user can see each of them.
    pub(super) const REPLIES: &str = "SELECT e.message_id AS id, \
         (r.message_id IS NOT NULL OR s.id IS NOT NULL) AS is_visible \
         FROM replies AS e FORCE INDEX (replies_conversation) \
         LEFT JOIN receipts AS r FORCE INDEX (PRIMARY) \
             ON r.receiver_id = e.user_id AND r.is_deleted = FALSE AND r.message_id = e.message_id \
         LEFT JOIN messages AS s FORCE INDEX (PRIMARY) ON s.id = e.message_id AND s.sender_id = e.user_id \
         WHERE e.user_id = ? AND e.root_id = ? AND e.message_id < ? ORDER BY e.message_id DESC LIMIT ?";

    /// Some messages, newest first, without those that were deleted in the meantime.
    pub(super) const CONTENTS: SizedStatement<2> = sized_statement!(
        [20, 100],
        concat!(
            "SELECT ",
            message_columns!(sender, viewer: "?"),
            ", m.sender_id = ? AS is_sender, r.is_read FROM messages AS m FORCE INDEX (PRIMARY) \
             STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id \
             LEFT JOIN receipts AS r FORCE INDEX (receipts_message) \
                 ON r.message_id = m.id AND r.receiver_id = ? AND r.is_deleted = FALSE \
             WHERE (m.sender_id = ? OR r.receiver_id IS NOT NULL) AND m.id IN ("
        ),
        "?",
        ") ORDER BY m.id DESC"
    );
}
const _: () = assert!(statements::CONTENTS.capacity() as u64 >= Page::MAX_PER_PAGE);

/// A page of the conversation with a message, as far as the caller can see it; `None` if it exceeds the budget. It is
/// empty if the caller can see none of its messages, whether or not there are any.
pub(super) async fn page(
    database: &Database,
    caller: &Caller,
    (page, id): (&Page, MessageId),
    bounds: &mut Bounds<'_>,
) -> Result<Option<MessagePage>, Error> {
    with_connection!(database, |connection| {
        let scan = Scan::of(connection, caller, page, id).await?;
        contents(connection, caller, page, scan, bounds).await
    })
}

/// The messages of a page, newest first, and the cursor of the next one.
struct Scan {
    ids: Vec<MessageId>,
    next_cursor: Option<MessageId>,
}

impl Scan {
    async fn of(
        connection: &mut MySqlConnection,
        caller: &Caller,
        page: &Page,
        id: MessageId,
    ) -> sqlx::Result<Self> {
        let root = root(connection, caller, id).await?;
        let wanted = page.offset() + page.per_page + OVERFETCH;
        let (mut ids, mut last, mut scanned) = (Vec::new(), page.before, 0);
        let mut limit = wanted.min(SCAN_LIMIT);
        loop {
            let rows = replies(connection, caller, root, last, limit).await?;
            for row in &rows {
                last = Some(self::id(row)?);
                ids.extend(last.filter(|_| row.get("is_visible")));
            }
            scanned += rows.len() as u64;
            let is_complete = (rows.len() as u64) < limit;
            if is_complete
                && last.is_none_or(|last| root < last)
                && is_visible(connection, caller, root).await?
            {
                ids.push(root);
            }
            if is_complete || ids.len() as u64 >= wanted {
                return Ok(Self::split(ids, page));
            }
            if scanned == SCAN_LIMIT {
                let next_cursor = last;
                return Ok(Self {
                    next_cursor,
                    ..Self::split(ids, page)
                });
            }
            limit = BATCH.min(SCAN_LIMIT - scanned);
        }
    }

    /// Leaves out the messages before the page, and the one past it.
    fn split(mut ids: Vec<MessageId>, page: &Page) -> Self {
        let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        ids.drain(..offset.min(ids.len()));
        // The last batch may have more than the page needs.
        let of_page = usize::try_from(page.per_page + OVERFETCH).unwrap_or(usize::MAX);
        ids.truncate(of_page);
        let next_cursor = split_page(&mut ids, page, |id| *id);
        Self { ids, next_cursor }
    }
}

/// The first message of the conversation with a message; this message itself if it is no reply for the caller.
async fn root(
    connection: &mut MySqlConnection,
    caller: &Caller,
    id: MessageId,
) -> sqlx::Result<MessageId> {
    let root: Option<u64> = sqlx::query_scalar(statements::ROOT)
        .bind(id.get())
        .bind(u64::from(caller.id()))
        .fetch_optional(connection)
        .await?;
    Ok(root.and_then(MessageId::stored).unwrap_or(id))
}

async fn replies(
    connection: &mut MySqlConnection,
    caller: &Caller,
    root: MessageId,
    before: Option<MessageId>,
    limit: u64,
) -> sqlx::Result<Vec<MySqlRow>> {
    sqlx::query(statements::REPLIES)
        .bind(u64::from(caller.id()))
        .bind(root.get())
        .bind(before.map_or(u64::MAX, MessageId::get))
        .bind(limit)
        .fetch_all(connection)
        .await
}

/// The messages of a page, within bounds that leave room for the longest lists of receivers.
async fn contents(
    connection: &mut MySqlConnection,
    caller: &Caller,
    page: &Page,
    scan: Scan,
    bounds: &mut Bounds<'_>,
) -> sqlx::Result<Option<MessagePage>> {
    let mut narrow = Bounds {
        bytes: bounds.bytes.saturating_sub(page.receivers_bytes()),
        reservation: bounds.reservation,
    };
    let mut collector = PageCollector::new(page, &mut narrow);
    // Of each message that the caller sent, the read mark if the caller also received it.
    let mut sent = BTreeMap::new();
    let mut ids = &scan.ids[..];
    while !ids.is_empty() && collector.is_open() {
        let (chunk, rest) = ids.split_at(collector.next_chunk(ids.len()));
        push_contents(connection, caller, chunk, &mut collector, &mut sent).await?;
        ids = rest;
    }
    let Some(mut found) = collector.finish_with(PageState::default(), scan.next_cursor) else {
        return Ok(None);
    };
    let of_sender: Vec<_> = sent.keys().copied().collect();
    let mut receivers = ReceiversByMessage::of_messages(connection, &of_sender).await?;
    let complete = |message: Message| match sent.get(&message.id) {
        None => Some(message),
        Some(received) => {
            let message = receivers.message(message.into())?;
            Some(sent_by(caller, message, *received))
        }
    };
    found.messages = found.messages.into_iter().filter_map(complete).collect();
    let bytes = found.messages.iter().map(Message::max_json_bytes).sum();
    Ok(bounds.reservation.covers(bytes).then_some(found))
}

async fn push_contents(
    connection: &mut MySqlConnection,
    caller: &Caller,
    ids: &[MessageId],
    collector: &mut PageCollector<'_, '_>,
    sent: &mut BTreeMap<MessageId, Option<bool>>,
) -> sqlx::Result<()> {
    let (statement, ids) = statements::CONTENTS.for_values(ids);
    let user = u64::from(caller.id());
    let query = sqlx::query(statement)
        .bind(user)
        .bind(user)
        .bind(user)
        .bind(user);
    let mut rows = ids
        .fold(query, |query, id| query.bind(id.get()))
        .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let read: Option<bool> = row.try_get("is_read")?;
        if row.try_get("is_sender")? {
            sent.insert(id(&row)?, read);
        }
        collector.push(|| {
            let content = content(&row, sender(&row)?)?;
            let receiver = caller.username().clone();
            Ok(Message::of_receiver(
                content,
                receiver,
                read.unwrap_or_default(),
            ))
        })?;
    }
    Ok(())
}

//! The newest pages of several inboxes, and the identities of their users, read by one statement.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use rocket::futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use crate::auth::Sealed;
use crate::auth::store::{Identity, identity, identity_columns, identity_tables};
use crate::db::{
    Batch, BatchLimits, BatchOutcome, Database, Error, SizedStatement, sized_statement,
    with_connection,
};
use crate::http::budget::SMALL_RESPONSE;
use crate::messages::store::collector::{MessagePage, OVERFETCH, PageState, split_page};
use crate::messages::store::row::{content, message_columns};
use crate::model::message::Message;
use crate::model::page::Page;
use crate::model::user::{UserId, Username};
use crate::users::UsernameCache;

/// A request for the page that is requested most often: the newest messages of the user's inbox.
pub(crate) struct NewestPageRequest(pub(crate) UserId);

/// The resources that the pages of all users need.
pub(crate) struct NewestPageContext {
    pub(crate) database: Database,
    pub(crate) names: UsernameCache,
}

/// A page of each of the users, with the ids of the senders instead of their names, and whether any account is being
/// deleted, which [`UsernameCache`] needs from the same snapshot. A user with an empty inbox has a row without a
/// message.
///
/// The inner statement names all columns of the index in its order, although all but the last are constant: without
/// them, MySQL would read the whole inbox and sort it.
const PAGES: SizedStatement<4> = sized_statement!(
    [1, 2, 4, 8],
    concat!(
        "SELECT ",
        identity_columns!(),
        ", ",
        message_columns!(viewer: "caller.id"),
        ", m.sender_id, r.is_read, \
         (SELECT MAX(user_id) FROM account_deletions) IS NOT NULL AS has_pending_deletions FROM ",
        identity_tables!(),
        " LEFT JOIN LATERAL ( \
         SELECT newest.message_id, newest.is_read FROM receipts AS newest FORCE INDEX (PRIMARY) \
         WHERE newest.receiver_id = caller.id AND newest.is_deleted = FALSE \
         ORDER BY newest.receiver_id DESC, newest.is_deleted DESC, newest.message_id DESC LIMIT ? \
     ) AS r ON TRUE LEFT JOIN messages AS m FORCE INDEX (PRIMARY) ON m.id = r.message_id \
     WHERE caller.id IN ("
    ),
    "?",
    ")"
);

/// A message without the name of its sender.
#[derive(Clone)]
struct UnresolvedMessage {
    sender: UserId,
    message: Message,
}

/// The newest page of one inbox.
#[derive(Clone, Default)]
struct Inbox {
    user: Option<Identity>,
    messages: Vec<UnresolvedMessage>,
    bytes: usize,
    /// The page is too large for a batch and has to be read individually.
    is_large: bool,
}

impl Inbox {
    /// Adds a row, or discards the page if it has become large.
    fn push(&mut self, row: &MySqlRow) -> sqlx::Result<()> {
        if self.user.is_none() {
            self.user = Some(identity(row)?);
        }
        let sender: Option<u64> = row.try_get("sender_id")?;
        let Some(sender) = sender.filter(|_| !self.is_large) else {
            return Ok(());
        };
        let unknown = Username::stored("");
        let content = content(row, unknown.clone())?;
        let message = Message::of_receiver(content, unknown, row.try_get("is_read")?);
        self.bytes += message.max_json_bytes();
        self.messages.push(UnresolvedMessage {
            sender: sender.into(),
            message,
        });
        if self.bytes > SMALL_RESPONSE {
            self.is_large = true;
            self.messages = Vec::new();
        }
        Ok(())
    }

    /// The user's page, newest first; `None` if it is large.
    fn page(self) -> Sealed<Option<MessagePage>> {
        let (Some(user), false) = (&self.user, self.is_large) else {
            return Sealed::new(self.user, None);
        };
        let message = |unresolved: UnresolvedMessage| Message {
            receiver: user.username.clone(),
            ..unresolved.message
        };
        let mut messages: Vec<_> = self.messages.into_iter().map(message).collect();
        // MySQL does not guarantee an order of the rows that a lateral join returns.
        messages.sort_unstable_by_key(|message| Reverse(message.id));
        let next_cursor = split_page(&mut messages, &Page::DEFAULT, |message| message.id);
        let marks = messages.iter().map(|message| (message.id, message.read));
        let state = PageState {
            marks: marks.collect(),
            has_more: next_cursor.is_some(),
        };
        let page = MessagePage {
            messages,
            state,
            next_cursor,
        };
        Sealed::new(self.user, Some(page))
    }
}

/// The newest pages of these users' inboxes, and whether any account is being deleted.
async fn inboxes(
    connection: &mut MySqlConnection,
    users: &[UserId],
) -> sqlx::Result<(HashMap<UserId, Inbox>, bool)> {
    let (statement, users) = PAGES.for_values(users);
    let query = sqlx::query(statement).bind(Page::DEFAULT.per_page + OVERFETCH);
    let mut rows = users
        .fold(query, |query, user| query.bind(u64::from(*user)))
        .fetch(connection);
    let mut inboxes = HashMap::<UserId, Inbox>::new();
    let mut has_pending_deletions = false;
    while let Some(row) = rows.try_next().await? {
        has_pending_deletions = row.try_get("has_pending_deletions")?;
        let user = row.try_get::<u64, _>("caller_id")?.into();
        inboxes.entry(user).or_default().push(&row)?;
    }
    Ok((inboxes, has_pending_deletions))
}

/// The page of each of these users, in their order, without large pages, which bounds the memory of a batch.
async fn pages(
    context: &NewestPageContext,
    users: &[UserId],
) -> Result<Vec<Sealed<Option<MessagePage>>>, Error> {
    with_connection!(context.database, |connection| {
        let (mut inboxes, has_pending_deletions) = inboxes(connection, users).await?;
        let messages = inboxes.values().flat_map(|inbox| &inbox.messages);
        let senders: Vec<_> = messages.map(|unresolved| unresolved.sender).collect();
        let names = context
            .names
            .resolve(connection, &senders, has_pending_deletions);
        let mut names = names.await?.into_iter();
        for unresolved in inboxes.values_mut().flat_map(|inbox| &mut inbox.messages) {
            unresolved.message.sender = names.next().ok_or(sqlx::Error::RowNotFound)?;
        }
        let page = |(index, user): (usize, &UserId)| {
            // Several requests in a batch may be for the same inbox.
            let inbox = if users[index + 1..].contains(user) {
                inboxes.get(user).cloned()
            } else {
                inboxes.remove(user)
            };
            inbox.unwrap_or_default().page()
        };
        Ok(users.iter().enumerate().map(page).collect())
    })
}

impl Batch for NewestPageRequest {
    type Context = NewestPageContext;
    /// The page; `None` if it is large, and has to be read individually.
    type Output = Sealed<Option<MessagePage>>;

    /// Unlike commits, pages use MySQL's processors, so several small batches are faster than one large batch.
    const LIMITS: BatchLimits = BatchLimits {
        concurrency: 4,
        max_in_flight: 16,
        min_batch: 4,
        max_batch: PAGES.capacity(),
        ..BatchLimits::GROUP_COMMIT
    };

    async fn run_one(&self, context: &NewestPageContext) -> Result<Self::Output, Error> {
        let page = pages(context, &[self.0]).await?.pop();
        Ok(page.unwrap_or_else(|| Sealed::new(None, None)))
    }

    async fn run_batch(
        context: &NewestPageContext,
        requests: &[Arc<Self>],
    ) -> Result<Vec<BatchOutcome<Self::Output>>, Error> {
        let users: Vec<_> = requests.iter().map(|request| request.0).collect();
        let pages = pages(context, &users).await?;
        Ok(pages.into_iter().map(BatchOutcome::Done).collect())
    }
}

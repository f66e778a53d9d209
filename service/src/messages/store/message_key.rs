//! Statements about rows of several users, each given by the id of the user and a second key, such as a message's id.

use sqlx::MySql;
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{MAX_BATCH, SizedStatement};
use crate::model::message::MessageId;

/// The ids of a user and of a message.
pub(super) type MessageKey = (u64, u64);

pub(super) fn message_key(user: &Caller, message: MessageId) -> MessageKey {
    (u64::from(user.id()), message.get())
}

/// A statement with as many keys as a batch may have.
pub(super) type SizedByKeys = SizedStatement<3>;

/// A statement with a list of placeholders for keys, such as `(?,?)`, between two pieces of text.
macro_rules! sized_by_keys {
    ($before:expr, $placeholder:literal, $after:literal) => {
        $crate::db::sized_statement!([4, 16, 64], $before, $placeholder, $after)
    };
}
pub(super) use sized_by_keys;

const _: () = assert!(sized_by_keys!("", "?", "").capacity() >= MAX_BATCH);

/// Binds the keys to the next placeholders of the query.
pub(super) fn bind<'k>(
    query: Query<'static, MySql, MySqlArguments>,
    keys: impl Iterator<Item = &'k MessageKey>,
) -> Query<'static, MySql, MySqlArguments> {
    keys.fold(query, |query, (user, message)| {
        query.bind(*user).bind(*message)
    })
}

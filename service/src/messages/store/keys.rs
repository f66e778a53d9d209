//! Messages of users, by the ids of both.

use sqlx::MySql;
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;

use crate::auth::Caller;
use crate::db::{MAX_BATCH, SizedStatement};
use crate::model::message::MessageId;

/// The ids of a user and of a message.
pub(super) type Key = (u64, u64);

pub(super) fn key(user: &Caller, message: MessageId) -> Key {
    (u64::from(user.id()), message.get())
}

/// A statement about as many keys as come together.
pub(super) type Keyed = SizedStatement<3>;

/// A statement with a list of places for keys, such as `(?,?)`, between two pieces of text.
macro_rules! keyed {
    ($before:literal, $place:literal, $after:literal) => {
        $crate::db::sized_statement!([4, 16, 64], $before, $place, $after)
    };
}
pub(super) use keyed;

const _: () = assert!(keyed!("", "?", "").capacity() >= MAX_BATCH);

/// The query with the keys in its next places.
pub(super) fn bind<'k>(
    query: Query<'static, MySql, MySqlArguments>,
    keys: impl Iterator<Item = &'k Key>,
) -> Query<'static, MySql, MySqlArguments> {
    keys.fold(query, |query, (user, message)| {
        query.bind(*user).bind(*message)
    })
}

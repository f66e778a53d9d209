//! Whose token it is: the one look-up that every request with a token needs.

use crate::auth::store;
use crate::auth::store::Identity;
use crate::db::{Database, Error, Gather, LARGEST_ROUND, Rounds};
use crate::model::user::UserId;

/// One look-up at a time, unless they take long.
const ROUNDS: Rounds = Rounds {
    lanes: 1,
    most_lanes: 16,
    least: LARGEST_ROUND,
    largest: LARGEST_ROUND,
};

/// Looks users up for the requests that arrive together, with one statement for all of them. Nothing is kept: each
/// request sees the user as they are after it arrived.
pub(crate) struct Identities {
    database: Database,
    gather: Gather<UserId, Option<Identity>>,
}

impl Identities {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            gather: Gather::new(ROUNDS),
        }
    }

    /// What the user's tokens are checked against; `None` if there is no such user any more.
    pub(crate) async fn of(&self, user: UserId) -> Result<Option<Identity>, Error> {
        let database = self.database.clone();
        let look_up = move |users: Vec<UserId>| {
            let database = database.clone();
            async move {
                let found = store::identities(&database, &users).await?;
                let of = |user: &UserId| found.iter().find(|one| one.id == *user).cloned();
                Ok(users.iter().map(of).collect())
            }
        };
        self.gather.ask(user, look_up).await
    }
}

//! Whose token it is: the one look-up that every request with a token needs.

use crate::database::{Database, Error, Gather};
use crate::users::{Identity, UserId, store};

/// How many look-ups are on their way at once where they take long.
const MOST_LANES: usize = 16;

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
            gather: Gather::new(1, MOST_LANES),
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

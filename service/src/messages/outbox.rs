//! Messages on their way into the database: those that come together are committed together.

use std::sync::Arc;

use crate::auth::Caller;
use crate::database::{Database, Error, Gather};
use crate::messages::model::{IdempotencyKey, Message, NewMessage, Postmark, Receivers};
use crate::messages::store::{self, Refusal};
use crate::users::Username;

/// How many transactions are on their way at once. MySQL takes less time for each message the more of them share a
/// transaction; a second transaction works while the first waits for the disk.
const LANES: usize = 2;
/// The same where they take long. It also bounds how many ids of messages are given out and not yet committed, which
/// listeners count on (`live::WINDOW`).
const MOST_LANES: usize = 4;

/// Sends messages. A send is acknowledged when it is committed; which others are committed with it nobody can tell.
pub(crate) struct Outbox {
    database: Database,
    gather: Gather<Arc<Outgoing>, Outcome>,
}

/// A message of a caller to one receiver, without a key.
pub(crate) struct Outgoing {
    caller: Caller,
    new: NewMessage,
    receiver: Username,
}

impl Outgoing {
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn message(&self) -> &NewMessage {
        &self.new
    }

    pub(crate) fn receiver(&self) -> &Username {
        &self.receiver
    }

    /// What came of it.
    fn answer(&self, postmark: Option<Postmark>) -> Result<Message, Refusal> {
        let sent = postmark.map(|mark| self.new.sent(mark, self.caller.username().clone()));
        sent.ok_or_else(|| Refusal::NoSuchReceivers(vec![self.receiver.clone()]))
    }
}

impl Outbox {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            gather: Gather::new(LANES, MOST_LANES),
        }
    }

    /// Sends a message to all its receivers or to none, and with a key only if none was sent with that key before.
    pub(crate) async fn send(
        &self,
        caller: Caller,
        new: NewMessage,
        key: Option<IdempotencyKey>,
    ) -> Result<Result<Message, Refusal>, Error> {
        match (&new.receivers, key) {
            (Receivers::One(receiver), None) => {
                let receiver = receiver.clone();
                self.send_with_others(Outgoing {
                    caller,
                    new,
                    receiver,
                })
                .await
            }
            (_, key) => store::send(&self.database, &caller, &new, key.as_ref()).await,
        }
    }

    async fn send_with_others(
        &self,
        outgoing: Outgoing,
    ) -> Result<Result<Message, Refusal>, Error> {
        let database = self.database.clone();
        let commit = move |all| {
            let database = database.clone();
            async move { commit(&database, all).await }
        };
        let outgoing = Arc::new(outgoing);
        let postmark = match self.gather.ask(Arc::clone(&outgoing), commit).await? {
            Outcome::Together(postmark) => postmark,
            Outcome::GoAlone => {
                let Outgoing { caller, new, .. } = &*outgoing;
                store::send_once(&self.database, caller, new, None).await?
            }
        };
        Ok(outgoing.answer(postmark))
    }
}

/// What came of a message that was to be sent with others.
#[derive(Clone, Copy)]
enum Outcome {
    /// It was sent, or its receiver is not there.
    Together(Option<Postmark>),
    /// None of them was sent; each has to be tried by itself, within its own time, so that none fails because of another.
    GoAlone,
}

/// One that is alone takes the shortest way.
async fn commit(database: &Database, all: Vec<Arc<Outgoing>>) -> Result<Vec<Outcome>, Error> {
    if let [one] = &all[..] {
        let postmark = store::send_once(database, &one.caller, &one.new, None).await?;
        return Ok(vec![Outcome::Together(postmark)]);
    }
    let postmarks = match store::send_together(database, &all).await {
        Ok(postmarks) => postmarks,
        Err(Error::Broken(fault)) => {
            tracing::warn!("{} messages are sent one by one: {fault}", all.len());
            None
        }
        Err(fault) => return Err(fault),
    };
    Ok(postmarks.map_or_else(
        || vec![Outcome::GoAlone; all.len()],
        |postmarks| postmarks.into_iter().map(Outcome::Together).collect(),
    ))
}

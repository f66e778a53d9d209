//! Messages on their way into the database: those that come together are committed together.

use std::sync::Arc;

use crate::auth::Caller;
use crate::database::{Database, Error, Gather};
use crate::messages::model::{IdempotencyKey, Message, NewMessage, Postmark, Receivers};
use crate::messages::store::{self, Refusal};
use crate::users::Username;

/// How many transactions with several messages are on their way at once. MySQL takes less time for each message the
/// more of them share a transaction; a second transaction works while the first waits for the disk.
const LANES: usize = 2;

/// Sends messages. A send is acknowledged when it is committed; which others are committed with it nobody can tell.
pub(crate) struct Outbox {
    database: Database,
    gather: Gather<Arc<Outgoing>, Option<Postmark>>,
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
            gather: Gather::new(LANES),
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
        let postmark = self.gather.ask(Arc::clone(&outgoing), commit).await?;
        Ok(outgoing.answer(postmark))
    }
}

/// One that is alone takes the shortest way. What the database refuses to do for all of them it is asked for one by one,
/// so that none fails because of another.
async fn commit(
    database: &Database,
    all: Vec<Arc<Outgoing>>,
) -> Result<Vec<Option<Postmark>>, Error> {
    if all.len() > 1 {
        match store::send_together(database, &all).await {
            Err(Error::Broken(fault)) => tracing::debug!("sending one by one: {fault}"),
            outcome => return outcome,
        }
    }
    let mut postmarks = Vec::with_capacity(all.len());
    for one in all {
        postmarks.push(store::send_once(database, &one.caller, &one.new, None).await?);
    }
    Ok(postmarks)
}

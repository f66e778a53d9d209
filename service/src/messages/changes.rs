//! Changes to messages, with group commit: concurrent changes of one kind share a transaction.

use std::sync::Arc;

use crate::auth::Caller;
use crate::db::{Batcher, Database, Error};
use crate::messages::store;
use crate::messages::store::{Deletion, Marking, Outgoing, Refusal};
use crate::model::message::{IdempotencyKey, Message, MessageId, NewMessage, Receivers};

/// Changes messages. A change is acknowledged when it is committed.
pub(crate) struct Changes {
    database: Database,
    sends: Batcher<Outgoing>,
    as_read: Batcher<Marking<true>>,
    as_unread: Batcher<Marking<false>>,
    deletions: Batcher<Deletion>,
}

impl Changes {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            sends: Batcher::new(database.clone()),
            as_read: Batcher::new(database.clone()),
            as_unread: Batcher::new(database.clone()),
            deletions: Batcher::new(database.clone()),
            database,
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
                let outgoing = Arc::new(Outgoing::new(caller, new, receiver));
                let sent = self.sends.submit(Arc::clone(&outgoing)).await?;
                Ok(sent.map(|postmark| outgoing.message(postmark)))
            }
            (_, key) => {
                let sent = store::send(&self.database, &caller, &new, key.as_ref()).await?;
                Ok(sent.map(|postmark| new.sent(postmark, caller.username().clone())))
            }
        }
    }

    /// Marks a received message as read or unread. `None` if the caller has not received it, or deleted it.
    pub(crate) async fn mark(
        &self,
        caller: Caller,
        id: MessageId,
        read: bool,
    ) -> Result<Option<Message>, Error> {
        if read {
            self.as_read.submit(Marking::new(caller, id)).await
        } else {
            self.as_unread.submit(Marking::new(caller, id)).await
        }
    }

    /// Deletes a message that the caller sent, for all its receivers; or one that the caller received, from their feed
    /// only. Whether there was one.
    pub(crate) async fn delete(&self, caller: &Caller, id: MessageId) -> Result<bool, Error> {
        self.deletions.submit(Deletion::new(caller, id)).await
    }
}

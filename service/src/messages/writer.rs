//! Changes to messages, with group commit: concurrent changes of one kind share a transaction.

use std::sync::Arc;

use crate::auth::Caller;
use crate::db::{Batcher, Database, Error};
use crate::messages::store;
use crate::messages::store::{DeleteRequest, MarkRequest, Refusal, SendRequest};
use crate::model::message::{Message, MessageId};
use crate::model::new_message::{IdempotencyKey, NewMessage, Receivers};

/// Changes messages. A change is acknowledged when it is committed.
pub(crate) struct MessageWriter {
    database: Database,
    sends: Batcher<SendRequest>,
    as_read: Batcher<MarkRequest<true>>,
    as_unread: Batcher<MarkRequest<false>>,
    deletions: Batcher<DeleteRequest>,
}

impl MessageWriter {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            sends: Batcher::new(database.clone()),
            as_read: Batcher::new(database.clone()),
            as_unread: Batcher::new(database.clone()),
            deletions: Batcher::new(database.clone()),
            database,
        }
    }

    /// Sends a message to all its receivers or to none, and with a key only if no message was sent with that key
    /// before.
    pub(crate) async fn send(
        &self,
        caller: Caller,
        new: NewMessage,
        key: Option<IdempotencyKey>,
    ) -> Result<Result<Message, Refusal>, Error> {
        if let (Receivers::One(receiver), None) = (&new.receivers, new.in_reply_to) {
            let receiver = receiver.clone();
            let request = Arc::new(SendRequest::new(caller, new, receiver, key));
            let sent = self.sends.submit(Arc::clone(&request)).await?;
            return Ok(sent.map(|metadata| request.message(metadata)));
        }
        let sent = store::send(&self.database, &caller, &new, key.as_ref()).await?;
        Ok(sent.map(|metadata| new.sent(metadata, caller.username().clone())))
    }

    /// Marks a received message as read or unread; `None` if the caller has not received it, or has deleted it.
    pub(crate) async fn mark(
        &self,
        caller: Caller,
        id: MessageId,
        read: bool,
    ) -> Result<Option<Message>, Error> {
        if read {
            self.as_read.submit(MarkRequest::new(caller, id)).await
        } else {
            self.as_unread.submit(MarkRequest::new(caller, id)).await
        }
    }

    /// Deletes a message: one that the caller sent for all its receivers, one that the caller received from their own
    /// inbox only. Returns whether the message existed.
    pub(crate) async fn delete(&self, caller: &Caller, id: MessageId) -> Result<bool, Error> {
        self.deletions.submit(DeleteRequest::new(caller, id)).await
    }
}

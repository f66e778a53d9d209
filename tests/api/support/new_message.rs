//! The body of a request that sends a message.

use serde_json::{Value, json};

/// A message to be sent, with a short subject and text unless the test sets others.
pub(crate) struct NewMessage(Value);

impl NewMessage {
    /// To one user, by `receiver`.
    pub(crate) fn to(receiver: &str) -> Self {
        Self(json!({"receiver": receiver, "subject": "s", "message": "m"}))
    }

    /// To several users, by `receivers`.
    pub(crate) fn to_several(receivers: &[&str]) -> Self {
        Self(json!({"receivers": receivers, "subject": "s", "message": "m"}))
    }

    pub(crate) fn subject(self, subject: &str) -> Self {
        self.with("subject", subject)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.with("message", text)
    }

    /// Sets any field to any value, valid or not.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    /// The body as JSON.
    pub(crate) fn json(self) -> Value {
        self.0
    }
}

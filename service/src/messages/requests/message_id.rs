//! The ids of messages in paths and bodies.

use utoipa::IntoParams;

use crate::model::invalid::Invalid;
use crate::model::message::MessageId;

/// The message in the path. The response to a malformed id is a 404, as for one that does not exist.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "describes a parameter whose invalid values are a 404, which a schema cannot express"
)]
pub(crate) struct MessagePath {
    /// The message.
    #[param(inline, example = 42)]
    id: MessageId,
}

/// Parses an id that a body has as a number, by its digits.
///
/// # Errors
/// The reason, as a phrase that continues the name of the field.
pub(super) fn parse(digits: &str) -> Result<MessageId, Invalid> {
    MessageId::parse(digits).ok_or_else(|| "must be the id of a message, a number".into())
}

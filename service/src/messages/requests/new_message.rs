//! The body and the header of a request that sends a message.

use rocket::request::{FromRequest, Outcome, Request};
use utoipa::openapi::schema::Object;
use utoipa::{IntoParams, ToSchema};

use crate::http::body::{Fields, FromFields};
use crate::http::request::optional_header;
use crate::messages::requests::message_id;
use crate::model::message::{MessageId, Subject, Text};
use crate::model::new_message::{IdempotencyKey, NewMessage, RECEIVERS, Receivers};
use crate::model::user::Username;

/// A message to send: either to one user, by `receiver`, or to several, by `receivers`.
#[derive(ToSchema)]
// Exactly one of the receivers' fields is required: three properties at least, and not both of these, which `openapi`
// adds. A `oneOf` of two schemas would express it, but several generators merge it into one class that requires both.
#[schema(as = NewMessage, min_properties = 3, max_properties = 4)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct NewMessageFields {
    #[schema(schema_with = receiver_schema)]
    receiver: Option<Username>,
    /// The names of the receivers, case-insensitive. A receiver that is named twice gets the message once. If one of
    /// the users does not exist, the message is not sent.
    #[schema(
        value_type = Option<Vec<Username>>,
        nullable = false,
        min_items = 1,
        max_items = 100,
        example = json!(["bob", "carol"])
    )]
    receivers: Option<Vec<Username>>,
    #[schema(inline)]
    subject: Subject,
    #[schema(inline)]
    message: Text,
    /// The id of the message that this one answers: one that you sent, or received and have not deleted.
    #[schema(
        value_type = Option<u64>,
        nullable = false,
        minimum = 1,
        maximum = 9_223_372_036_854_775_807_i64,
        example = 41
    )]
    in_reply_to: Option<MessageId>,
}

fn receiver_schema() -> Object {
    Username::schema_described_as(
        "The name of the receiver, case-insensitive. It may be the sender.",
    )
}

impl FromFields for NewMessage {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let receivers = receivers(fields);
        let subject = fields.text("subject", Subject::parse);
        let message = fields.text("message", Text::parse);
        let in_reply_to = fields.optional_integer("in_reply_to", message_id::parse);
        Some(Self {
            receivers: receivers?,
            in_reply_to,
            subject: subject?,
            message: message?,
        })
    }
}

fn receivers(fields: &mut Fields) -> Option<Receivers> {
    if !fields.has("receivers") {
        let receiver = fields.text("receiver", Username::parse);
        fields.mention("receivers");
        return receiver.map(Receivers::One);
    }
    if fields.has("receiver") {
        fields.refuse_both("receiver", "receivers");
        return None;
    }
    let receivers = fields.texts("receivers", &RECEIVERS, Username::parse);
    fields.mention("receiver");
    receivers.map(Receivers::several)
}

/// The header that makes a send safe to retry.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that a guard reads")]
pub(crate) struct IdempotencyHeader {
    /// An identifier of this send, unique among yours, such as a UUID. A retry with the same key and body gets the same
    /// response; a request with the same key and another body is refused.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "7f2d6a52-3a0e-4a0b-9d1a-6a1f0c8b9e55"
    )]
    idempotency_key: Option<String>,
}

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) struct OptionalKey(pub(crate) Option<IdempotencyKey>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OptionalKey {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        optional_header(request, "Idempotency-Key", IdempotencyKey::parse).map(Self)
    }
}

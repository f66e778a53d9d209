//! Invitations: their ids, lifetimes and the form in which their inviter sees them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::id::resource_id;
use crate::model::secret_code::SecretCode;
use crate::model::timestamp;

/// The time until an invitation of an account expires. Its quota refers to the same time.
pub(crate) const LIFETIME: TimeDelta = TimeDelta::days(7);

resource_id! {
    /// The id of an invitation.
    #[schema(value_type = u64, minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 7)]
    InvitationId
}

/// An invitation that was neither used nor has expired.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    #[schema(inline)]
    pub(crate) id: InvitationId,
    /// RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
    /// The time from which the code is no longer accepted: RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-29T12:00:00.000Z")]
    pub(crate) expires_at: DateTime<Utc>,
}

/// A new invitation with its code, which only this response contains.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewInvitation {
    #[schema(inline)]
    pub(crate) id: InvitationId,
    /// The code, with which one account can be created.
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = String, example = "3k9v0c7m2x8q5r1t6w4z0hjnpd")]
    pub(crate) code: SecretCode,
    /// RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
    /// The time from which the code is no longer accepted: RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-29T12:00:00.000Z")]
    pub(crate) expires_at: DateTime<Utc>,
}

fn exposed<S: serde::Serializer>(code: &SecretCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.expose())
}

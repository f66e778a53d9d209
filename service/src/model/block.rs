//! Blocks: users whose messages an account does not receive.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::timestamp;
use crate::model::user::Username;

/// The number of users that an account can block. The list of all of them is shorter than 64 KiB, so it needs neither
/// pages nor a reservation of the budget of large responses.
pub(crate) const MAX_BLOCKS: i64 = 500;

/// A user whose messages the account does not receive.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Block {
    #[schema(inline)]
    pub(crate) username: Username,
    /// The time from which the user is blocked: RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
}

//! An account, as its owner sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::email::Email;
use crate::model::timestamp;
use crate::model::unread_notices::UnreadNotices;
use crate::model::user::Username;

/// An account and a summary of its inbox.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    #[schema(inline)]
    pub(crate) username: Username,
    // A generated client must not check the format, because its rules may be stricter than those of the service.
    #[schema(value_type = String, example = "alice@example.com")]
    pub(crate) email: Email,
    /// Whether its owner has proved to receive mails at this address, which takes a service that sends mails.
    #[schema(example = true)]
    pub(crate) email_verified: bool,
    /// The address that is to replace it, once it is verified. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "alice@example.org")]
    pub(crate) pending_email: Option<Email>,
    /// Whether the owner is told by mail of unread messages, and when. Absent if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) unread_notices: Option<UnreadNotices>,
    /// RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "timestamp::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
    /// The number of received messages that are unread. Counting stops at 1000, which means 1000 or more.
    #[schema(maximum = 1000, example = 2)]
    pub(crate) unread: usize,
}

//! Notices of unread messages, as an account has them.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

/// Ten minutes, within which a mailbox gets no second mail of a kind, to a week.
pub(crate) const AFTER_MINUTES: RangeInclusive<u16> = 10..=10_080;

/// The setting of an account that is told of unread messages by mail.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"after_minutes": 60}))]
pub(crate) struct UnreadNotices {
    /// The minutes for which a message must have been unread.
    #[schema(minimum = 10, maximum = 10_080, example = 60)]
    pub(crate) after_minutes: u16,
}

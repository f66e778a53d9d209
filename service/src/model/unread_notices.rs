//! Notices of unread messages, as an account has them.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::invalid::Invalid;

/// The minutes for which a message must have been unread: up to a week.
const RANGE: RangeInclusive<u16> = 10..=10_080;

/// The setting of an account whose owner is told of unread messages by mail.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct UnreadNotices {
    /// The minutes for which a message must have been unread.
    #[schema(minimum = 10, maximum = 10_080, example = 60)]
    pub(crate) after_minutes: u16,
}

impl UnreadNotices {
    /// Parses the minutes from their digits.
    ///
    /// # Errors
    /// The reason, as a phrase that continues the name of the field.
    pub(crate) fn after(digits: &str) -> Result<Self, Invalid> {
        let minutes = digits.parse().ok().filter(|one| RANGE.contains(one));
        let after_minutes = minutes.ok_or_else(|| {
            let (least, most) = (RANGE.start(), RANGE.end());
            Invalid::from(format!("must be a whole number from {least} to {most}"))
        })?;
        Ok(Self { after_minutes })
    }
}

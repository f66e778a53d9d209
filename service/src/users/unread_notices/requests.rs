//! The request body.

use crate::http::body::{Fields, FromFields};
use crate::model::invalid::Invalid;
use crate::model::unread_notices::{AFTER_MINUTES, UnreadNotices};

impl FromFields for UnreadNotices {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            after_minutes: fields.integer("after_minutes", after_minutes)?,
        })
    }
}

fn after_minutes(digits: &str) -> Result<u16, Invalid> {
    let minutes = digits.parse().ok();
    minutes
        .filter(|minutes| AFTER_MINUTES.contains(minutes))
        .ok_or_else(|| {
            let (least, most) = (AFTER_MINUTES.start(), AFTER_MINUTES.end());
            format!("must be a whole number from {least} to {most}").into()
        })
}

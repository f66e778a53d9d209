//! The request body.

use utoipa::ToSchema;

use crate::http::body::{Fields, FromFields};
use crate::model::unread_notices::UnreadNotices;

/// When mails about unread messages are to be sent.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"after_minutes": 60}))]
pub(crate) struct NoticesWanted {
    /// The minutes for which a message must have been unread.
    #[schema(value_type = u16, minimum = 10, maximum = 10_080, example = 60)]
    pub(crate) after_minutes: UnreadNotices,
}

impl FromFields for NoticesWanted {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            after_minutes: fields.integer("after_minutes", UnreadNotices::after)?,
        })
    }
}

//! The parameters that operations of several features share.

use utoipa::IntoParams;

use crate::model::user::Username;

/// The user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Owner {
    /// The user that the access token was issued to; case-insensitive.
    #[param(inline, example = "alice")]
    username: Username,
}

/// The point to resume from.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Resumption {
    /// The `id` of the last event that you received, unchanged.
    #[param(
        rename = "Last-Event-ID",
        nullable = false,
        max_length = 4096,
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*(([+][1-9][0-9]*)?(_[1-9][0-9]*([+][1-9][0-9]*)?)*|\
                   ([.][1-9][0-9]*)*))?$",
        example = "42"
    )]
    last_event_id: Option<String>,
}

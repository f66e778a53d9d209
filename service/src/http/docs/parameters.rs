//! The parameters that operations of several features share, as the document describes them.

use utoipa::IntoParams;

use crate::model::user::Username;

/// The user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Owner {
    /// The user whom the access token was issued to; case does not count.
    #[param(inline, example = "alice")]
    username: Username,
}

/// What the client has already.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Known {
    /// The `ETag` of an answer that you have, or several, or `*` (RFC 9110 section 13.1.2).
    #[param(
        rename = "If-None-Match",
        nullable = false,
        example = "W/\"2f9d3c0e5b1a4d7c8e6f0a1b2c3d4e5f\""
    )]
    if_none_match: Option<String>,
}

/// Where to continue.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes parameters")]
pub(crate) struct Resumption {
    /// The `id` of the last event that arrived, as it was.
    #[param(
        rename = "Last-Event-ID",
        nullable = false,
        max_length = 4096,
        pattern = "^(0|[1-9][0-9]*)(-[1-9][0-9]*(([+][1-9][0-9]*)?(_[1-9][0-9]*([+][1-9][0-9]*)?)*|([.][1-9][0-9]*)*))?$",
        example = "42"
    )]
    last_event_id: Option<String>,
}

//! What the caller gets to read of a problem (RFC 9457).

use std::borrow::Cow;

use serde::Serialize;

use crate::model::invalid::FieldError;

/// A problem document (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// Names the kind of problem; stable, for programs. Each answer's examples name all that it can have; kinds may be
    /// added.
    #[serde(rename = "type")]
    #[schema(
        format = "uri",
        pattern = "^urn:problem-type:herolo:[a-z-]+$",
        example = "urn:problem-type:herolo:not-found"
    )]
    pub(crate) kind: String,
    /// The kind of problem, for people.
    pub(crate) title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(crate) status: u16,
    /// What is wrong this time and how to go on.
    pub(crate) detail: Cow<'a, str>,
    /// The path of the request.
    pub(crate) instance: &'a str,
    /// Which values are wrong, where values are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: &'a [FieldError],
}

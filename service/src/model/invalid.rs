//! Why a value is not valid, and which one.

use std::fmt;

use serde::Serialize;

/// Why a value is not valid: a phrase that goes on from the field's name ("must be ...").
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) String);

impl<T: fmt::Display> From<T> for Invalid {
    fn from(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// What is wrong with one field of the body (`#/name`, a JSON pointer) or one parameter of the query (`?name`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// Which value: `#/<field>` of the body (a JSON pointer, RFC 6901) or `?<parameter>` of the query.
    #[schema(example = "#/username")]
    pub(crate) pointer: String,
    /// What is wrong with it and what would be right.
    #[schema(example = "must be 3 to 64 characters long")]
    pub(crate) detail: String,
}

impl FieldError {
    /// About a field of the body.
    pub(crate) fn field(name: &str, detail: impl Into<String>) -> Self {
        // RFC 6901 section 3: ~ and / in a name are escaped.
        Self {
            pointer: format!("#/{}", name.replace('~', "~0").replace('/', "~1")),
            detail: detail.into(),
        }
    }

    /// About a parameter of the query.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self {
            pointer: format!("?{name}"),
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_what_json_pointers_escape() {
        assert_eq!(FieldError::field("a/b~c", "").pointer, "#/a~1b~0c");
    }
}

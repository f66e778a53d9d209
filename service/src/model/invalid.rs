//! Validation errors.

use std::fmt;

use serde::Serialize;

/// The reason why a value is not valid, as a predicate of the field's name ("must be ...").
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) String);

impl<T: fmt::Display> From<T> for Invalid {
    fn from(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// An error of one field of the body or one query parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// The value: `#/<field>` of the body (a JSON pointer, RFC 6901) or `?<parameter>` of the query.
    #[schema(example = "#/username")]
    pub(crate) pointer: String,
    /// The error, and the requirements of a valid value.
    #[schema(example = "must be 3 to 64 characters long")]
    pub(crate) detail: String,
}

impl FieldError {
    /// An error of a field of the body.
    pub(crate) fn field(name: &str, detail: impl Into<String>) -> Self {
        // RFC 6901 section 3: ~ and / in a name are escaped.
        Self {
            pointer: format!("#/{}", name.replace('~', "~0").replace('/', "~1")),
            detail: detail.into(),
        }
    }

    /// An error of a query parameter.
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
    fn a_pointer_escapes_tildes_and_slashes() {
        assert_eq!(FieldError::field("a/b~c", "").pointer, "#/a~1b~0c");
    }
}

//! Conditional requests (RFC 9110 section 13): a client revalidates a response that it has cached.

use std::fmt::{self, Write as _};

use rocket::http::Header;
use rocket::request::{FromRequest, Outcome, Request};
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// Identifies the state of a resource. Different states have different tags, and a state has the same tag at every
/// replica.
///
/// The tag is weak (RFC 9110 section 8.8.1), because a proxy may compress the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// Enough bytes that a collision is out of the question.
    const BYTES: usize = 16;

    /// The tag of the state that the parts describe, in their order. Tags depend on the service's version, because
    /// another version may represent the same state differently.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let mut hash = Sha256::new();
        for part in std::iter::once(version).chain(parts) {
            // The length prefix separates the parts.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let mut tag = "\"".to_owned();
        for byte in hash.finalize().iter().take(Self::BYTES) {
            let _ = write!(tag, "{byte:02x}");
        }
        Self(tag + "\"")
    }

    /// The response header.
    pub(crate) fn header(&self) -> Header<'static> {
        Header::new("ETag", self.to_string())
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "W/{}", self.0)
    }
}

/// The `If-None-Match` of a request (RFC 9110 section 13.1.2). Malformed parts of it match nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    Absent,
    Any,
    /// The tags with their quotes, without `W/`, because the comparison is weak.
    Listed(Vec<String>),
}

impl IfNoneMatch {
    /// That of the lines of a header.
    pub(crate) fn read<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let values: Vec<_> = values.map(str::trim).collect();
        match values[..] {
            [] => Self::Absent,
            ["*"] => Self::Any,
            _ => Self::Listed(values.iter().flat_map(|value| tags(value)).collect()),
        }
    }

    /// The header of a request.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        Self::read(request.headers().get("If-None-Match"))
    }

    /// Whether the request is conditional.
    pub(crate) fn is_present(&self) -> bool {
        *self != Self::Absent
    }

    /// Whether the client has the state with this tag.
    pub(crate) fn matches(&self, tag: &EntityTag) -> bool {
        self.matches_quoted(&tag.0)
    }

    /// The same for a tag in quotes, without `W/`.
    pub(crate) fn matches_quoted(&self, tag: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|listed| listed == tag),
        }
    }
}

/// The tags of a list, up to the first malformed one. A tag may contain commas.
fn tags(mut list: &str) -> Vec<String> {
    let mut tags = Vec::new();
    loop {
        list = list.trim_start_matches([' ', '\t', ',']);
        let tag = list.strip_prefix("W/").unwrap_or(list);
        let Some(end) = tag.strip_prefix('"').and_then(|inner| inner.find('"')) else {
            return tags;
        };
        let (tag, rest) = tag.split_at(end + 2);
        tags.push(tag.to_owned());
        list = rest;
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for IfNoneMatch {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// Describes the header in the OpenAPI document.
impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "The `ETag` of a response that you have, or several, or `*` (RFC 9110 section 13.1.2).";
        let parameter = ParameterBuilder::new()
            .name("If-None-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some("W/\"2f9d3c0e5b1a4d7c8e6f0a1b2c3d4e5f\"".into()));
        vec![parameter.build()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(values: &[&str]) -> IfNoneMatch {
        IfNoneMatch::read(values.iter().copied())
    }

    #[test]
    fn a_list_is_compared_weakly_tag_by_tag() {
        let tag = EntityTag::of([&b"a"[..]]);
        let (weak, strong) = (tag.to_string(), tag.0.clone());
        assert!(weak.starts_with("W/\"") && weak.len() == 36, "{weak}");
        for list in [
            weak.clone(),
            strong.clone(),
            format!("\"other\", {weak}"),
            format!(",, \"a,b\",W/\"x\"\t, {strong} ,"),
            "*".to_owned(),
            " * ".to_owned(),
        ] {
            assert!(listed(&[&list]).matches(&tag), "{list}");
        }
        assert!(listed(&["\"x\"", &weak]).matches(&tag), "in two lines");
        for list in [
            String::new(),
            "\"x\"".to_owned(),
            weak.replace('"', ""),
            format!("x, {weak}"),
            format!("\"x{strong}"),
            format!("*, {}", "\"x\""),
            format!("w/{strong}"),
        ] {
            assert!(!listed(&[&list]).matches(&tag), "{list}");
        }
        assert!(!listed(&[]).is_present() && listed(&[""]).is_present());
    }

    #[test]
    fn different_lists_have_different_tags() {
        let tag = |parts: &[&[u8]]| EntityTag::of(parts.iter().copied());
        assert_eq!(tag(&[b"a", b"b"]), tag(&[b"a", b"b"]));
        assert_ne!(tag(&[b"a", b"b"]), tag(&[b"ab"]));
        assert_ne!(tag(&[b"a", b"b"]), tag(&[b"b", b"a"]));
        assert_ne!(tag(&[]), tag(&[b""]));
    }
}

//! Conditional requests (RFC 9110 section 13): a client that has an answer already asks whether it is still the same.

use std::fmt::{self, Write as _};

use rocket::http::Header;
use rocket::request::{FromRequest, Outcome, Request};
use sha2::{Digest as _, Sha256};

/// What names a state of an answer: two states never share one, and the same state has the same at every replica.
///
/// Weak (RFC 9110 section 8.8.1), because a proxy may compress what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// As many as make it sure that no two states of all times share one.
    const BYTES: usize = 16;

    /// The tag of what these parts, in their order, describe. Another version may write the same state in other words,
    /// so its tags are others.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let mut hash = Sha256::new();
        for part in std::iter::once(version).chain(parts) {
            // The length in front, so that what stands in one part is not taken for the next.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let mut tag = "\"".to_owned();
        for byte in hash.finalize().iter().take(Self::BYTES) {
            let _ = write!(tag, "{byte:02x}");
        }
        Self(tag + "\"")
    }

    /// The header that an answer carries it in.
    pub(crate) fn header(&self) -> Header<'static> {
        Header::new("ETag", self.to_string())
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "W/{}", self.0)
    }
}

/// The `If-None-Match` of a request (RFC 9110 section 13.1.2). What is not well-formed in it names nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    Absent,
    Any,
    /// The tags in their quotes, without what marks them as weak: the comparison is weak.
    Listed(Vec<String>),
}

impl IfNoneMatch {
    fn read<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let values: Vec<_> = values.map(str::trim).collect();
        match values[..] {
            [] => Self::Absent,
            ["*"] => Self::Any,
            _ => Self::Listed(values.iter().flat_map(|value| tags(value)).collect()),
        }
    }

    /// Whether there is a condition at all.
    pub(crate) fn is_there(&self) -> bool {
        *self != Self::Absent
    }

    /// Whether the client has what this tag names.
    pub(crate) fn names(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Listed(tags) => tags.contains(&tag.0),
        }
    }
}

/// The tags of a list, up to what is none. A comma may stand within one.
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
        Outcome::Success(Self::read(request.headers().get("If-None-Match")))
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
            assert!(listed(&[&list]).names(&tag), "{list}");
        }
        assert!(listed(&["\"x\"", &weak]).names(&tag), "in two lines");
        for list in [
            String::new(),
            "\"x\"".to_owned(),
            weak.replace('"', ""),
            format!("x, {weak}"),
            format!("\"x{strong}"),
            format!("*, {}", "\"x\""),
            format!("w/{strong}"),
        ] {
            assert!(!listed(&[&list]).names(&tag), "{list}");
        }
        assert!(!listed(&[]).is_there() && listed(&[""]).is_there());
    }

    #[test]
    fn what_differs_has_another_tag() {
        let tag = |parts: &[&[u8]]| EntityTag::of(parts.iter().copied());
        assert_eq!(tag(&[b"a", b"b"]), tag(&[b"a", b"b"]));
        assert_ne!(tag(&[b"a", b"b"]), tag(&[b"ab"]));
        assert_ne!(tag(&[b"a", b"b"]), tag(&[b"b", b"a"]));
        assert_ne!(tag(&[]), tag(&[b""]));
    }
}

//! Headers other than those of tokens and streams.

use std::net::IpAddr;

use rocket::http::ContentType;

use crate::fuzzing::input::{accepted, first_line, text};
use crate::http::etag::{EntityTag, IfNoneMatch};
use crate::http::media_type::is_coded;
use crate::http::request_id;
use crate::limits::{network, parse_client_address};
use crate::model::new_message::IdempotencyKey;
use crate::pages::accepts_gzip;

/// A value of `Idempotency-Key`.
///
/// # Panics
/// If another key than a documented one is accepted, or a documented one refused.
pub fn idempotency_key(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let key = accepted(IdempotencyKey::parse(text));
    let is_valid =
        (1..=255).contains(&text.len()) && text.chars().all(|letter| ('!'..='~').contains(&letter));
    assert_eq!(key.is_some(), is_valid);
    assert!(key.is_none_or(|key| key.as_str() == text));
}

/// The lines of `If-None-Match`.
///
/// # Panics
/// If a tag is read otherwise than it is written, or a list matches a tag that it does not have.
pub fn if_none_match(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let header = IfNoneMatch::read(text.lines());
    let unknown = EntityTag::of([input]);
    assert_eq!(header.is_present(), text.lines().next().is_some());
    let IfNoneMatch::Listed(tags) = &header else {
        assert_eq!(header.matches(&unknown), header == IfNoneMatch::Any);
        return;
    };
    for tag in tags {
        let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        assert!(!inner.expect("quotes").contains('"'));
        assert!(header.matches_quoted(tag));
    }
    let written: Vec<_> = tags.iter().map(|tag| format!("W/{tag}")).collect();
    assert_eq!(
        IfNoneMatch::read([&*written.join(", ")].into_iter()),
        header
    );
    assert!(!header.matches(&unknown), "a tag of this input's hash");
}

/// The address that a proxy passes on.
///
/// # Panics
/// If an address is read as another one in one of its forms.
pub fn client_address(input: &[u8]) {
    let Some(address) = text(input).and_then(parse_client_address) else {
        return;
    };
    let mut forms = vec![address.to_string(), format!("[{address}]:443")];
    if address.is_ipv4() {
        forms.push(format!("{address}:443"));
    }
    for form in forms {
        assert_eq!(parse_client_address(&form), Some(address), "{form}");
    }
    let counted = network(address);
    assert_eq!(network(counted), counted);
    match (address.to_canonical(), counted) {
        (one @ IpAddr::V4(_), counted) => assert_eq!(one, counted),
        (IpAddr::V6(one), IpAddr::V6(counted)) => {
            assert_eq!(one.segments()[..4], counted.segments()[..4]);
        }
        (IpAddr::V6(_), IpAddr::V4(_)) => panic!("another family: {counted}"),
    }
}

/// The lines of `X-Request-Id`.
///
/// # Panics
/// If an id is accepted that could harm a log or a response, or one of several.
pub fn request_id(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let Some(id) = request_id::accepted(text.split('\n')) else {
        return;
    };
    assert_eq!(id, text);
    assert!((1..=64).contains(&id.len()));
    assert!(
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    );
}

/// A value of `Content-Type`, then lines of `Content-Encoding`, which are taken for those of `Accept-Encoding`, too.
///
/// # Panics
/// If a form is taken for another type, or another type for a form, or a content coding passes.
pub fn content_headers(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let (content_type, codings) = first_line(text);
    if let Ok(read) = content_type.parse::<ContentType>() {
        check_content_type(content_type, &read);
    }
    let names = codings
        .split([',', '\n'])
        .map(|name| name.trim().to_ascii_lowercase());
    let is_plain = names
        .into_iter()
        .all(|name| name.is_empty() || name == "identity");
    assert_eq!(is_coded(codings.lines()), !is_plain);
    let has_gzip = codings.to_ascii_lowercase().contains("gzip");
    assert!(has_gzip || !accepts_gzip(codings.lines()));
}

/// Parameters are not part of the type.
fn check_content_type(text: &str, read: &ContentType) {
    let written = text.split(';').next().unwrap_or(text).trim();
    let is = |name: &str| written.eq_ignore_ascii_case(name);
    assert_eq!(read.is_form(), is("application/x-www-form-urlencoded"));
    assert_eq!(read.is_form_data(), is("multipart/form-data"));
}

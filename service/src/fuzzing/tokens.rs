//! Access tokens.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

use crate::auth::{Claims, TokenKeys, token_in};
use crate::fuzzing::input::{first_line, text};

/// A published key, with which seeds can be signed.
const KEY: [u8; 32] = [0; 32];
const KEY_ID: &str = "k1";

static KEYS: LazyLock<TokenKeys> = LazyLock::new(|| {
    let ring = vec![(KEY_ID.to_owned(), Vec::from(KEY).into_boxed_slice().into())];
    TokenKeys::of(ring, 3_600)
});

/// A value of the header `Authorization`; also a header and a payload of a token, which are signed by a key of the
/// service, so that inputs get past the check of the signature.
///
/// # Panics
/// If a token is accepted that the key has not signed, or that is not one of this service for this time.
pub fn access_token(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    if let Some(token) = token_in(text) {
        assert_eq!(token, token.trim());
        check(token);
    }
    let (header, payload) = first_line(text);
    check(&signed(header, payload));
}

fn check(token: &str) {
    let begin = now();
    let Ok(claims) = KEYS.verify(token) else {
        return;
    };
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("{} parts", parts.len());
    };
    assert_eq!(signature, signature_of(&format!("{header}.{payload}")));
    let (header, payload) = (json(header), json(payload));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "HS256");
    assert_eq!(header["kid"], KEY_ID);
    assert_eq!(payload["iss"], "herolo");
    assert_eq!(payload["aud"], "herolo-api");
    assert!(payload["exp"].as_f64() >= Some(begin), "it has expired");
    assert_eq!(payload["epoch"], claims.epoch);
    let user = payload["sub"].as_str().and_then(|user| user.parse().ok());
    assert_eq!(user, Some(claims.user));
    check_again(token, claims);
}

/// A token of the same claims is accepted, and a cut one is not.
fn check_again(token: &str, claims: Claims) {
    let issued = KEYS.issue(claims).expect("signed");
    assert_eq!(KEYS.verify(&issued).ok(), Some(claims));
    assert!(KEYS.verify(&token[..token.len() - 1]).is_err(), "it is cut");
    assert!(KEYS.verify(&format!("{token}A")).is_err(), "it is extended");
}

fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let signature = signature_of(&message);
    format!("{message}.{signature}")
}

fn signature_of(message: &str) -> String {
    let key = EncodingKey::from_secret(&KEY);
    sign(message.as_bytes(), &key, Algorithm::HS256).expect("signed")
}

fn json(part: &str) -> Value {
    let json = BASE64.decode(part).expect("BASE64");
    serde_json::from_slice(&json).expect("JSON")
}

/// Whole seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64().floor())
}

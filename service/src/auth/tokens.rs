//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 under a ring of keys.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError};
use crate::model::user::UserId;

/// The service is both issuer and audience, so both names are constants.
const ISSUER: &str = "herolo";
const AUDIENCE: &str = "herolo-api";
/// The `typ` of access tokens, which no other JWT has (RFC 9068 section 2.1, RFC 8725 section 3.11).
const TYPE: &str = "at+jwt";

/// The keys that sign and verify access tokens: the first one signs, all of them verify.
pub(crate) struct TokenKeys {
    ring: Vec<Key>,
    validation: Validation,
    lifetime_seconds: u64,
}

struct Key {
    kid: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// The claims of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) user: UserId,
    /// The user's token epoch when the token was issued.
    pub(crate) epoch: u32,
}

/// The token was not issued by this service, has expired or is not an access token.
#[derive(Debug)]
pub(crate) struct InvalidToken;

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
    epoch: u32,
}

impl TokenKeys {
    /// Reads the keys from the settings, then signs and verifies a token to check that the cryptographic backend works.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let keys = Self::of(config.signing_keys()?, config.token_lifetime);
        keys.self_test()
            .map_err(|error| ConfigError::new("HEROLO_TOKEN_KEYS", error))
            .map(|()| keys)
    }

    /// Keys with their ids, of which the first one signs.
    pub(crate) fn of(ring: Vec<(String, SecretBox<[u8]>)>, lifetime_seconds: u64) -> Self {
        let ring = ring
            .into_iter()
            .map(|(kid, key)| Key {
                kid,
                signing: EncodingKey::from_secret(key.expose_secret()),
                verifying: DecodingKey::from_secret(key.expose_secret()),
            })
            .collect();
        Self {
            ring,
            validation: validation(),
            lifetime_seconds,
        }
    }

    /// The seconds from a token's issue to its expiry.
    pub(crate) fn lifetime_seconds(&self) -> u64 {
        self.lifetime_seconds
    }

    /// Issues a token that is valid from now on.
    pub(crate) fn issue(&self, claims: Claims) -> Result<String, jsonwebtoken::errors::Error> {
        self.issue_at(claims, now())
    }

    fn issue_at(&self, claims: Claims, now: u64) -> Result<String, jsonwebtoken::errors::Error> {
        let key = self
            .ring
            .first()
            .ok_or(jsonwebtoken::errors::ErrorKind::InvalidEcdsaKey)?;
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let payload = Payload {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: claims.user.to_string(),
            iat: now,
            exp: now.saturating_add(self.lifetime_seconds),
            epoch: claims.epoch,
        };
        encode(&header, &payload, &key.signing)
    }

    /// The token's claims, if one of the keys signed it and it has not expired.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, InvalidToken> {
        let payload = self.payload(token)?;
        let user = payload.sub.parse().map_err(|_| InvalidToken)?;
        Ok(Claims {
            user,
            epoch: payload.epoch,
        })
    }

    /// The time until the token expires.
    pub(crate) fn remaining(&self, token: &str) -> Result<Duration, InvalidToken> {
        let end = self.payload(token)?.exp;
        Ok(Duration::from_secs(end.saturating_sub(now())))
    }

    fn payload(&self, token: &str) -> Result<Payload, InvalidToken> {
        let header = decode_header(token).map_err(|_| InvalidToken)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(InvalidToken);
        }
        let key = self
            .ring
            .iter()
            .find(|key| Some(&key.kid) == header.kid.as_ref())
            .ok_or(InvalidToken)?;
        decode::<Payload>(token, &key.verifying, &self.validation)
            .map(|token| token.claims)
            .map_err(|_| InvalidToken)
    }

    fn self_test(&self) -> Result<(), String> {
        let claims = Claims {
            user: UserId::from(1),
            epoch: 0,
        };
        let token = self
            .issue(claims)
            .map_err(|error| format!("a token cannot be signed: {error}"))?;
        match self.verify(&token) {
            Ok(read) if read == claims => Ok(()),
            _ => Err(
                "a new token does not verify: the cryptographic backend does not work".to_owned(),
            ),
        }
    }
}

/// One algorithm, regardless of the token's header, and no leeway.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

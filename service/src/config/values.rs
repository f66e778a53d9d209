//! The values of settings: each is parsed and checked once.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use secrecy::{ExposeSecret, SecretBox};
use sqlx::mysql::MySqlConnectOptions;

use crate::config::database_url::connect_options;
use crate::config::explain::{ConfigError, must_be_in};
use crate::config::schema::{Config, RANGES};

/// Bytes of a token signing key (HS256 wants at least 256 bits, RFC 7518 section 3.2).
const TOKEN_KEY_BYTES: usize = 32;

/// The origins whose web pages may call the API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    All,
    Listed(Vec<String>),
}

/// Key ids and their keys, the signing key first.
pub(crate) type KeyRing = Vec<(String, SecretBox<[u8]>)>;

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first setting whose value cannot be used, with the fix.
    pub(super) fn check(self) -> Result<Self, ConfigError> {
        self.connect_options()?;
        self.signing_keys()?;
        self.cors_origins()?;
        self.client_address_header()?;
        self.reserved_usernames()?;
        self.mail()?;
        let mut numbers = self.numbers().into_iter().zip(RANGES);
        match numbers.find(|(value, (_, range))| !range.contains(value)) {
            Some((_, (setting, range))) => Err(ConfigError::new(setting, must_be_in(range))),
            None => Ok(self),
        }
    }

    /// The numeric settings, in the order of their [`RANGES`].
    fn numbers(&self) -> [u64; RANGES.len()] {
        [
            self.database_max_connections.into(),
            self.token_lifetime,
            self.drain_seconds,
            self.workers.into(),
            self.user_invitations.into(),
            self.limit_logins.into(),
            self.limit_sign_ups.into(),
            self.limit_sends.into(),
            self.limit_searches.into(),
        ]
    }

    /// The options for connecting to the database. TLS is required unless the URL has `ssl-mode=DISABLED`, because the
    /// driver's own default silently falls back to plain text. With an `ssl-ca` the server's identity is verified.
    ///
    /// # Errors
    /// A URL that cannot be used, with the fix.
    pub(crate) fn connect_options(&self) -> Result<MySqlConnectOptions, ConfigError> {
        let refuse = |fix| ConfigError::new("HEROLO_DATABASE_URL", fix);
        connect_options(self.database_url.expose_secret()).map_err(refuse)
    }

    /// The origins whose web pages may call the API, in the form that browsers send.
    ///
    /// # Errors
    /// An entry that is not an origin in that form, with the fix.
    pub(crate) fn cors_origins(&self) -> Result<Origins, ConfigError> {
        match self.cors_origins.trim() {
            "none" => return Ok(Origins::Listed(Vec::new())),
            "all" => return Ok(Origins::All),
            _ => {}
        }
        let origins = self.cors_origins.split(',').map(str::trim);
        origins
            .map(|origin| {
                if is_origin(origin) {
                    return Ok(origin.to_owned());
                }
                let fix = "must be all, none, or comma-separated origins in the form that browsers send \
                           (https://app.example.com, without a path or an upper-case letter)";
                Err(ConfigError::new("HEROLO_CORS_ORIGINS", fix))
            })
            .collect::<Result<_, _>>()
            .map(Origins::Listed)
    }

    /// The header that holds the client's address; `None` if the address is that of the connection.
    ///
    /// # Errors
    /// A value that is not the name of a header, with the fix.
    pub(crate) fn client_address_header(&self) -> Result<Option<String>, ConfigError> {
        let name = self.client_address_header.trim();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match name {
            "none" => Ok(None),
            _ if !name.is_empty() && name.bytes().all(is_plain) => Ok(Some(name.to_owned())),
            _ => Err(ConfigError::new(
                "HEROLO_CLIENT_ADDRESS_HEADER",
                "must be none or the name of a header, of letters, digits and -",
            )),
        }
    }

    /// The usernames that are reserved in addition to the built-in ones, in lower case.
    ///
    /// # Errors
    /// An entry that is not a username, with the fix.
    pub(crate) fn reserved_usernames(&self) -> Result<Vec<String>, ConfigError> {
        if self.reserved_usernames.trim() == "none" {
            return Ok(Vec::new());
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let names = self.reserved_usernames.split(',').map(str::trim);
        names
            .map(|name| {
                if !name.is_empty() && name.bytes().all(is_plain) {
                    return Ok(name.to_ascii_lowercase());
                }
                let fix = "must be none or comma-separated usernames, of letters a-z, digits, '.', '_' and '-'";
                Err(ConfigError::new("HEROLO_RESERVED_USERNAMES", fix))
            })
            .collect()
    }

    /// The signing keys of access tokens.
    ///
    /// # Errors
    /// The first entry that is malformed or repeats a key id, with the fix.
    pub(crate) fn signing_keys(&self) -> Result<KeyRing, ConfigError> {
        let keys = self.token_keys.expose_secret();
        let mut ring = KeyRing::new();
        for (index, entry) in keys.split(',').map(str::trim).enumerate() {
            let (kid, key) = signing_key(entry).map_err(|error| {
                ConfigError::new(
                    "HEROLO_TOKEN_KEYS",
                    format!(
                        "entry {} {error}; make one with: echo \"k1:$(openssl rand -base64 32)\"",
                        index + 1
                    ),
                )
            })?;
            if ring.iter().any(|(other, _)| *other == kid) {
                return Err(ConfigError::new(
                    "HEROLO_TOKEN_KEYS",
                    format!("the key id '{kid}' is given more than once"),
                ));
            }
            ring.push((kid, key));
        }
        Ok(ring)
    }
}

/// Whether the text is `scheme://host` or `scheme://host:port` in the form that browsers send (RFC 6454 section 6.2).
pub(super) fn is_origin(text: &str) -> bool {
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    host.is_some_and(|host| {
        let is_plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
        };
        !host.is_empty() && host.bytes().all(is_plain)
    })
}

/// Parses one entry of the key ring. An error continues a sentence that begins with the entry.
fn signing_key(entry: &str) -> Result<(String, SecretBox<[u8]>), String> {
    let (kid, encoded) = entry
        .split_once(':')
        .ok_or("is not of the form kid:base64")?;
    if kid.is_empty()
        || kid.len() > 64
        || !kid
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err("has a key id that is not 1 to 64 of a-z A-Z 0-9 - _".to_owned());
    }
    let key = BASE64
        .decode(encoded)
        .map_err(|_| "is not valid base64 after the colon")?;
    if key.len() != TOKEN_KEY_BYTES {
        return Err(format!(
            "has a key of {} bytes, not {TOKEN_KEY_BYTES}",
            key.len()
        ));
    }
    Ok((kid.to_owned(), SecretBox::from(key.into_boxed_slice())))
}

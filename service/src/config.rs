//! The settings: one struct, from defaults, then a file, then the environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rocket::figment::{
    Error as FigmentError, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Value},
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

/// Environment variables that start so are settings; any other name after it is refused as a slip of the pen.
const PREFIX: &str = "HEROLO_";
/// Names the settings file; in the working directory it is `Rocket.toml`.
const FILE_VARIABLE: &str = "HEROLO_CONFIG";
/// The test suite's own variables, which a developer may have exported.
const TEST_PREFIX: &str = "HEROLO_TEST_";
/// Bytes of a token signing key (HS256 wants at least 256 bits, RFC 7518 section 3.2).
const TOKEN_KEY_BYTES: usize = 32;

/// Every setting with its meaning and, where it has one, its default: what `herolo --help` prints.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("HEROLO_ADDRESS", "IP address to listen on", "127.0.0.1"),
    ("HEROLO_PORT", "TCP port to listen on", "8000"),
    (
        "HEROLO_DATABASE_URL",
        "mysql://user:password@host:port/database?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem",
        "",
    ),
    (
        "HEROLO_DATABASE_MAX_CONNECTIONS",
        "connections to the database, at most",
        "16",
    ),
    (
        "HEROLO_TOKEN_KEYS",
        "kid:base64(32 bytes), comma-separated, newest first: the first signs, all verify",
        "",
    ),
    (
        "HEROLO_TOKEN_LIFETIME",
        "seconds that an access token is valid",
        "86400",
    ),
    (
        "HEROLO_CORS_ORIGINS",
        "web pages of other origins that may use the API: https://app.example.com, comma-separated, or all",
        "none",
    ),
    (
        "HEROLO_INBOX_PAGE",
        "whether / is a page to read and send messages with",
        "true",
    ),
    (
        "HEROLO_DOCS_PAGE",
        "whether /docs is a page with the reference of the API",
        "true",
    ),
    (
        "HEROLO_DRAIN_SECONDS",
        "seconds between SIGTERM and the last accepted request",
        "6",
    ),
    (
        "HEROLO_WORKERS",
        "threads that serve requests; one does it with the least work, and a replica more uses another processor",
        "1",
    ),
    (
        "HEROLO_LIMIT_LOGINS",
        "failed logins a minute for one account from one client; 10 times as many logins of one client; 0: no limit",
        "10",
    ),
    (
        "HEROLO_LIMIT_SIGN_UPS",
        "new accounts a minute from one client; 0: no limit",
        "20",
    ),
    (
        "HEROLO_LIMIT_SENDS",
        "messages a minute of one account; 10 times as many from one client; 0: no limit",
        "1200",
    ),
    (
        "HEROLO_LIMIT_SEARCHES",
        "searches a minute of one account; 10 times as many from one client; 0: no limit",
        "120",
    ),
    (
        "HEROLO_CLIENT_ADDRESS_HEADER",
        "header in which a proxy that overwrites it says the client's address (X-Real-Ip), or none",
        "none",
    ),
];

/// What the service must know to run. Secrets neither print nor serialise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// IP address to listen on.
    pub address: IpAddr,
    /// TCP port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Where the database is: `mysql://user:password@host:port/database?ssl-mode=...`.
    pub database_url: SecretString,
    /// Connections to the database, at most.
    pub database_max_connections: u32,
    /// The signing keys of access tokens, newest first: `kid:base64(32 bytes)`, comma-separated.
    pub token_keys: SecretString,
    /// Seconds that an access token is valid.
    pub token_lifetime: u64,
    /// Web pages of other origins that may use the API: origins, comma-separated, or `all`, or `none`.
    pub cors_origins: String,
    /// Whether `/` is a page to read and send messages with.
    pub inbox_page: bool,
    /// Whether `/docs` is a page with the reference of the API.
    pub docs_page: bool,
    /// Seconds between SIGTERM and the last accepted request.
    pub drain_seconds: u64,
    /// Threads that serve requests. (Passwords are hashed by others.)
    pub workers: u16,
    /// Failed logins a minute for one account from one client; 0: no limit.
    pub limit_logins: u32,
    /// New accounts a minute from one client; 0: no limit.
    pub limit_sign_ups: u32,
    /// Messages a minute of one account; 0: no limit.
    pub limit_sends: u32,
    /// Searches a minute of one account; 0: no limit.
    pub limit_searches: u32,
    /// The header in which a proxy says the client's address, or `none` where clients connect themselves.
    pub client_address_header: String,
}

/// Which origins' web pages may use the API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    All,
    Listed(Vec<String>),
}

/// The settings that have a default.
#[derive(Serialize)]
struct Defaults {
    address: IpAddr,
    port: u16,
    database_max_connections: u32,
    token_lifetime: u64,
    cors_origins: &'static str,
    inbox_page: bool,
    docs_page: bool,
    drain_seconds: u64,
    workers: u16,
    limit_logins: u32,
    limit_sign_ups: u32,
    limit_sends: u32,
    limit_searches: u32,
    client_address_header: &'static str,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 8000,
            database_max_connections: 16,
            token_lifetime: 86_400,
            cors_origins: "none",
            inbox_page: true,
            docs_page: true,
            drain_seconds: 6,
            workers: 1,
            limit_logins: 10,
            limit_sign_ups: 20,
            limit_sends: 1_200,
            limit_searches: 120,
            client_address_header: "none",
        }
    }
}

/// Key ids and their keys, the signing key first.
pub(crate) type KeyRing = Vec<(String, SecretBox<[u8]>)>;

/// A setting that cannot be used. Its text names the setting and the fix, and shows no secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(setting: &str, fix: impl std::fmt::Display) -> Self {
        Self(format!("{setting}: {fix}"))
    }
}

impl Config {
    /// Reads the settings of this process: defaults, then the file, then the environment.
    ///
    /// # Errors
    /// The first setting that is missing, unknown or of the wrong form, with the fix.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_layers(&layers(settings_file()?, environment()?.into_iter())?)
    }

    /// Where the service of this process' settings listens. What is only for the service itself may be missing.
    pub(crate) fn listening_at() -> Result<SocketAddr, ConfigError> {
        let layers = layers(settings_file()?, environment()?.into_iter())?;
        let address: IpAddr = layers.extract_inner("address").map_err(explain)?;
        Ok(SocketAddr::from((
            address,
            layers.extract_inner("port").map_err(explain)?,
        )))
    }

    fn from_layers(layers: &Figment) -> Result<Self, ConfigError> {
        layers.extract::<Self>().map_err(explain)?.check()
    }

    fn check(self) -> Result<Self, ConfigError> {
        self.connect_options()?;
        self.signing_keys()?;
        self.cors_origins()?;
        self.client_address_header()?;
        match self
            .bounds()
            .iter()
            .find(|(_, value, range)| !range.contains(value))
        {
            Some((setting, _, range)) => Err(ConfigError::new(
                setting,
                format!("must be from {} to {}", range.start(), range.end()),
            )),
            None => Ok(self),
        }
    }

    /// What numbers may be.
    fn bounds(&self) -> [(&'static str, u64, RangeInclusive<u64>); 8] {
        let limit = 0..=1_000_000;
        [
            (
                "HEROLO_DATABASE_MAX_CONNECTIONS",
                u64::from(self.database_max_connections),
                1..=1_000,
            ),
            (
                "HEROLO_TOKEN_LIFETIME",
                self.token_lifetime,
                1..=366 * 24 * 60 * 60,
            ),
            ("HEROLO_DRAIN_SECONDS", self.drain_seconds, 0..=3_600),
            ("HEROLO_WORKERS", u64::from(self.workers), 1..=256),
            (
                "HEROLO_LIMIT_LOGINS",
                self.limit_logins.into(),
                limit.clone(),
            ),
            (
                "HEROLO_LIMIT_SIGN_UPS",
                self.limit_sign_ups.into(),
                limit.clone(),
            ),
            ("HEROLO_LIMIT_SENDS", self.limit_sends.into(), limit.clone()),
            ("HEROLO_LIMIT_SEARCHES", self.limit_searches.into(), limit),
        ]
    }

    /// How to reach the database. TLS is required unless the URL says `ssl-mode=DISABLED`: the driver's own default
    /// would fall back to plain text without a word. With an `ssl-ca` the server's identity is verified.
    pub(crate) fn connect_options(&self) -> Result<MySqlConnectOptions, ConfigError> {
        const SETTING: &str = "HEROLO_DATABASE_URL";
        let url = self.database_url.expose_secret();
        if !url.starts_with("mysql://") {
            return Err(ConfigError::new(
                SETTING,
                "must start with mysql:// (mysql://user:password@host:3306/herolo)",
            ));
        }
        let options: MySqlConnectOptions = url.parse().map_err(|_| {
            ConfigError::new(
                SETTING,
                "is not a URL of the form mysql://user:password@host:3306/herolo \
                 (percent-encode special characters of the password)",
            )
        })?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(ConfigError::new(
                SETTING,
                "names no database; end it with one: ...:3306/herolo",
            ));
        }
        match (options.get_ssl_mode(), url.contains("ssl-ca=")) {
            (MySqlSslMode::Preferred, false) => Ok(options.ssl_mode(MySqlSslMode::Required)),
            (MySqlSslMode::Preferred, true) => Ok(options.ssl_mode(MySqlSslMode::VerifyIdentity)),
            (MySqlSslMode::Required | MySqlSslMode::Disabled, true) => Err(ConfigError::new(
                SETTING,
                "has an ssl-ca that its ssl-mode does not look at; use ssl-mode=VERIFY_IDENTITY",
            )),
            _ => Ok(options),
        }
    }

    /// Which origins' web pages may use the API. An origin is compared as browsers write it.
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
                let fix = "must be all, none, or origins as browsers write them, comma-separated \
                           (https://app.example.com, without a path or an upper-case letter)";
                Err(ConfigError::new("HEROLO_CORS_ORIGINS", fix))
            })
            .collect::<Result<_, _>>()
            .map(Origins::Listed)
    }

    /// The header that says the client's address; `None` where the connection does.
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

    /// The keys of access tokens.
    pub(crate) fn signing_keys(&self) -> Result<KeyRing, ConfigError> {
        let keys = self.token_keys.expose_secret();
        let mut ring = KeyRing::new();
        for (index, entry) in keys.split(',').map(str::trim).enumerate() {
            let (kid, key) = signing_key(entry).map_err(|fault| {
                ConfigError::new(
                    "HEROLO_TOKEN_KEYS",
                    format!(
                        "entry {} {fault}; make one with: echo \"k1:$(openssl rand -base64 32)\"",
                        index + 1
                    ),
                )
            })?;
            if ring.iter().any(|(other, _)| *other == kid) {
                return Err(ConfigError::new(
                    "HEROLO_TOKEN_KEYS",
                    format!("the key id '{kid}' is there twice"),
                ));
            }
            ring.push((kid, key));
        }
        Ok(ring)
    }
}

/// Whether it is `scheme://host` or `scheme://host:port` as browsers write it (RFC 6454 section 6.2).
fn is_origin(text: &str) -> bool {
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

/// The defaults, over them the file, over it the environment.
fn layers(
    file: Option<Figment>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Figment, ConfigError> {
    let mut layers = Figment::from(Serialized::defaults(Defaults::default()));
    if let Some(file) = file {
        layers = layers.merge(file);
    }
    Ok(layers.merge(Environment::read(environment)?))
}

/// The settings file: the one that `HEROLO_CONFIG` names, else `Rocket.toml` where there is one.
fn settings_file() -> Result<Option<Figment>, ConfigError> {
    let path = match std::env::var(FILE_VARIABLE) {
        Ok(path) if !Path::new(&path).is_file() => {
            return Err(ConfigError::new(
                FILE_VARIABLE,
                format!("there is no file '{path}'"),
            ));
        }
        Ok(path) => path,
        Err(_) if Path::new("Rocket.toml").is_file() => "Rocket.toml".to_owned(),
        Err(_) => return Ok(None),
    };
    settings_below_default(Toml::file_exact(path)).map(Some)
}

/// The settings of a file, which stand below `[default]`; another table would be a slip of the pen.
fn settings_below_default(file: impl Provider) -> Result<Figment, ConfigError> {
    let file = Figment::from(file);
    let tables: Dict = file.extract().map_err(explain)?;
    match tables.keys().find(|table| *table != "default") {
        Some(other) => {
            let name = file
                .find_metadata(other)
                .and_then(|metadata| metadata.source.as_ref());
            let name = name.map_or_else(|| "the settings file".to_owned(), ToString::to_string);
            Err(ConfigError(format!(
                "{name} has '{other}' beside [default], below which all settings stand"
            )))
        }
        None => Ok(file.focus("default")),
    }
}

/// The variables of this process that may be settings. Others may hold what they like, text or not.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::new(&name, "must be UTF-8 text")),
        })
        .collect()
}

/// The layer of the environment: `HEROLO_<NAME>`, or `HEROLO_<NAME>_FILE` naming a file whose content is the value.
struct Environment(Dict);

impl Environment {
    fn read(variables: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut values = Dict::new();
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            if variable == FILE_VARIABLE || variable.starts_with(TEST_PREFIX) {
                continue;
            }
            let (name, value) = match name.strip_suffix("_FILE") {
                Some(name) => (name, read_secret_file(&variable, &text)?),
                None => (name, text),
            };
            if values
                .insert(name.to_ascii_lowercase(), typed(value))
                .is_some()
            {
                return Err(ConfigError::new(
                    &format!("{PREFIX}{name}"),
                    format!("is set twice, also as {PREFIX}{name}_FILE; unset one"),
                ));
            }
        }
        Ok(Self(values))
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// The content of a file such as a Docker secret, without the line break that editors add.
fn read_secret_file(variable: &str, path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map(|content| content.trim_end_matches(['\r', '\n']).to_owned())
        // Without the path: it may be the secret itself, put into the wrong variable.
        .map_err(|fault| {
            ConfigError::new(
                variable,
                format!("names a file that cannot be read: {fault}"),
            )
        })
}

/// Numbers and truths arrive as text in the environment; everything else is taken as it is.
fn typed(text: String) -> Value {
    if let Ok(number) = text.parse::<u64>() {
        return Value::from(number);
    }
    text.parse::<bool>()
        .map_or_else(|_| Value::from(text), Value::from)
}

/// What to tell the operator of a setting that figment refuses.
fn explain(fault: FigmentError) -> ConfigError {
    let from = origin(&fault);
    let setting = |name: &str| format!("{PREFIX}{}", name.to_ascii_uppercase());
    let named = setting(&fault.path.join("_"));
    match &fault.kind {
        Kind::MissingField(name) => {
            let name = setting(name);
            let meaning = meaning(&name);
            ConfigError::new(
                &name,
                format!("is not set; it is {meaning} (or set {name}_FILE to a file that holds it)"),
            )
        }
        Kind::UnknownField(name, known) => {
            let known: Vec<_> = known.iter().map(|name| setting(name)).collect();
            ConfigError::new(
                &setting(name),
                format!("is not a setting{from}; there are {}", known.join(", ")),
            )
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            ConfigError::new(&named, format!("must be {}{from}", in_words(expected)))
        }
        other if named == PREFIX => unreadable(other, &from),
        other => ConfigError::new(&named, format!("{other}{from}; it is {}", meaning(&named))),
    }
}

/// Where a value came from, for the end of a sentence.
fn origin(fault: &FigmentError) -> String {
    let Some(metadata) = &fault.metadata else {
        return String::new();
    };
    match &metadata.source {
        Some(file) => format!(" (in {} {file})", metadata.name),
        None => format!(" (in {})", metadata.name),
    }
}

fn meaning(setting: &str) -> &'static str {
    SETTINGS
        .iter()
        .find(|(known, ..)| *known == setting)
        .map_or("", |(_, meaning, _)| meaning)
}

/// Operators know numbers, not Rust's names of them.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" => "a whole number, not negative",
        "a boolean" => "true or false",
        other => other,
    }
}

/// Of a file that is not TOML. The parser says where in its first line, and shows the text in those that follow,
/// which may hold a secret.
fn unreadable(kind: &Kind, from: &str) -> ConfigError {
    let text = kind.to_string();
    let place = text.lines().next().unwrap_or_default();
    ConfigError(format!(
        "the settings cannot be read{from}: {place}; the file is TOML with the settings below [default]"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const URL: &str = "mysql://user:canary@localhost/herolo";

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        settings_below_default(Toml::string(file))
            .and_then(|file| layers(Some(file), variables))
            .and_then(|layers| Config::from_layers(&layers))
            .map_err(|fault| fault.to_string())
    }

    fn with(variable: &str, value: &str) -> Result<Config, String> {
        let mut variables = vec![("HEROLO_DATABASE_URL", URL), ("HEROLO_TOKEN_KEYS", KEYS)];
        variables.retain(|(name, _)| *name != variable);
        variables.push((variable, value));
        load("", &variables)
    }

    #[track_caller]
    fn refused(variable: &str, value: &str, names: &str) {
        let message = with(variable, value).expect_err("refused");
        assert!(message.contains(names), "{message}");
        assert!(!message.contains("canary"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }

    #[test]
    fn what_is_not_said_has_its_documented_default() {
        let config = with("HEROLO_DATABASE_URL", URL).expect("valid");
        let defaults = [
            config.address.to_string(),
            config.port.to_string(),
            config.database_max_connections.to_string(),
            config.token_lifetime.to_string(),
            config.cors_origins.clone(),
            config.drain_seconds.to_string(),
            config.workers.to_string(),
            config.inbox_page.to_string(),
            config.docs_page.to_string(),
            config.limit_logins.to_string(),
            config.limit_sign_ups.to_string(),
            config.limit_sends.to_string(),
            config.limit_searches.to_string(),
            config.client_address_header.clone(),
        ];
        let documented: BTreeSet<_> = SETTINGS
            .iter()
            .map(|(.., default)| *default)
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(
            defaults.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            documented
        );
    }

    #[test]
    fn the_committed_file_says_the_defaults() {
        let config = load(
            include_str!("../Rocket.toml"),
            &[("HEROLO_DATABASE_URL", URL), ("HEROLO_TOKEN_KEYS", KEYS)],
        );
        let (config, defaults) = (config.expect("valid"), Defaults::default());
        assert_eq!(
            (config.address, config.port),
            (defaults.address, defaults.port)
        );
        assert_eq!(
            config.database_max_connections,
            defaults.database_max_connections
        );
        assert_eq!(
            (config.token_lifetime, config.drain_seconds),
            (defaults.token_lifetime, defaults.drain_seconds)
        );
        assert_eq!(config.workers, defaults.workers);
        assert_eq!(config.cors_origins, defaults.cors_origins);
        assert_eq!(
            [
                config.limit_logins,
                config.limit_sign_ups,
                config.limit_sends,
                config.limit_searches,
            ],
            [
                defaults.limit_logins,
                defaults.limit_sign_ups,
                defaults.limit_sends,
                defaults.limit_searches,
            ]
        );
        assert_eq!(config.client_address_header, defaults.client_address_header);
    }

    #[test]
    fn an_address_comes_from_the_header_that_is_named_or_from_none() {
        let header = |name: &str| {
            let config = with("HEROLO_CLIENT_ADDRESS_HEADER", name).expect("valid");
            config.client_address_header().expect("valid")
        };
        assert_eq!(header("none"), None);
        assert_eq!(header("X-Real-Ip").as_deref(), Some("X-Real-Ip"));
        for wrong in ["", "X Real Ip", "X-Real-Ip:", "X-Real-Ip, Forwarded"] {
            refused(
                "HEROLO_CLIENT_ADDRESS_HEADER",
                wrong,
                "the name of a header",
            );
        }
        refused("HEROLO_LIMIT_SENDS", "1000001", "must be from 0 to 1000000");
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let file = "[default]\nport = 1\ntoken_lifetime = 5\n";
        let variables = [
            ("HEROLO_PORT", "2"),
            ("HEROLO_DATABASE_URL", URL),
            ("HEROLO_TOKEN_KEYS", KEYS),
        ];
        let config = load(file, &variables).expect("valid");
        assert_eq!((config.port, config.token_lifetime), (2, 5));
    }

    #[test]
    fn a_missing_setting_is_named_with_its_meaning() {
        let message = load("", &[("HEROLO_TOKEN_KEYS", KEYS)]).expect_err("refused");
        assert!(
            message.starts_with("HEROLO_DATABASE_URL: is not set; it is mysql://"),
            "{message}"
        );
    }

    #[test]
    fn an_unknown_setting_is_refused_wherever_it_stands() {
        refused("HEROLO_PROT", "8000", "HEROLO_PROT: is not a setting");
        let variables = [("HEROLO_DATABASE_URL", URL), ("HEROLO_TOKEN_KEYS", KEYS)];
        let message = load("[default]\nprot = 1\n", &variables).expect_err("refused");
        assert!(message.contains("HEROLO_PROT"), "{message}");
    }

    #[test]
    fn variables_of_tests_and_of_others_are_not_settings() {
        assert!(with("HEROLO_TEST_DATABASE_URL", "x").is_ok());
        assert!(with("PORT", "x").is_ok());
    }

    #[test]
    fn a_setting_of_the_wrong_form_is_named() {
        refused("HEROLO_PORT", "web", "HEROLO_PORT: must be");
        refused("HEROLO_PORT", "65536", "HEROLO_PORT: must be");
        refused("HEROLO_ADDRESS", "localhost", "HEROLO_ADDRESS");
        refused(
            "HEROLO_TOKEN_LIFETIME",
            "0",
            "HEROLO_TOKEN_LIFETIME: must be from 1 to",
        );
        refused(
            "HEROLO_DATABASE_MAX_CONNECTIONS",
            "-1",
            "HEROLO_DATABASE_MAX_CONNECTIONS: must be",
        );
        refused(
            "HEROLO_DATABASE_URL",
            "postgres://user:canary@localhost/x",
            "must start with mysql://",
        );
        refused(
            "HEROLO_DATABASE_URL",
            "mysql://user:canary@localhost",
            "names no database",
        );
        refused(
            "HEROLO_DATABASE_URL",
            "mysql://user:canary@local host/x",
            "is not a URL",
        );
    }

    #[test]
    fn a_key_ring_with_a_fault_is_refused_with_its_place() {
        let key = KEYS.trim_start_matches("k1:");
        refused("HEROLO_TOKEN_KEYS", "canary", "entry 1 is not of the form");
        refused(
            "HEROLO_TOKEN_KEYS",
            &format!("{KEYS},k2:canary!"),
            "entry 2 is not valid base64",
        );
        refused(
            "HEROLO_TOKEN_KEYS",
            "k1:Y2FuYXJ5",
            "entry 1 has a key of 6 bytes, not 32",
        );
        refused(
            "HEROLO_TOKEN_KEYS",
            &format!("k 1:{key}"),
            "entry 1 has a key id",
        );
        refused(
            "HEROLO_TOKEN_KEYS",
            &format!("{KEYS},{KEYS}"),
            "'k1' is there twice",
        );
        assert!(with("HEROLO_TOKEN_KEYS", &format!("{KEYS}, k2:{key}")).is_ok());
    }

    #[test]
    fn tls_is_required_unless_the_url_says_otherwise() {
        let mode = |query: &str| {
            let config = with("HEROLO_DATABASE_URL", &format!("{URL}{query}")).expect("valid");
            config.connect_options().expect("valid").get_ssl_mode()
        };
        assert!(matches!(mode(""), MySqlSslMode::Required));
        assert!(matches!(
            mode("?ssl-mode=PREFERRED"),
            MySqlSslMode::Required
        ));
        assert!(matches!(
            mode("?ssl-mode=VERIFY_IDENTITY"),
            MySqlSslMode::VerifyIdentity
        ));
        assert!(matches!(mode("?ssl-mode=DISABLED"), MySqlSslMode::Disabled));
    }

    #[test]
    fn a_certificate_authority_means_verification() {
        let with_query = |query: &str| {
            with(
                "HEROLO_DATABASE_URL",
                &format!("{URL}?{query}ssl-ca=/ca.pem"),
            )
        };
        let options = with_query("")
            .expect("valid")
            .connect_options()
            .expect("valid");
        assert!(matches!(
            options.get_ssl_mode(),
            MySqlSslMode::VerifyIdentity
        ));
        assert!(with_query("ssl-mode=VERIFY_CA&").is_ok());
        for unverified in ["ssl-mode=REQUIRED&", "ssl-mode=DISABLED&"] {
            assert!(
                with_query(unverified)
                    .expect_err("refused")
                    .contains("VERIFY_IDENTITY")
            );
        }
    }

    #[test]
    fn a_table_beside_default_is_refused() {
        let variables = [("HEROLO_DATABASE_URL", URL), ("HEROLO_TOKEN_KEYS", KEYS)];
        for file in [
            "[global]\nport = 1\n",
            "[release]\nport = 1\n",
            "port = 1\n",
        ] {
            assert!(
                load(file, &variables).is_err_and(|message| message.contains("[default]")),
                "{file}"
            );
        }
    }

    #[test]
    fn numbers_beyond_reason_are_refused() {
        refused(
            "HEROLO_DATABASE_MAX_CONNECTIONS",
            "4294967295",
            "must be from 1 to 1000",
        );
        refused(
            "HEROLO_DRAIN_SECONDS",
            "99999999999",
            "must be from 0 to 3600",
        );
        refused("HEROLO_WORKERS", "0", "must be from 1 to 256");
        refused(
            "HEROLO_TOKEN_LIFETIME",
            "18446744073709551615",
            "must be from 1 to",
        );
    }

    #[test]
    fn origins_are_taken_as_browsers_write_them_and_not_otherwise() {
        let origins = |value: &str| {
            let config = with("HEROLO_CORS_ORIGINS", value).expect("valid");
            config.cors_origins().expect("valid")
        };
        assert_eq!(origins("all"), Origins::All);
        assert_eq!(origins("none"), Origins::Listed(Vec::new()));
        let two = ["https://app.example.com", "http://localhost:5173"].map(str::to_owned);
        assert_eq!(origins(&two.join(", ")), Origins::Listed(two.to_vec()));
        for wrong in [
            "*",
            "app.example.com",
            "https://App.example.com",
            "https://a.example/",
            "https://",
            ",",
        ] {
            refused("HEROLO_CORS_ORIGINS", wrong, "https://app.example.com");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let config = with("HEROLO_DATABASE_URL", URL).expect("valid");
        let printed = format!("{config:?}");
        assert!(
            !printed.contains("canary") && !printed.contains("AAAA"),
            "{printed}"
        );
    }
}

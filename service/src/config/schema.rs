//! The settings: their names, meanings, types and defaults.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The prefix of the environment variables that hold settings.
pub(super) const PREFIX: &str = "HEROLO_";

/// Every setting with its meaning and default, as `herolo --help` prints them. A required setting has no default
/// (`""`).
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
        "maximum number of database connections",
        "16",
    ),
    (
        "HEROLO_TOKEN_KEYS",
        "kid:base64(32 bytes), comma-separated, newest first; the first key signs, all keys verify",
        "",
    ),
    (
        "HEROLO_TOKEN_LIFETIME",
        "lifetime of access tokens in seconds",
        "86400",
    ),
    (
        "HEROLO_CORS_ORIGINS",
        "origins whose web pages may call the API: comma-separated (https://app.example.com), all, or none",
        "none",
    ),
    (
        "HEROLO_INBOX_PAGE",
        "whether / serves the inbox, a web page for reading and sending messages",
        "true",
    ),
    (
        "HEROLO_DOCS_PAGE",
        "whether /docs serves the API reference",
        "true",
    ),
    (
        "HEROLO_DRAIN_SECONDS",
        "seconds from SIGTERM until no more requests are accepted",
        "6",
    ),
    (
        "HEROLO_WORKERS",
        "request threads; to use more processors, add replicas",
        "1",
    ),
    (
        "HEROLO_SIGN_UPS",
        "sign-ups that are accepted: all (open), those with an invitation (invited), or none (closed)",
        "open",
    ),
    (
        "HEROLO_USER_INVITATIONS",
        "invitations that each user may make in seven days; 0: only the operator invites",
        "0",
    ),
    (
        "HEROLO_RESERVED_USERNAMES",
        "usernames that cannot be signed up with, in addition to those of roles (admin, postmaster): comma-separated, \
         or none",
        "none",
    ),
    (
        "HEROLO_LIMIT_LOGINS",
        "failed logins per minute for one account from one client; 10 times as many logins from one client; \
         0: unlimited",
        "10",
    ),
    (
        "HEROLO_LIMIT_SIGN_UPS",
        "sign-ups per minute from one client; 0: unlimited",
        "20",
    ),
    (
        "HEROLO_LIMIT_SENDS",
        "messages per minute from one account; 10 times as many from one client; 0: unlimited",
        "1200",
    ),
    (
        "HEROLO_LIMIT_SEARCHES",
        "searches per minute from one account; 10 times as many from one client; 0: unlimited",
        "120",
    ),
    (
        "HEROLO_SMTP_URL",
        "SMTP server for mails: smtps://user:password@host:465 (TLS), smtp://user:password@host:587 (STARTTLS), \
         smtp://host:25?tls=none, or none",
        "none",
    ),
    (
        "HEROLO_MAIL_FROM",
        "sender of mails (Herolo <noreply@example.com>), or none",
        "none",
    ),
    (
        "HEROLO_PUBLIC_URL",
        "address of this service for its users (https://herolo.example.com), which mails name, or none",
        "none",
    ),
    (
        "HEROLO_CLIENT_ADDRESS_HEADER",
        "header that the proxy sets to the client's address, overwriting any other value (X-Real-Ip), or none",
        "none",
    ),
];

/// The numeric settings and their ranges. A port may be any of its type.
pub(super) const RANGES: &[(&str, RangeInclusive<u64>)] = &[
    ("HEROLO_DATABASE_MAX_CONNECTIONS", 1..=1_000),
    ("HEROLO_TOKEN_LIFETIME", 1..=366 * 24 * 60 * 60),
    ("HEROLO_DRAIN_SECONDS", 0..=3_600),
    ("HEROLO_WORKERS", 1..=256),
    ("HEROLO_USER_INVITATIONS", 0..=100),
    ("HEROLO_LIMIT_LOGINS", 0..=1_000_000),
    ("HEROLO_LIMIT_SIGN_UPS", 0..=1_000_000),
    ("HEROLO_LIMIT_SENDS", 0..=1_000_000),
    ("HEROLO_LIMIT_SEARCHES", 0..=1_000_000),
];

/// Which requests to sign up are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", expecting = "open, invited or closed")]
pub enum SignUpPolicy {
    /// All.
    Open,
    /// Those with an invitation.
    Invited,
    /// None: the operator creates the accounts.
    Closed,
}

/// The settings of the service. Secrets are neither printed nor serialised.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// IP address to listen on.
    pub address: IpAddr,
    /// TCP port to listen on; 0 lets the system choose.
    pub port: u16,
    /// The URL of the database: `mysql://user:password@host:port/database?ssl-mode=...`.
    pub database_url: SecretString,
    /// Maximum number of database connections.
    pub database_max_connections: u32,
    /// The signing keys of access tokens, newest first: `kid:base64(32 bytes)`, comma-separated.
    pub token_keys: SecretString,
    /// Lifetime of access tokens in seconds.
    pub token_lifetime: u64,
    /// Origins whose web pages may call the API: comma-separated, `all` or `none`.
    pub cors_origins: String,
    /// Whether `/` serves the inbox, a web page for reading and sending messages.
    pub inbox_page: bool,
    /// Whether `/docs` serves the API reference.
    pub docs_page: bool,
    /// Seconds from SIGTERM until no more requests are accepted.
    pub drain_seconds: u64,
    /// Request threads. (Password hashing has threads of its own.)
    pub workers: u16,
    /// Which requests to sign up are accepted.
    pub sign_ups: SignUpPolicy,
    /// Invitations that each user may make in seven days; 0: only the operator invites.
    pub user_invitations: u32,
    /// Usernames that cannot be signed up with, in addition to those of roles: comma-separated, or `none`.
    pub reserved_usernames: String,
    /// Failed logins per minute for one account from one client; 0: unlimited.
    pub limit_logins: u32,
    /// Sign-ups per minute from one client; 0: unlimited.
    pub limit_sign_ups: u32,
    /// Messages per minute from one account; 0: unlimited.
    pub limit_sends: u32,
    /// Searches per minute from one account; 0: unlimited.
    pub limit_searches: u32,
    /// The URL of the SMTP server, or `none` if the service sends no mails.
    pub smtp_url: SecretString,
    /// The sender of mails, or `none`.
    pub mail_from: String,
    /// The origin under which users reach the service, or `none`.
    pub public_url: String,
    /// The header that the proxy sets to the client's address, or `none` if clients connect directly.
    pub client_address_header: String,
}

/// The settings that have a default.
#[derive(Serialize)]
pub(super) struct Defaults {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) database_max_connections: u32,
    pub(super) token_lifetime: u64,
    pub(super) cors_origins: &'static str,
    pub(super) inbox_page: bool,
    pub(super) docs_page: bool,
    pub(super) drain_seconds: u64,
    pub(super) workers: u16,
    pub(super) sign_ups: SignUpPolicy,
    pub(super) user_invitations: u32,
    pub(super) reserved_usernames: &'static str,
    pub(super) limit_logins: u32,
    pub(super) limit_sign_ups: u32,
    pub(super) limit_sends: u32,
    pub(super) limit_searches: u32,
    pub(super) smtp_url: &'static str,
    pub(super) mail_from: &'static str,
    pub(super) public_url: &'static str,
    pub(super) client_address_header: &'static str,
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
            sign_ups: SignUpPolicy::Open,
            user_invitations: 0,
            reserved_usernames: "none",
            limit_logins: 10,
            limit_sign_ups: 20,
            limit_sends: 1_200,
            limit_searches: 120,
            smtp_url: "none",
            mail_from: "none",
            public_url: "none",
            client_address_header: "none",
        }
    }
}

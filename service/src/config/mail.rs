//! The settings of mail, which belong together: the SMTP server, the sender, and the address that mails name.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::explain::ConfigError;
use crate::config::schema::Config;
use crate::config::values::is_origin;

const SMTP_URL: &str = "HEROLO_SMTP_URL";
const MAIL_FROM: &str = "HEROLO_MAIL_FROM";
const PUBLIC_URL: &str = "HEROLO_PUBLIC_URL";

/// The value of a setting that is not set.
const NONE: &str = "none";
/// The timeout of connecting to the SMTP server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The time for which a connection is kept for the next mail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const FORMS: &str = "smtps://user:password@host:465 (TLS), smtp://user:password@host:587 (STARTTLS) or \
                     smtp://host:25?tls=none (no TLS, no password); percent-encode special characters";

/// The requirements of mails.
#[derive(Clone)]
pub(crate) struct MailSettings {
    /// Without the transport itself, which is for an async runtime. It contains the password, which its `Debug` leaves
    /// out.
    pub(crate) transport: AsyncSmtpTransportBuilder,
    pub(crate) from: Mailbox,
    /// The origin of the service, without a slash at the end.
    pub(crate) public_url: String,
    /// Whether `/` serves the inbox, to which mails can link.
    pub(crate) has_inbox_page: bool,
}

impl Config {
    /// The settings of mail; `None` if the service sends none.
    ///
    /// # Errors
    /// A setting that is missing or cannot be used, with the fix.
    pub(crate) fn mail(&self) -> Result<Option<MailSettings>, ConfigError> {
        let url = self.smtp_url.expose_secret().trim();
        let (from, public_url) = (self.mail_from.trim(), self.public_url.trim());
        if public_url != NONE && !is_origin(public_url) {
            let fix = "must be none or an origin such as https://herolo.example.com, in lower case and without a path";
            return Err(ConfigError::new(PUBLIC_URL, fix));
        }
        if url == NONE && from == NONE {
            return Ok(None);
        }
        let all = [(SMTP_URL, url), (MAIL_FROM, from), (PUBLIC_URL, public_url)];
        if let Some((missing, _)) = all.iter().find(|(_, value)| *value == NONE) {
            let given = if url == NONE { MAIL_FROM } else { SMTP_URL };
            let fix = format!(
                "is set without {missing}; mails need {SMTP_URL}, {MAIL_FROM} and {PUBLIC_URL}: set all of them, \
                 or none"
            );
            return Err(ConfigError::new(given, fix));
        }
        Ok(Some(MailSettings {
            transport: transport(url, public_url)?,
            from: sender(from)?,
            public_url: public_url.to_owned(),
            has_inbox_page: self.inbox_page,
        }))
    }
}

fn sender(from: &str) -> Result<Mailbox, ConfigError> {
    from.parse().map_err(|_| {
        let fix = "must be an address such as noreply@example.com or Herolo <noreply@example.com>";
        ConfigError::new(MAIL_FROM, fix)
    })
}

/// TLS is required unless the URL has `tls=none`, because the password and the codes in mails are secrets.
fn transport(url: &str, public_url: &str) -> Result<AsyncSmtpTransportBuilder, ConfigError> {
    let refused = || ConfigError::new(SMTP_URL, format!("must be of the form {FORMS}"));
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, server) = base.split_once("://").ok_or_else(refused)?;
    let has_password = match server.rsplit_once('@') {
        Some((user, _))
            if user
                .split_once(':')
                .is_none_or(|(_, password)| password.is_empty()) =>
        {
            return Err(refused());
        }
        user => user.is_some(),
    };
    let accepted = match (scheme, query) {
        ("smtps", "") | ("smtp", "tls=none") => base.to_owned(),
        ("smtp", "") => format!("{base}?tls=required"),
        _ => return Err(refused()),
    };
    if query == "tls=none" && has_password {
        let fix =
            "would send the password without TLS; remove ?tls=none, or the user and the password";
        return Err(ConfigError::new(SMTP_URL, fix));
    }
    if server.contains('/') {
        return Err(refused());
    }
    // The error quotes the URL.
    let builder =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&accepted).map_err(|_| refused())?;
    // A connection is kept for the next mail. Without a pool, a mail that was accepted would wait for the response to
    // QUIT, and count as failed if none came.
    let pool = PoolConfig::new().max_size(1).idle_timeout(IDLE_TIMEOUT);
    let mut builder = builder.timeout(Some(CONNECT_TIMEOUT)).pool_config(pool);
    if let Some(name) = host_name(public_url) {
        builder = builder.hello_name(ClientId::Domain(name.to_owned()));
    }
    Ok(builder)
}

/// The host of an origin, with which the service introduces itself (RFC 5321 section 4.1.1.1); `None` if it is an IP
/// address.
fn host_name(origin: &str) -> Option<&str> {
    let (_, host) = origin.split_once("://")?;
    let host = host.split(':').next()?;
    let is_name = host.contains(|letter: char| letter.is_ascii_lowercase());
    (is_name && !host.starts_with('[')).then_some(host)
}

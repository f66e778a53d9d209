//! Hands mails over to the SMTP server, and sorts its failures.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rocket::tokio::time::timeout;

/// The timeout of one attempt, which is over before its lease is.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The reason why a mail was not sent. No text contains an address or the URL of the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server will never accept this mail.
    #[error("refused by the SMTP server with {0}")]
    Refused(String),
    /// The server may accept it later.
    #[error("postponed by the SMTP server with {0}")]
    Postponed(u16),
    /// The server accepts no mail at all: it cannot be reached, or refuses the login.
    #[error("the SMTP server is not usable: {0}")]
    ServerAway(String),
}

/// Sends a mail. After a failure other than [`Failure::Refused`], the server may have accepted it nevertheless.
pub(super) async fn send(
    transport: &AsyncSmtpTransport<Tokio1Executor>,
    message: Message,
) -> Result<(), Failure> {
    let mut recipients = message.envelope().to().iter();
    let needs_utf8 = recipients.any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    match timeout(TIMEOUT, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(sorted(&error, needs_utf8)),
        Err(_) => Err(Failure::ServerAway(
            "it does not respond in time".to_owned(),
        )),
    }
}

fn sorted(error: &Error, needs_utf8: bool) -> Failure {
    match error.status().map(u16::from) {
        // 421: it is about to close; 530 to 538: about the login (RFC 4954 section 6), so about the settings.
        Some(code @ (421 | 454 | 530 | 534 | 535 | 538)) => {
            Failure::ServerAway(format!("it responds with {code}"))
        }
        Some(code @ 400..=499) => Failure::Postponed(code),
        // The text that goes with it may contain the address.
        Some(code) => Failure::Refused(code.to_string()),
        None if error.is_client() && needs_utf8 => {
            Failure::Refused("no support for addresses in UTF-8 (RFC 6531)".to_owned())
        }
        None if error.is_response() => Failure::ServerAway("its response is incomplete".to_owned()),
        None => Failure::ServerAway(error.to_string()),
    }
}

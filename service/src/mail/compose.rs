//! The message of a mail (RFC 5322): its headers and its two bodies.

use std::fmt::Write as _;

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::config::MailSettings;
use crate::mail::prepare::Letter;
use crate::mail::texts::{Text, stop_address, text};

/// The body of the POST that a mail program sends (RFC 8058 section 3.1).
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// The recipient's address cannot be written into a mail. An older version may have accepted it.
#[derive(Debug)]
pub(super) struct Unaddressable;

/// Composes a mail.
pub(super) fn compose(letter: &Letter, settings: &MailSettings) -> Result<Message, Unaddressable> {
    let recipient = letter.recipient.for_delivery().ok_or(Unaddressable)?;
    let Text {
        subject,
        plain,
        html,
    } = text(letter, settings);
    let mut message = Message::builder();
    // One click in a mail program suffices, which takes HTTPS (RFC 8058).
    if let Some(address) = stop_address(letter, settings).filter(|url| url.starts_with("https:")) {
        message = message
            .raw_header(header("List-Unsubscribe", format!("<{address}>")))
            .raw_header(header("List-Unsubscribe-Post", ONE_CLICK.to_owned()));
    }
    message
        .from(settings.from.clone())
        .to(Mailbox::new(None, recipient))
        .subject(subject)
        .date_now()
        .message_id(Some(message_id(letter, settings)))
        // Keeps programs from answering, such as with notes of absence (RFC 3834 section 5).
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(plain, html))
        .map_err(|_| Unaddressable)
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The same in each attempt, so that mailboxes can recognize a mail that arrives twice.
fn message_id(letter: &Letter, settings: &MailSettings) -> String {
    let mut unique = String::new();
    for byte in letter.message_id {
        let _ = write!(unique, "{byte:02x}");
    }
    format!("<{unique}@{}>", settings.from.email.domain())
}

#[cfg(test)]
mod tests {
    use crate::model::email::Email;

    use super::*;

    #[test]
    fn every_address_that_is_accepted_can_be_written_into_a_mail() {
        for address in [
            "alice@example.com",
            "Al.Ice+tag@Example.COM",
            "!#$%&'*+-/=?^_`{|}~@example.com",
            r#""alice"@example.com"#,
            r#""a.l\i.ce"@example.com"#,
            "m\u{fc}ller@m\u{fc}ller.example",
            "mu\u{308}ller@example.com",
            "\u{65e5}\u{672c}@example.com",
        ] {
            let accepted = Email::parse(address.to_owned()).expect(address);
            let written = accepted.for_delivery().expect(address);
            let message = Message::builder()
                .from("noreply@example.com".parse().expect("an address"))
                .to(Mailbox::new(None, written.clone()))
                .body(String::new())
                .expect(address);
            assert_eq!(message.envelope().to(), [written], "{address}");
        }
    }
}

//! The texts of all mails. Each is written once, and rendered as plain text and as HTML.

use crate::config::MailSettings;
use crate::mail::kind::Kind;
use crate::mail::prepare::Letter;

/// A part of a text, which is a paragraph of its own.
enum Part {
    Words(String),
    /// The address of a page.
    Link(String),
    /// A code, which is easy to select.
    Code(String),
}

/// A mail's subject and its bodies.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
}

/// The text of a mail about an account of the service.
pub(super) fn text(letter: &Letter, settings: &MailSettings) -> Text {
    let (username, public_url) = (&letter.username, settings.public_url.as_str());
    let account = format!("your account {username} at {public_url}");
    let (subject, parts) = match letter.kind {
        Kind::PasswordReset => ("Your password", password_reset(letter, settings, &account)),
        Kind::PasswordChanged => ("Your password was changed", password_changed(&account)),
        Kind::EmailVerification => (
            "Confirm your e-mail address",
            email_verification(letter, settings, &account),
        ),
        Kind::EmailChangeRequested => (
            "Your e-mail address is to be changed",
            email_change_requested(&account),
        ),
        Kind::EmailChanged => ("Your e-mail address was changed", email_changed(&account)),
        Kind::UnreadMessages => (
            "You have unread messages",
            unread_messages(letter, settings, &account),
        ),
    };
    let host = public_url.rsplit('/').next().unwrap_or_default();
    Text {
        subject: format!("{subject} at {host}"),
        plain: plain(&parts),
        html: html(&parts),
    }
}

fn password_reset(letter: &Letter, settings: &MailSettings, account: &str) -> Vec<Part> {
    let mut parts = vec![words(format!(
        "A new password was requested for {account}."
    ))];
    parts.extend(code(
        letter,
        settings,
        "forgotten",
        "To choose one",
        "30 minutes",
    ));
    parts.push(words(
        "If you did not request it, ignore this mail. Your password stays as it is.",
    ));
    parts
}

fn password_changed(account: &str) -> Vec<Part> {
    vec![
        words(format!(
            "The password of {account} was changed, and you are signed out on all devices."
        )),
        words(
            "If you did not change it, request a new password at once, or ask the operator of the service.",
        ),
    ]
}

fn email_change_requested(account: &str) -> Vec<Part> {
    vec![
        words(format!(
            "Another e-mail address was entered for {account}. It replaces this one once it is confirmed."
        )),
        words(
            "If you did not enter it, someone knows your password: request a new one at once. That withdraws the \
             change.",
        ),
    ]
}

fn email_changed(account: &str) -> Vec<Part> {
    vec![
        words(format!(
            "Another e-mail address has replaced this one in {account}. This is the last mail to this address."
        )),
        words("If you did not change it, ask the operator of the service at once."),
    ]
}

fn email_verification(letter: &Letter, settings: &MailSettings, account: &str) -> Vec<Part> {
    let mut parts = vec![words(format!("This address was entered for {account}."))];
    parts.extend(code(
        letter,
        settings,
        "verify",
        "To confirm that it is yours",
        "24 hours",
    ));
    parts.push(words(
        "If you did not enter it, ignore this mail: without this code, the address is not confirmed.",
    ));
    parts
}

/// With neither senders nor texts, since mails are read by others more easily than messages.
fn unread_messages(letter: &Letter, settings: &MailSettings, account: &str) -> Vec<Part> {
    let code = letter.code.as_ref().map_or("", |code| code.expose());
    let mut parts = vec![words(format!("You have unread messages in {account}."))];
    let once = words("The next such mail is sent only after you have been back.");
    if settings.has_inbox_page {
        parts.extend([
            words("To read them, open this page:"),
            Part::Link(format!("{}/", settings.public_url)),
            once,
            words("To stop these mails, open this page:"),
            Part::Link(format!("{}/#/stop/{code}", settings.public_url)),
        ]);
    } else {
        let address = stop_address(letter, settings).unwrap_or_default();
        parts.extend([
            once,
            words(
                "To stop these mails, unsubscribe in your mail program, or have a program send a POST request to this \
                 address:",
            ),
            Part::Link(address),
        ]);
    }
    parts
}

/// The address that stops mails of this kind by a POST; `None` if they cannot be stopped.
pub(super) fn stop_address(letter: &Letter, settings: &MailSettings) -> Option<String> {
    let code = letter.code.as_ref()?.expose();
    let can_stop = letter.kind == Kind::UnreadMessages;
    can_stop.then(|| format!("{}/unread-notices/{code}/stop", settings.public_url))
}

/// The code, with a link to the view of the page that takes it.
fn code(
    letter: &Letter,
    settings: &MailSettings,
    view: &str,
    purpose: &str,
    lifetime: &str,
) -> Vec<Part> {
    let code = letter.code.as_ref().map_or("", |code| code.expose());
    let mut parts = Vec::new();
    if settings.has_inbox_page {
        // A fragment, so that no server or proxy gets the code with the address.
        parts.extend([
            words(format!("{purpose}, open this page within {lifetime}:")),
            Part::Link(format!("{}/#/{view}/{code}", settings.public_url)),
            words("Or enter this code where you are asked for it:"),
        ]);
    } else {
        parts.push(words(format!(
            "{purpose}, enter this code within {lifetime}:"
        )));
    }
    parts.push(Part::Code(code.to_owned()));
    parts
}

fn words(text: impl Into<String>) -> Part {
    Part::Words(text.into())
}

fn plain(parts: &[Part]) -> String {
    let paragraphs = parts.iter().map(|part| match part {
        Part::Words(text) | Part::Link(text) | Part::Code(text) => format!("{text}\n"),
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// Without anything that a mail program would fetch, or style.
fn html(parts: &[Part]) -> String {
    let paragraphs = parts.iter().map(|part| match part {
        Part::Words(text) => format!("<p>{}</p>\n", escaped(text)),
        Part::Link(address) => {
            let address = escaped(address);
            format!("<p><a href=\"{address}\">{address}</a></p>\n")
        }
        Part::Code(code) => format!("<p><code>{}</code></p>\n", escaped(code)),
    });
    let body = paragraphs.collect::<Vec<_>>().concat();
    format!("<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n{body}</body>\n</html>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped() {
        let html = html(&[words("<a> & \"b\"")]);
        assert!(
            html.contains("<p>&lt;a&gt; &amp; &quot;b&quot;</p>"),
            "{html}"
        );
    }
}

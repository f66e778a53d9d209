//! The texts of all mails. Each is written once, and rendered as plain text and as HTML.

use crate::mail::kind::Kind;
use crate::mail::prepare::Letter;

/// A part of a text, which is a paragraph of its own.
enum Part {
    Words(String),
    /// A code, which is easy to select.
    Code(String),
}

/// A mail's subject and its bodies.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
}

/// The text of a mail about an account of the service with this address.
pub(super) fn text(letter: &Letter, public_url: &str) -> Text {
    let username = &letter.username;
    let (subject, parts) = match letter.kind {
        Kind::PasswordReset => (
            "Your password",
            vec![
                words(format!(
                    "A new password was requested for your account {username} at {public_url}."
                )),
                words("To choose one, enter this code within 30 minutes:"),
                Part::Code(code(letter)),
                words("If you did not request it, ignore this mail. Your password stays as it is."),
            ],
        ),
        Kind::PasswordChanged => (
            "Your password was changed",
            vec![
                words(format!(
                    "The password of your account {username} at {public_url} was changed, and you are signed out on \
                     all devices."
                )),
                words(
                    "If you did not change it, request a new password at once, or ask the operator of the service.",
                ),
            ],
        ),
    };
    let host = public_url.rsplit('/').next().unwrap_or_default();
    Text {
        subject: format!("{subject} at {host}"),
        plain: plain(&parts),
        html: html(&parts),
    }
}

fn words(text: impl Into<String>) -> Part {
    Part::Words(text.into())
}

fn code(letter: &Letter) -> String {
    let code = letter.code.as_ref();
    code.map_or_else(String::new, |code| code.expose().to_owned())
}

fn plain(parts: &[Part]) -> String {
    let paragraphs = parts.iter().map(|part| match part {
        Part::Words(text) | Part::Code(text) => format!("{text}\n"),
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// Without anything that a mail program would fetch, or style.
fn html(parts: &[Part]) -> String {
    let paragraphs = parts.iter().map(|part| match part {
        Part::Words(text) => format!("<p>{}</p>\n", escaped(text)),
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

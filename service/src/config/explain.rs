//! The messages that operators read when a setting cannot be used.

use std::fmt::Display;
use std::ops::RangeInclusive;

use rocket::figment::{Error as FigmentError, error::Kind};

use crate::config::schema::{PREFIX, RANGES, SETTINGS};

/// A setting whose value cannot be used. The message names the setting and the fix, and never contains a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

impl ConfigError {
    /// An error about one setting.
    pub(crate) fn new(setting: &str, fix: impl Display) -> Self {
        Self(format!("{setting}: {fix}"))
    }
}

/// Turns an error of figment into a message for the operator.
pub(super) fn explain(error: FigmentError) -> ConfigError {
    let setting = |name: &str| format!("{PREFIX}{}", name.to_ascii_uppercase());
    let named = setting(&error.path.join("_"));
    let from = origin(&error, &named);
    match &error.kind {
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
                format!(
                    "is not a setting{from}; the settings are {}",
                    known.join(", ")
                ),
            )
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            let range = RANGES.iter().find(|(setting, _)| *setting == named);
            let fix = range.map_or_else(
                || format!("must be {}", in_words(expected)),
                |(_, range)| must_be_in(range),
            );
            ConfigError::new(&named, format!("{fix}{from}"))
        }
        // The variant that was found is left out: it may be a secret that was put into the wrong variable.
        Kind::UnknownVariant(_, known) => {
            ConfigError::new(&named, format!("must be one of {}{from}", known.join(", ")))
        }
        other if named == PREFIX => unreadable(other, &from),
        other => ConfigError::new(&named, format!("{other}{from}; it is {}", meaning(&named))),
    }
}

/// The source of the value of a setting, as the end of a sentence.
fn origin(error: &FigmentError, setting: &str) -> String {
    let Some(metadata) = &error.metadata else {
        return String::new();
    };
    let file = format!("{setting}_FILE");
    if metadata.source.is_none() && std::env::var_os(&file).is_some() {
        return format!(" (in the file that {file} names)");
    }
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

/// What an error says of a number that is out of range.
pub(super) fn must_be_in(range: &RangeInclusive<u64>) -> String {
    format!(
        "must be a whole number from {} to {}",
        range.start(),
        range.end()
    )
}

/// Replaces the name of a Rust type with a description for operators.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "IP address" => "an IP address",
        "a boolean" => "true or false",
        other => other,
    }
}

/// The error for a file that is not TOML. Only the first line of the parser's message is kept: it holds the position,
/// while the lines after it quote the file, which may hold a secret.
fn unreadable(kind: &Kind, from: &str) -> ConfigError {
    let text = kind.to_string();
    let position = text.lines().next().unwrap_or_default();
    ConfigError(format!(
        "the settings cannot be read{from}: {position}; the file must be TOML with all settings below [default]"
    ))
}

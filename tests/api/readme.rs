//! The README and the API guide, compared with the service: the transcripts of the README are run, and the tables of
//! both are compared with the code. (`tests/consumers` runs the snippets of the guide.)

use std::collections::BTreeMap;
use std::path::Path;

use rocket::figment::Figment;
use rocket::figment::providers::{Format as _, Toml};
use serde_json::Value;
use tokio::process::Command;

use crate::support::Service;

const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../docs/api.md");
const PROBLEMS: &str = include_str!("../../service/src/http/problem/spec.rs");
/// The service's address in the README.
const PUBLISHED_URL: &str = "http://127.0.0.1:8000";
/// Separates the outputs of two commands: ASCII's record separator, which no output contains.
const SEPARATOR: char = '\u{1e}';

/// A command of a transcript, and its expected output.
struct Step {
    command: String,
    output: String,
}

#[tokio::test]
async fn its_transcripts_match_real_answers() {
    let lifetime = default_of("HEROLO_TOKEN_LIFETIME")
        .parse()
        .expect("a number");
    let service = Service::start_with(|config| {
        config.token_lifetime = lifetime;
        config.limit_sends = default_of("HEROLO_LIMIT_SENDS").parse().expect("a number");
    })
    .await;
    let steps = steps(&section(README, "The API"));
    assert!(!steps.is_empty(), "the README has transcripts");
    let outputs = run(&steps, &service.url).await;
    for (Step { command, output }, real) in steps.iter().zip(&outputs) {
        assert!(
            normalised(output) == normalised(real),
            "the README is wrong about\n\n$ {command}\n\nIt says\n\n{output}\nbut what comes back is\n\n{real}"
        );
    }
    assert_eq!(outputs.len(), steps.len(), "every command ends");
}

#[test]
fn its_settings_are_those_of_the_code() {
    let real: Vec<_> = herolo::config::SETTINGS
        .iter()
        .map(|(name, meaning, default)| match *default {
            "" => [*name, meaning, "required"],
            default => [*name, meaning, default],
        })
        .collect();
    assert_eq!(rows(&section(README, "Settings"), "setting"), real);
}

#[test]
fn the_settings_file_holds_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/Rocket.toml");
    let file: BTreeMap<String, Value> = Figment::from(Toml::file_exact(path).nested())
        .extract()
        .expect("the file is TOML");
    let written: BTreeMap<_, _> = file
        .iter()
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (format!("HEROLO_{}", name.to_uppercase()), value)
        })
        .collect();
    let defaults: BTreeMap<_, _> = herolo::config::SETTINGS
        .iter()
        .filter(|(.., default)| !default.is_empty())
        .map(|(name, _, default)| ((*name).to_owned(), (*default).to_owned()))
        .collect();
    assert_eq!(written, defaults);
}

#[test]
fn the_guides_problem_types_are_those_of_the_code() {
    let written: Vec<_> = rows(&section(GUIDE, "Handle errors"), "type")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].parse().ok()))
        .collect();
    assert_eq!(written, problem_types());
}

fn default_of(setting: &str) -> &'static str {
    let mut settings = herolo::config::SETTINGS.iter();
    let (.., default) = settings
        .find(|(name, ..)| *name == setting)
        .expect("a setting");
    default
}

/// The lines of a page under a heading, up to the next one of its level or above.
fn section(page: &'static str, title: &str) -> Vec<&'static str> {
    let level = |line: &str| line.split_once("# ").map(|(hashes, _)| hashes.len());
    let is_heading =
        |line: &str| line.starts_with("##") && line.trim_start_matches('#').trim() == title;
    let mut lines = page.lines().skip_while(|line| !is_heading(line));
    let heading = lines
        .next()
        .unwrap_or_else(|| panic!("the page has no section '{title}'"));
    lines
        .take_while(|line| !(line.starts_with("##") && level(line) <= level(heading)))
        .collect()
}

/// The rows of the table whose first column has this name, without the marks of code.
fn rows(section: &[&str], first_column: &str) -> Vec<Vec<String>> {
    let head = format!("| {first_column} |");
    section
        .iter()
        .skip_while(|line| !line.starts_with(&head))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        })
        .collect()
}

/// The commands of the blocks that are marked as `console`: each follows a `$`, and continues after a backslash at the
/// end of a line. Its output is below it.
fn steps(section: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_transcript = false;
    for line in section {
        if line.starts_with("```") {
            is_transcript = *line == "```console";
        } else if is_transcript && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                output: String::new(),
            });
        } else if is_transcript {
            let step = steps
                .last_mut()
                .expect("a transcript begins with a command");
            if step.output.is_empty() && step.command.ends_with('\\') {
                step.command += "\n";
                step.command += line;
            } else {
                step.output += line;
                step.output += "\n";
            }
        }
    }
    steps
}

/// The output of each command; all run in one shell.
async fn run(steps: &[Step], url: &str) -> Vec<String> {
    let script: Vec<_> = steps
        .iter()
        .map(|step| {
            format!(
                "{}\nprintf '{SEPARATOR}'\n",
                step.command.replace(PUBLISHED_URL, url)
            )
        })
        .collect();
    let done = Command::new("bash")
        .args([
            "--noprofile",
            "--norc",
            "-c",
            &format!("exec 2>&1\n{}", script.concat()),
        ])
        .env("no_proxy", "127.0.0.1")
        .output()
        .await
        .expect("bash is there");
    let printed = String::from_utf8(done.stdout).expect("UTF-8");
    printed
        .split_terminator(SEPARATOR)
        .map(str::to_owned)
        .collect()
}

/// The text without variable parts, and without white space outside of quotes, because long lines may be broken.
fn normalised(text: &str) -> String {
    let mut text = text.to_owned();
    for member in ["access_token", "created_at"] {
        text = without_values(&text, member);
    }
    let mut is_quoted = false;
    text.retain(|character| {
        is_quoted ^= character == '"';
        is_quoted || !character.is_whitespace()
    });
    text
}

/// The text without the string values of this JSON member.
fn without_values(text: &str, member: &str) -> String {
    let opening = format!(r#""{member}":""#);
    let mut parts = text.split(&opening);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (_, rest) = part.split_once('"').expect("the value ends");
        text + &opening + "\"" + rest
    })
}

/// The last part of each `type` with its status, from the table in the code. `None` if the status is Rocket's.
pub(crate) fn problem_types() -> Vec<(String, Option<u16>)> {
    let table = between(PROBLEMS, "fn spec(&self)", "\n    }\n");
    let mut types: Vec<_> = table
        .split("=>")
        .skip(1)
        .map(|row| {
            let status = between(row, "(", ",").parse().ok();
            (between(row, "\"", "\"").to_owned(), status)
        })
        .collect();
    types.dedup();
    types
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("'{start}' is there"));
    rest.split_once(end)
        .unwrap_or_else(|| panic!("'{end}' is there"))
        .0
}

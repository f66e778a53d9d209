//! Settings: their sources, and the error messages for invalid ones.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use herolo::config::SETTINGS;
use serde_json::Value;

use crate::support::{Finished, Herolo, SIGNING_KEY, TestDatabase, finish, token_keys};

/// Is part of every secret of these tests, and must not be part of any output.
const CANARY: &str = "canary";
const URL: &str = "mysql://user:canary@127.0.0.1:1/herolo";

fn herolo() -> Herolo {
    let mut key = *b"canary--canary--canary--canary--";
    key[0] = b'C';
    Herolo::on(URL).set("HEROLO_TOKEN_KEYS", &token_keys(&[("k1", key)]))
}

/// Asserts that the service failed with one line that contains these parts and no secret.
#[track_caller]
fn refused(ended: &Finished, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "{parts:?}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{parts:?}: {ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "'{part}': {ended:?}");
    }
    let encoded = BASE64.encode(CANARY);
    for secret in [CANARY, &encoded[..8], "anary--c"] {
        assert!(!ended.stderr.contains(secret), "{ended:?}");
        assert!(!ended.stdout.contains(secret), "{ended:?}");
    }
}

#[tokio::test]
async fn a_required_setting_that_is_missing_is_named_with_its_meaning() {
    for setting in ["HEROLO_DATABASE_URL", "HEROLO_TOKEN_KEYS"] {
        let ended = herolo().unset(setting).run(&[]).await;

        let file = format!("{setting}_FILE");
        refused(&ended, &[&format!("{setting}: is not set"), &file]);
    }
}

/// A variable, an invalid value, and the expected message.
const WRONG_VALUES: &[(&str, &str, &[&str])] = &[
    ("HEROLO_PORT", "http", &["whole number", "65535"]),
    ("HEROLO_PORT", "65536", &["whole number", "65535"]),
    ("HEROLO_PORT", "-1", &["whole number"]),
    ("HEROLO_PORT", "", &["whole number"]),
    ("HEROLO_ADDRESS", "localhost", &["IP address"]),
    ("HEROLO_DATABASE_MAX_CONNECTIONS", "0", &["from 1 to"]),
    ("HEROLO_DATABASE_MAX_CONNECTIONS", "many", &["whole number"]),
    ("HEROLO_TOKEN_LIFETIME", "0", &["from 1 to"]),
    ("HEROLO_TOKEN_LIFETIME", "1h", &["whole number"]),
    ("HEROLO_DRAIN_SECONDS", "-1", &["whole number"]),
    ("HEROLO_WORKERS", "0", &["from 1 to"]),
    ("HEROLO_INBOX_PAGE", "yes", &["true or false"]),
    ("HEROLO_DOCS_PAGE", "0", &["true or false"]),
    ("HEROLO_SIGN_UPS", "friends", &["open", "invited", "closed"]),
    ("HEROLO_SIGN_UPS", "true", &["open, invited or closed"]),
    ("HEROLO_USER_INVITATIONS", "101", &["from 0 to 100"]),
    (
        "HEROLO_RESERVED_USERNAMES",
        "mayor,the mayor",
        &["none", "comma-separated usernames"],
    ),
    // Each of these without the others.
    (
        "HEROLO_SMTP_URL",
        "smtps://u:canary@h",
        &[
            "without HEROLO_MAIL_FROM",
            "HEROLO_PUBLIC_URL",
            "set all of them, or none",
        ],
    ),
    (
        "HEROLO_MAIL_FROM",
        "noreply@example.com",
        &["without HEROLO_SMTP_URL", "set all of them, or none"],
    ),
    (
        "HEROLO_PUBLIC_URL",
        "https://example.com/canary",
        &["origin such as https://"],
    ),
    ("HEROLO_PROT", "8000", &["is not a setting", "HEROLO_PORT"]),
    (
        "HEROLO_DATABASE_URL",
        "postgres://u:canary@h/d",
        &["mysql://"],
    ),
    ("HEROLO_DATABASE_URL", "canary", &["mysql://"]),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h:port/d",
        &["mysql://"],
    ),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h/d?ssl-mode=canary",
        &["ssl-mode must be one of", "VERIFY_IDENTITY"],
    ),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h/d?ssl_mode=VERIFY_IDENTITY",
        &["the parameters are ssl-mode, ssl-ca"],
    ),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h/d?ssl-ca=/nowhere/ca.pem",
        &["ssl-ca cannot be read: /nowhere/ca.pem"],
    ),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h",
        &["names no database"],
    ),
    (
        "HEROLO_DATABASE_URL",
        "mysql://u:canary@h/",
        &["names no database"],
    ),
    ("HEROLO_TOKEN_KEYS", "canary", &["kid:base64", "openssl"]),
    (
        "HEROLO_TOKEN_KEYS",
        "k1:canary-!",
        &["entry 1", "base64", "openssl"],
    ),
    (
        "HEROLO_TOKEN_KEYS",
        "k1:Y2FuYXJ5",
        &["entry 1", "6 bytes", "32"],
    ),
    ("HEROLO_TOKEN_KEYS", "k 1:Y2FuYXJ5", &["entry 1", "key id"]),
    ("HEROLO_CONFIG", "/none/such", &["/none/such"]),
    (
        "HEROLO_DATABASE_URL_FILE",
        "/none/such",
        &["cannot be read"],
    ),
    (
        // The secret itself instead of its path.
        "HEROLO_TOKEN_KEYS_FILE",
        "k1:canary",
        &["cannot be read"],
    ),
];

#[tokio::test]
async fn a_wrong_value_is_one_line_that_names_the_setting_and_the_fix() {
    for (variable, value, parts) in WRONG_VALUES {
        let herolo = herolo().set(variable, value);
        // Without the value, because a value together with a file would be another error.
        let herolo = match variable.strip_suffix("_FILE") {
            Some(setting) => herolo.unset(setting),
            None => herolo,
        };

        let ended = herolo.run(&["serve"]).await;

        refused(&ended, &[&[*variable], *parts].concat());
    }
}

#[tokio::test]
async fn a_wrong_mail_server_or_sender_is_named_without_its_password() {
    let refusals: [(&str, &str, &[&str]); 4] = [
        (
            "imap://u:canary@h",
            "a@example.com",
            &["HEROLO_SMTP_URL", "smtps://"],
        ),
        (
            "smtp://u:canary@h:port",
            "a@example.com",
            &["HEROLO_SMTP_URL", "smtps://"],
        ),
        (
            "smtp://u:canary@h?tls=none",
            "a@example.com",
            &["HEROLO_SMTP_URL", "without TLS"],
        ),
        (
            "smtps://u:canary@h",
            "canary",
            &["HEROLO_MAIL_FROM", "noreply@example.com"],
        ),
    ];
    for (url, from, parts) in refusals {
        let herolo = herolo()
            .set("HEROLO_MAIL_FROM", from)
            .set("HEROLO_PUBLIC_URL", "https://herolo.example.com");
        let file = herolo.file("smtp-url", &format!("{url}\n"));
        let herolo = herolo.set("HEROLO_SMTP_URL_FILE", &file.to_string_lossy());

        let ended = herolo.run(&["serve"]).await;

        refused(&ended, parts);
    }
}

#[tokio::test]
async fn every_command_that_needs_settings_refuses_wrong_ones_alike() {
    for command in ["serve", "migrate", "healthcheck"] {
        let ended = herolo().set("HEROLO_PORT", "http").run(&[command]).await;

        refused(&ended, &["HEROLO_PORT"]);
    }
}

#[tokio::test]
async fn a_key_id_that_is_there_twice_is_named() {
    let keys = token_keys(&[("k1", SIGNING_KEY), ("k2", [8; 32]), ("k1", [9; 32])]);

    let ended = herolo().set("HEROLO_TOKEN_KEYS", &keys).run(&[]).await;

    refused(&ended, &["HEROLO_TOKEN_KEYS", "'k1'", "more than once"]);
}

#[tokio::test]
async fn a_setting_and_its_file_at_once_are_refused() {
    let herolo = herolo();
    let file = herolo.file("url", URL);
    let herolo = herolo.set("HEROLO_DATABASE_URL_FILE", &file.to_string_lossy());

    let ended = herolo.run(&[]).await;

    let parts = ["HEROLO_DATABASE_URL", "HEROLO_DATABASE_URL_FILE", "unset"];
    refused(&ended, &parts);
}

#[tokio::test]
async fn a_setting_that_is_not_text_is_refused_and_other_variables_ignored() {
    let not_text = OsStr::from_bytes(b"canary\xff");
    let herolo = herolo().set("HEROLO_PORT", "http");
    let mut ours = herolo.command(&["serve"]);
    ours.env("HEROLO_DATABASE_URL", not_text);
    let mut others = herolo.command(&["serve"]);
    others.env("LESSCHARSET", not_text).env(not_text, "value");

    let (ours, others) = (finish(ours).await, finish(others).await);

    refused(&ours, &["HEROLO_DATABASE_URL", "UTF-8"]);
    refused(&others, &["HEROLO_PORT"]);
}

#[tokio::test]
async fn a_malformed_settings_file_is_named_in_one_line_without_its_text() {
    let files: [(&str, &[&str]); 5] = [
        ("[default]\ndatabase_url = \"canary\nport = 1", &["line 2"]),
        ("database_url = \"canary\"", &["[default]"]),
        ("[default]\ncanary", &["line 2"]),
        ("[default]\nprot = 1", &["HEROLO_PROT", "HEROLO_PORT"]),
        ("[default]\nport = \"canary\"", &["HEROLO_PORT", "65535"]),
    ];
    for (content, parts) in files {
        let herolo = herolo().unset("HEROLO_PORT");
        let file = herolo.file("herolo.toml", content);
        let herolo = herolo.set("HEROLO_CONFIG", &file.to_string_lossy());

        let ended = herolo.run(&[]).await;

        refused(&ended, &[&["herolo.toml"], parts].concat());
    }
}

#[tokio::test]
async fn environment_then_local_file_then_defaults() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let herolo = herolo().unset("HEROLO_PORT");
    herolo.file(
        "Rocket.toml",
        &format!("[default]\nport = {}", address.port()),
    );

    let by_the_file = herolo.run(&[]).await;
    let by_the_environment = herolo.set("HEROLO_PORT", "0").serve().await;

    refused(&by_the_file, &[&address.to_string()]);
    assert_eq!(by_the_environment.get("/livez").await.status, 200);
}

#[tokio::test]
async fn the_named_settings_file_replaces_the_local_one() {
    let herolo = herolo().unset("HEROLO_PORT");
    herolo.file("Rocket.toml", "[default]\nport = \"wrong\"");
    let file = herolo.file("other.toml", "[default]\nport = 0");

    let process = herolo
        .set("HEROLO_CONFIG", &file.to_string_lossy())
        .serve()
        .await;

    assert_eq!(process.get("/livez").await.status, 200);
}

#[tokio::test]
async fn secrets_come_from_files_such_as_those_of_docker() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::bare().set("HEROLO_PORT", "0");
    let url = herolo.file("url", &format!("{}\n", database.url()));
    let keys = token_keys(&[("k1", SIGNING_KEY)]);
    let keys = herolo.file("keys", &format!("{keys}\r\n"));
    let herolo = herolo
        .set("HEROLO_DATABASE_URL_FILE", &url.to_string_lossy())
        .set("HEROLO_TOKEN_KEYS_FILE", &keys.to_string_lossy());

    let migrated = herolo.run(&["migrate"]).await;
    let process = herolo.serve().await;

    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    process.until_ready().await;
    process.user("alice").await;
}

#[tokio::test]
async fn the_openapi_document_needs_no_settings() {
    let ended = Herolo::bare().run(&["openapi"]).await;

    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(document["info"]["title"], "Herolo");
}

#[tokio::test]
async fn help_explains_every_command_and_every_setting() {
    let ended = Herolo::bare().run(&["--help"]).await;

    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let settings = SETTINGS
        .iter()
        .flat_map(|(name, meaning, default)| [*name, *meaning, *default]);
    let commands = ["serve", "migrate", "healthcheck", "openapi", "user"];
    for text in settings.chain(commands) {
        assert!(ended.stdout.contains(text), "'{text}': {}", ended.stdout);
    }
}

use std::collections::BTreeSet;

use rocket::figment::providers::{Format, Toml};
use secrecy::ExposeSecret as _;
use sqlx::mysql::MySqlSslMode;

use crate::config::schema::{Config, Defaults, RANGES, SETTINGS};
use crate::config::sources::{layers, settings_below_default};
use crate::config::values::Origins;

const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const URL: &str = "mysql://user:canary@localhost/herolo";

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings_below_default(Toml::string(file))
        .and_then(|file| layers(Some(file), variables))
        .and_then(|layers| Config::from_layers(&layers))
        .map_err(|error| error.to_string())
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
fn omitted_parameters_have_their_documented_defaults() {
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
        format!("{:?}", config.sign_ups).to_lowercase(),
        config.user_invitations.to_string(),
        config.reserved_usernames.clone(),
        config.limit_logins.to_string(),
        config.limit_sign_ups.to_string(),
        config.limit_sends.to_string(),
        config.limit_searches.to_string(),
        config.smtp_url.expose_secret().to_owned(),
        config.mail_from.clone(),
        config.public_url.clone(),
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
        include_str!("../../Rocket.toml"),
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
    assert_eq!(config.sign_ups, defaults.sign_ups);
    assert_eq!(config.user_invitations, defaults.user_invitations);
    assert_eq!(config.reserved_usernames, defaults.reserved_usernames);
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
    refused(
        "HEROLO_LIMIT_SENDS",
        "1000001",
        "must be a whole number from 0 to 1000000",
    );
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
        "HEROLO_TOKEN_LIFETIME: must be a whole number from 1 to",
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
        "'k1' is given more than once",
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
    let ca = std::env::temp_dir().join(format!("herolo-ca-{}.pem", std::process::id()));
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\n").expect("a temporary file");
    let with_query = |query: &str| {
        let url = format!("{URL}?{query}ssl-ca={}", ca.display());
        with("HEROLO_DATABASE_URL", &url)
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
    std::fs::remove_file(&ca).expect("it is there");
    let missing = with_query("").expect_err("refused");
    assert!(missing.contains("ssl-ca cannot be read: /"), "{missing}");
}

#[test]
fn files_of_the_database_that_would_be_ignored_or_are_of_the_wrong_kind_are_refused() {
    for (query, fix) in [
        ("ssl-ca=Cargo.toml", "ssl-ca has no certificate in PEM"),
        ("ssl-cert=Cargo.toml", "both ssl-cert and ssl-key"),
        ("ssl-key=Cargo.toml", "both ssl-cert and ssl-key"),
        (
            "ssl-cert=Cargo.toml&ssl-key=Cargo.toml",
            "ssl-cert has no certificate in PEM",
        ),
        (
            "ssl-mode=DISABLED&ssl-cert=a&ssl-key=b",
            "which ssl-mode=DISABLED ignores",
        ),
    ] {
        refused("HEROLO_DATABASE_URL", &format!("{URL}?{query}"), fix);
    }
}

#[test]
fn what_looks_like_a_parameter_and_is_none_is_refused() {
    for (rest, fix) in [
        ("#ssl-mode=VERIFY_IDENTITY", "has a #"),
        ("?#ssl-mode=VERIFY_IDENTITY", "has a #"),
        ("&ssl-mode=VERIFY_IDENTITY", "parameters begin with ?"),
        (";ssl-mode=VERIFY_IDENTITY", "parameters begin with ?"),
        ("/", "parameters begin with ?"),
    ] {
        refused("HEROLO_DATABASE_URL", &format!("{URL}{rest}"), fix);
    }
    let unencoded = "mysql://user:12/canary@localhost:3306/herolo";
    refused(
        "HEROLO_DATABASE_URL",
        unencoded,
        "percent-encode special characters",
    );
}

#[test]
fn an_ipv6_address_of_the_database_loses_its_brackets() {
    for (host, expected) in [("[::1]:3306", "::1"), ("localhost", "localhost")] {
        let url = format!("mysql://user:canary@{host}/herolo");
        let config = with("HEROLO_DATABASE_URL", &url).expect("valid");
        assert_eq!(
            config.connect_options().expect("valid").get_host(),
            expected
        );
    }
}

#[test]
fn a_parameter_of_the_database_that_is_not_known_is_refused() {
    for query in [
        "ssl_mode=VERIFY_IDENTITY",
        "SSL-MODE=VERIFY_IDENTITY",
        "sslmode=VERIFY_IDENTITY",
        "ssl-mode=REQUIRED&charset=latin1",
        "canary",
    ] {
        let url = format!("{URL}?{query}");
        refused(
            "HEROLO_DATABASE_URL",
            &url,
            "the parameters are ssl-mode, ssl-ca",
        );
    }
    refused(
        "HEROLO_DATABASE_URL",
        &format!("{URL}?ssl-mode=VERIFY_IDENTITY&ssl-mode=DISABLED"),
        "ssl-mode more than once",
    );
    for mode in ["SOMETIMES", "", "canary"] {
        let url = format!("{URL}?ssl-mode={mode}");
        refused(
            "HEROLO_DATABASE_URL",
            &url,
            "must be one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY",
        );
    }
    for without_host in ["mysql:///herolo", "mysql://user:canary@/herolo"] {
        refused(
            "HEROLO_DATABASE_URL",
            without_host,
            "mysql://user:password@host:3306/herolo",
        );
    }
}

#[test]
fn each_number_has_its_own_range() {
    for (setting, range) in RANGES {
        let (last, next) = (range.end(), range.end() + 1);
        assert!(with(setting, &last.to_string()).is_ok(), "{setting}");
        let fix = format!(
            "{setting}: must be a whole number from {} to {last}",
            range.start()
        );
        refused(setting, &next.to_string(), &fix);
    }
}

#[test]
fn the_range_of_a_number_is_told_whatever_is_wrong_with_it() {
    for wrong in ["4294967296", "99999999999999999999", "-1", "1.5", "many"] {
        refused(
            "HEROLO_USER_INVITATIONS",
            wrong,
            "whole number from 0 to 100",
        );
        refused("HEROLO_WORKERS", wrong, "whole number from 1 to 256");
    }
    refused("HEROLO_ADDRESS", "5", "must be an IP address");
}

#[test]
fn a_secret_in_place_of_a_word_is_not_printed() {
    refused("HEROLO_SIGN_UPS", "canary", "one of open, invited, closed");
}

#[test]
fn a_table_beside_default_is_refused() {
    let variables = [("HEROLO_DATABASE_URL", URL), ("HEROLO_TOKEN_KEYS", KEYS)];
    for file in [
        "[global]\nport = 1\n",
        "[release]\nport = 1\n",
        "port = 1\n",
        "[[default]]\nport = 1\n",
        "default = 5\n",
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
        "must be a whole number from 1 to 1000",
    );
    refused(
        "HEROLO_DRAIN_SECONDS",
        "99999999999",
        "must be a whole number from 0 to 3600",
    );
    refused(
        "HEROLO_WORKERS",
        "0",
        "must be a whole number from 1 to 256",
    );
    refused(
        "HEROLO_TOKEN_LIFETIME",
        "18446744073709551615",
        "must be a whole number from 1 to",
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

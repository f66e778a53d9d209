//! Random requests. `PROPTEST_CASES` sets the number of each kind; a failure prints the smallest request that fails.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::support::raw::{Received, exchange};
use crate::support::{Service, User};

/// Cases of each kind, unless `PROPTEST_CASES` is set.
const CASES: u32 = 100;

/// The requests with a body.
const WITH_BODY: [&str; 4] = [
    "POST /users",
    "POST /users/alice/token",
    "POST /users/alice/messages",
    "PATCH /users/alice/messages/1",
];

/// The names of all fields, and some unknown ones.
const FIELDS: [&str; 9] = [
    "username", "email", "password", "receiver", "subject", "message", "read", "", "id",
];

/// Meaningful values, valid or almost valid.
const VALUES: [&str; 12] = [
    r#""alice""#,
    r#""bob""#,
    r#""a@example.com""#,
    r#""password""#,
    "true",
    r#""true""#,
    r#""\"true\"""#,
    r#""\ud800""#,
    r#""\u0000""#,
    "1e999",
    "-0",
    "123456789012345678901234567890",
];

struct Fixture {
    runtime: Runtime,
    service: Service,
    alice: User,
}

impl Fixture {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (service, alice) = runtime.block_on(async {
            let (service, [alice]) = Service::with_users(["alice"]).await;
            alice.send(&alice, "one that is there").await;
            (service, alice)
        });
        Self {
            runtime,
            service,
            alice,
        }
    }

    /// Asserts that the service responds to random requests, and explains rejections.
    fn holds<S: Strategy>(&self, strategy: &S, request: impl Fn(S::Value, &str) -> Vec<u8>) {
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |_| config.cases);
        let mut runner = TestRunner::new(Config { cases, ..config });
        let outcome = runner.run(strategy, |value| {
            let bytes = request(value, &self.alice.token);
            let received = self.runtime.block_on(exchange(&self.service.url, &bytes));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            prop_assert!(is_answered(&received), "{text}\n{received:?}");
            Ok(())
        });
        if let Err(fault) = outcome {
            panic!("{fault}");
        }
        assert_eq!(
            self.runtime.block_on(self.service.get("/livez")).status,
            200
        );
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // The service, which uses the database in tasks of the runtime, ends before the database.
        let _inside = self.runtime.enter();
    }
}

fn is_answered(received: &Received) -> bool {
    received.status().is_some() && received.fault().is_none()
}

fn request(line: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Any JSON text: also with repeated keys, with numbers that fit no type, and deeply nested.
fn json() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|text| serde_json::Value::from(text).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i128>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        text,
        (1..400_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
    ];
    leaf.prop_recursive(4, 32, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8)
                .prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(&FIELDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let field = (name, value)
        .prop_map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)));
    prop::collection::vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

/// Letters of paths and queries, and characters with a meaning in them.
fn uri_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[!-~]{0,12}",
        2 => prop::sample::select(vec![
            "/", "//", "..", "%2f", "%00", "%ff", "%", "%zz", "&", "=", "?", "users", "alice", "messages", "token", "1",
            "unread", "per_page", "page", "before", "true", "\"true\"", "20", "-1", "+", ";", "[", "]",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

#[test]
fn any_json_in_any_body_is_answered() {
    let fixture = Fixture::new();
    let body = prop_oneof![json(), object(json())];
    let case = (prop::sample::select(&WITH_BODY[..]), body);

    fixture.holds(&case, |(line, body), token| request(line, token, &body));
}

#[test]
fn any_text_in_any_body_is_answered() {
    let fixture = Fixture::new();
    let case = (prop::sample::select(&WITH_BODY[..]), any::<String>());

    fixture.holds(&case, |(line, body), token| request(line, token, &body));
}

#[test]
fn any_query_is_answered() {
    let fixture = Fixture::new();

    fixture.holds(&uri_text(), |query, token| {
        request(&format!("GET /users/alice/messages?{query}"), token, "")
    });
}

#[test]
fn any_path_is_answered() {
    let fixture = Fixture::new();
    let method = prop::sample::select(vec!["GET", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"]);
    let start = prop::sample::select(vec![
        "/",
        "/users/",
        "/users/alice/",
        "/users/alice/messages/",
    ]);

    fixture.holds(
        &(method, start, uri_text()),
        |(method, start, path), token| request(&format!("{method} {start}{path}"), token, ""),
    );
}

#[test]
fn any_authorization_is_answered() {
    let fixture = Fixture::new();
    let text = prop_oneof![
        "[ -~]{0,60}",
        "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}",
        "\\PC{0,20}"
    ];
    let scheme = prop::sample::select(vec!["Bearer ", "bearer ", "Basic ", "Bearer", ""]);

    fixture.holds(&(scheme, text), |(scheme, text), _| {
        format!(
            "GET /users/alice/messages HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n\
             Authorization: {scheme}{text}\r\n\r\n"
        )
        .into_bytes()
    });
}

//! Headers of every response: restrictions for browsers, and access for web pages of other origins.

use reqwest::{Method, RequestBuilder};

use crate::support::raw::exchange;
use crate::support::{Answer, Herolo, Service, problem};

const APP: &str = "https://app.example.com";

#[track_caller]
fn assert_secure(answer: &Answer) {
    assert_secure_and(answer, "no-store");
}

/// Including the headers for caches.
#[track_caller]
fn assert_secure_and(answer: &Answer, caching: &str) {
    let expected = [
        (
            "Content-Security-Policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", caching),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), value, "{name} of {}", answer.text);
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}");
    }
}

#[tokio::test]
async fn every_answer_has_security_headers() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    // A browser may store a list for its user, and has to revalidate it before each use.
    assert_secure_and(&alice.get("/messages").await, "no-cache, private");
    assert_secure(&alice.get("/messages?page=0").await);
    assert_secure(&alice.read(1).await);
    for path in ["/livez", "/metrics", "/nowhere", "/users/alice", "/users"] {
        assert_secure(&service.get(path).await);
    }
    let form = service.request(Method::POST, "/users");
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    assert_secure(&Answer::of(form.body("a=b")).await);
}

/// Requests that Rocket cannot parse pass no fairing.
#[tokio::test]
async fn an_answer_to_an_unreadable_request_has_them_too() {
    let service = Service::start().await;
    let unread = "BREW".parse().expect("a method");
    assert_secure(&Answer::of(service.request(unread, "/users")).await);
}

fn from(request: RequestBuilder, origin: &str) -> RequestBuilder {
    request.header("Origin", origin)
}

fn preflight(service: &Service, path: &str, origin: &str) -> RequestBuilder {
    let request = from(service.request(Method::OPTIONS, path), origin);
    request
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "authorization")
}

fn names_of_cors(answer: &Answer) -> Vec<String> {
    let names = answer.headers.keys().map(ToString::to_string);
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[tokio::test]
async fn no_other_origin_may_read_anything_unless_told_so() {
    let service = Service::start().await;
    let answer = Answer::of(from(service.request(Method::GET, "/livez"), APP)).await;
    assert_eq!(names_of_cors(&answer), [""; 0]);
    let asked = Answer::of(preflight(&service, "/users/alice/messages/1", APP)).await;
    problem(&asked, 405);
    assert_eq!(names_of_cors(&asked), [""; 0]);
}

#[track_caller]
fn assert_lists(list: &str, names: &[&str]) {
    for name in names {
        assert!(list.split(", ").any(|one| one == *name), "{name}: {list}");
    }
}

/// Headers that a page must be able to send.
const SENT_HEADERS: [&str; 4] = [
    "Authorization",
    "Content-Encoding",
    "Idempotency-Key",
    "If-None-Match",
];
/// Headers that it must be able to read.
const READ_HEADERS: [&str; 6] = [
    "Accept-Encoding",
    "Link",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
];

#[tokio::test]
async fn a_listed_origin_may_use_the_api() {
    let list = format!("http://localhost:5173, {APP}");
    let service = Service::start_with(|config| config.cors_origins = list).await;
    let asked = Answer::of(preflight(&service, "/users/alice/messages/1", APP)).await;
    assert_eq!((asked.status, asked.text.as_str()), (204, ""));
    assert_eq!(asked.header("Access-Control-Allow-Origin"), APP);
    let methods = asked.header("Access-Control-Allow-Methods");
    assert_eq!(methods, "DELETE, GET, HEAD, PATCH");
    assert_lists(asked.header("Access-Control-Allow-Headers"), &SENT_HEADERS);
    assert!(
        asked
            .headers
            .get("Access-Control-Allow-Credentials")
            .is_none()
    );

    let refused = Answer::of(from(service.request(Method::GET, "/users/alice"), APP)).await;
    problem(&refused, 401);
    assert_eq!(
        refused.header("Access-Control-Allow-Origin"),
        APP,
        "errors can be read, too"
    );
    assert_lists(
        refused.header("Access-Control-Expose-Headers"),
        &READ_HEADERS,
    );
    assert_eq!(refused.header("Vary"), "Origin");
}

#[tokio::test]
async fn no_other_origin_may_use_the_api_than_those_that_are_listed() {
    let service = Service::start_with(|config| config.cors_origins = APP.to_owned()).await;
    for other in [
        "https://app.example.com.evil.example",
        "null",
        "http://app.example.com",
    ] {
        let asked = Answer::of(preflight(&service, "/users/alice/messages/1", other)).await;
        problem(&asked, 405);
        assert_eq!(names_of_cors(&asked), [""; 0], "{other}");
        assert_eq!(asked.header("Vary"), "Origin");
    }
    let nowhere = Answer::of(preflight(&service, "/nowhere", APP)).await;
    problem(&nowhere, 404);
}

#[tokio::test]
async fn all_origins_may_if_told_so() {
    let service = Service::start_with(|config| config.cors_origins = "all".to_owned()).await;
    let answer = Answer::of(from(service.request(Method::GET, "/livez"), APP)).await;
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "*");
    // A shared cache may serve the response to a request without an origin to a page.
    let plain = service.get("/service").await;
    assert_eq!(plain.header("Access-Control-Allow-Origin"), "*");
    assert_eq!(plain.header("Cache-Control"), "public, max-age=60");
}

/// The statuses of sends with these bytes as a header, and the number of messages that were sent.
async fn send_with(header: &[u8], times: usize) -> (Vec<String>, usize) {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let body = r#"{"receiver":"alice","subject":"s","message":"m"}"#;
    let head = format!(
        "POST /users/alice/messages HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n",
        alice.token,
        body.len()
    );
    let request = [head.as_bytes(), header, b"\r\n\r\n", body.as_bytes()].concat();
    let mut answers = Vec::new();
    for _ in 0..times {
        let answer = exchange(&service.url, &request).await;
        assert_eq!(answer.fault(), None, "{}", answer.text);
        answers.push(answer.text);
    }
    (answers, alice.inbox("").await.len())
}

#[tokio::test]
async fn a_header_that_changes_the_meaning_and_cannot_be_read_is_refused() {
    for header in [
        b"Idempotency-Key: \xe4".as_slice(),
        b"idempotency-key: one\r\nIDEMPOTENCY-KEY: \xe4",
        b"Content-Type: application/json; charset=\xe4",
        b"Content-Encoding: \xff",
        b"Last-Event-ID: \xff",
        b"Authorization: Bearer \xff",
        b"Authorization: Bearer x",
        b"Idempotency-Key: one\r\nIdempotency-Key: one",
        b"Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded",
        b"Last-Event-ID: 1\r\nLast-Event-ID: 2",
    ] {
        let name = String::from_utf8_lossy(header);
        let (answers, sent) = send_with(header, 2).await;
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
            let first = name.split(':').next().expect("a name").to_lowercase();
            assert!(
                answer.to_lowercase().contains(&first),
                "it is named: {answer}"
            );
        }
        assert_eq!(sent, 0, "{name}");
    }
}

#[tokio::test]
async fn a_header_that_means_nothing_to_the_service_may_be_of_any_bytes() {
    for header in [
        b"User-Agent: M\xfcller".as_slice(),
        b"Referer: https://example.com/\xe4",
        b"X-Request-Id: \xff",
        b"If-None-Match: \"\xe4\"",
        b"Cookie: a=\xff",
    ] {
        let (answers, sent) = send_with(header, 1).await;
        assert!(answers[0].starts_with("HTTP/1.1 201 "), "{}", answers[0]);
        assert_eq!(sent, 1);
    }
}

#[tokio::test]
async fn a_request_id_that_comes_twice_is_none() {
    let (answers, _) = send_with(b"X-Request-Id: one\r\nX-Request-Id: two", 1).await;
    let answer = answers[0].to_lowercase();
    assert!(answer.contains("x-request-id: "), "{answer}");
    assert!(
        !answer.contains("x-request-id: one") && !answer.contains("x-request-id: two"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_a_line_of_the_log() {
    let service = Service::start().await;
    let process = Herolo::on(&service.database.url()).serve().await;
    for (header, outcome) in [("Idempotency-Key", "refused"), ("User-Agent", "ignored")] {
        let request =
            format!("GET /livez HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n{header}: ");
        let request = [
            request.as_bytes(),
            b"\xe4\r\nX-Request-Id: ",
            outcome.as_bytes(),
            b"-1\r\n\r\n",
        ]
        .concat();
        exchange(process.url(), &request).await;
        process.until_log_says(outcome).await;
        let log = process.log();
        let line = log
            .lines()
            .find(|line| line.contains("not UTF-8") && line.contains(outcome));
        let line = line.expect("a line");
        assert!(line.contains(&format!("{outcome}-1")), "{line}");
        assert!(line.contains(&header.to_lowercase()), "{line}");
    }
}

#[tokio::test]
async fn headers_that_cannot_be_read_write_little_to_the_log() {
    let service = Service::start().await;
    let process = Herolo::on(&service.database.url()).serve().await;
    let mut request = b"GET /livez HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n".to_vec();
    for number in 0..20 {
        let name = format!("x-{number}-{}", "y".repeat(1_000));
        request.extend([name.as_bytes(), b": \xff\r\n"].concat());
    }
    request.extend(b"\r\n");

    exchange(process.url(), &request).await;
    process.until_log_says("not UTF-8").await;

    let log = process.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("not UTF-8"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("\"count\":20"), "{}", lines[0]);
    assert!(lines[0].len() < 1_000, "{}", lines[0]);
}

//! Headers of every answer: what browsers must not do with it, and which web pages may read it.

use reqwest::{Method, RequestBuilder};

use crate::support::{Answer, Service, problem};

const APP: &str = "https://app.example.com";

#[track_caller]
fn assert_secure(answer: &Answer) {
    assert_secure_and(answer, "no-store");
}

/// With what is said to caches.
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
async fn every_answer_says_what_browsers_must_not_do_with_it() {
    let service = Service::start().await;
    let alice = service.user("alice").await;
    // A browser may keep a list for its user, and has to ask before it shows it again.
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

/// What Rocket cannot read passes no fairing.
#[tokio::test]
async fn so_does_an_answer_to_what_cannot_be_read() {
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

#[tokio::test]
async fn a_listed_origin_may_use_the_api() {
    let list = format!("http://localhost:5173, {APP}");
    let service = Service::start_with(|config| config.cors_origins = list).await;
    let asked = Answer::of(preflight(&service, "/users/alice/messages/1", APP)).await;
    assert_eq!((asked.status, asked.text.as_str()), (204, ""));
    assert_eq!(asked.header("Access-Control-Allow-Origin"), APP);
    let methods = asked.header("Access-Control-Allow-Methods");
    assert_eq!(methods, "DELETE, GET, HEAD, PATCH");
    assert_lists(
        asked.header("Access-Control-Allow-Headers"),
        &["Authorization", "Idempotency-Key", "If-None-Match"],
    );
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
        &[
            "Link",
            "ETag",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
        ],
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
    let plain = service.get("/livez").await;
    assert_eq!(names_of_cors(&plain), [""; 0]);
}

//! Authorization: which tokens give access to which resources.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, SIGNING_KEY, Service, problem, token_keys, until};

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
}

/// The claims of a valid token of the first user of a database.
fn good_claims() -> Value {
    json!({
        "iss": "herolo", "aud": "herolo-api", "sub": "1", "iat": now(), "exp": now() + 600, "epoch": 0,
    })
}

fn good_header() -> Header {
    Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("test".to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

fn sign(header: &Header, claims: &Value, key: [u8; 32]) -> String {
    encode(header, claims, &EncodingKey::from_secret(&key)).expect("signed")
}

/// A token that is valid except for some claims; `null` removes a claim.
fn with_claims(changes: &Value) -> String {
    let mut claims = good_claims();
    let all = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            all.remove(name)
        } else {
            all.insert(name.clone(), value.clone())
        };
    }
    sign(&good_header(), &claims, SIGNING_KEY)
}

fn with_header(change: impl FnOnce(&mut Header)) -> String {
    let mut header = good_header();
    change(&mut header);
    sign(&header, &good_claims(), SIGNING_KEY)
}

/// A token with an invalid signature, for headers that the library refuses to sign.
fn unsigned(header: &Value) -> String {
    let encoded = |part: &Value| BASE64URL.encode(part.to_string());
    format!("{}.{}.", encoded(header), encoded(&good_claims()))
}

async fn status_with(service: &Service, authorization: &str) -> Answer {
    let request = service.request(Method::GET, "/users/alice/messages");
    Answer::of(request.header("Authorization", authorization)).await
}

#[tokio::test]
async fn a_request_without_a_token_says_how_to_get_one() {
    let service = Service::start().await;
    service.user("alice").await;
    for (method, path) in [
        (Method::GET, "/users/alice/messages"),
        (Method::POST, "/users/alice/messages"),
        (Method::GET, "/users/alice/messages/1"),
        (Method::PATCH, "/users/alice/messages/1"),
        (Method::DELETE, "/users/alice/messages/1"),
        (Method::GET, "/users/nobody/messages"),
    ] {
        let answer = Answer::of(service.request(method, path)).await;
        let document = problem(&answer, 401);
        assert_eq!(
            answer.header("WWW-Authenticate"),
            r#"Bearer realm="herolo""#,
            "{path}"
        );
        assert!(
            document["detail"]
                .as_str()
                .expect("text")
                .contains("/token")
        );
    }
}

#[tokio::test]
async fn a_token_made_as_the_service_makes_it_is_good() {
    let service = Service::start().await;
    service.user("alice").await;
    let token = sign(&good_header(), &good_claims(), SIGNING_KEY);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(
            status_with(&service, &format!("{scheme} {token}"))
                .await
                .status,
            200,
            "{scheme}"
        );
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_token_that_is_not_exactly_right_is_refused() {
    let service = Service::start().await;
    service.user("alice").await;
    let good = sign(&good_header(), &good_claims(), SIGNING_KEY);
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let cases = [
        ("another key", sign(&good_header(), &good_claims(), [8; 32])),
        (
            "an unknown key id",
            with_header(|header| header.kid = Some("other".to_owned())),
        ),
        (
            "a key id that is a path",
            with_header(|header| header.kid = Some("../../dev/null".to_owned())),
        ),
        (
            "a key id that is SQL",
            with_header(|header| header.kid = Some("test' OR '1'='1".to_owned())),
        ),
        ("no key id", with_header(|header| header.kid = None)),
        ("HS384", with_header(|header| header.alg = Algorithm::HS384)),
        ("HS512", with_header(|header| header.alg = Algorithm::HS512)),
        (
            "another type",
            with_header(|header| header.typ = Some("JWT".to_owned())),
        ),
        ("no type", with_header(|header| header.typ = None)),
        (
            "alg none",
            unsigned(&json!({"alg": "none", "typ": "at+jwt", "kid": "test"})),
        ),
        (
            "alg None",
            unsigned(&json!({"alg": "None", "typ": "at+jwt", "kid": "test"})),
        ),
        (
            "alg RS256",
            unsigned(&json!({"alg": "RS256", "typ": "at+jwt", "kid": "test"})),
        ),
        (
            "no algorithm",
            unsigned(&json!({"typ": "at+jwt", "kid": "test"})),
        ),
        ("over", with_claims(&json!({"exp": now() - 1}))),
        ("over for long", with_claims(&json!({"exp": 0}))),
        ("no end", with_claims(&json!({"exp": null}))),
        (
            "an end in words",
            with_claims(&json!({"exp": "9999999999"})),
        ),
        ("not begun", with_claims(&json!({"nbf": now() + 600}))),
        ("another issuer", with_claims(&json!({"iss": "other"}))),
        ("no issuer", with_claims(&json!({"iss": null}))),
        ("for somebody else", with_claims(&json!({"aud": "other"}))),
        ("for nobody", with_claims(&json!({"aud": null}))),
        ("nobody's", with_claims(&json!({"sub": null}))),
        ("an unknown user's", with_claims(&json!({"sub": "999"}))),
        ("a user by name", with_claims(&json!({"sub": "alice"}))),
        ("a negative user", with_claims(&json!({"sub": "-1"}))),
        (
            "a subject that is a number",
            with_claims(&json!({"sub": 1})),
        ),
        ("another epoch", with_claims(&json!({"epoch": 1}))),
        ("no epoch", with_claims(&json!({"epoch": null}))),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        (
            "a changed signature",
            format!("{head}.{}", BASE64URL.encode([0; 32])),
        ),
        ("not a token", "x".to_owned()),
        ("nothing", String::new()),
        ("long", "a".repeat(5_000)),
    ];
    for (reason, token) in cases {
        let answer = status_with(&service, &format!("Bearer {token}")).await;
        problem(&answer, 401);
        assert!(
            answer
                .header("WWW-Authenticate")
                .starts_with("Bearer realm=\"herolo\""),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn other_schemes_and_more_than_one_header_are_refused() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    for authorization in [
        format!("Basic {}", alice.token),
        alice.token.clone(),
        "Bearer".to_owned(),
    ] {
        problem(&status_with(&service, &authorization).await, 401);
    }
    let request = alice
        .request(Method::GET, "/messages")
        .header("Authorization", "Bearer x");
    let twice = Answer::of(request).await;
    let document = problem(&twice, 400);
    assert_eq!(document["type"], "urn:problem-type:herolo:malformed");
    assert!(document["detail"].to_string().contains("Authorization"));
}

#[tokio::test]
async fn a_path_of_another_user_is_forbidden_whether_or_not_they_exist() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let id = bob.send(&bob, "private").await;
    for (method, rest) in [
        (Method::GET, "messages".to_owned()),
        (Method::POST, "messages".to_owned()),
        (Method::GET, format!("messages/{id}")),
        (Method::PATCH, format!("messages/{id}")),
        (Method::DELETE, format!("messages/{id}")),
    ] {
        let mut documents = Vec::new();
        for name in ["bob", "nobody", "..x", "%00"] {
            let request = service.request(method.clone(), &format!("/users/{name}/{rest}"));
            let answer = Answer::of(request.bearer_auth(&alice.token)).await;
            problem(&answer, 403);
            documents.push(answer.text.replace(&format!("/users/{name}/"), "/users/?/"));
        }
        assert!(
            documents.windows(2).all(|pair| pair[0] == pair[1]),
            "{documents:?}"
        );
    }
    assert_eq!(bob.read(id).await.status, 200, "nothing happened to it");
}

#[tokio::test]
async fn the_name_in_the_path_may_be_in_any_case() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let request = service
        .request(Method::GET, "/users/ALICE/messages")
        .bearer_auth(&alice.token);
    assert_eq!(Answer::of(request).await.status, 200);
}

#[tokio::test]
async fn raising_the_epoch_revokes_every_token_at_once() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    assert_eq!(alice.get("/messages").await.status, 200);

    service
        .database
        .execute("UPDATE users SET token_epoch = token_epoch + 1")
        .await;

    problem(&alice.get("/messages").await, 401);
    let login = service
        .post(
            "/users/alice/token",
            &json!({"password": "password of alice"}),
        )
        .await;
    let renewed = format!(
        "Bearer {}",
        login.json["access_token"].as_str().expect("a token")
    );
    assert_eq!(status_with(&service, &renewed).await.status, 200);
}

#[tokio::test]
async fn a_token_ends_with_its_user_and_is_not_valid_for_the_next_one() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    service.database.execute("DELETE FROM users").await;
    problem(&alice.get("/messages").await, 401);

    service.user("alice").await;

    problem(&alice.get("/messages").await, 401);
}

#[tokio::test]
async fn a_token_ends_after_its_lifetime() {
    let service = Service::start_with(|config| config.token_lifetime = 2).await;
    let alice = service.user("alice").await;
    until("the token is over", async || {
        alice.get("/messages").await.status == 401
    })
    .await;
}

#[tokio::test]
async fn keys_roll_over_without_a_refused_token() {
    let (old, new) = (("test", SIGNING_KEY), ("new", [9; 32]));
    let (service, [alice]) = Service::with_users(["alice"]).await;

    let both = service
        .replica(|config| config.token_keys = token_keys(&[new, old]).into())
        .await;
    let only_new = service
        .replica(|config| config.token_keys = token_keys(&[new]).into())
        .await;

    let path = "/users/alice/messages";
    assert_eq!(
        both.get_as(&alice.token, path).await.status,
        200,
        "the old key verifies still"
    );
    problem(&only_new.get_as(&alice.token, path).await, 401);
    let login = both.client.post(format!("{}/users/alice/token", both.url));
    let login = Answer::of(login.json(&json!({"password": "password of alice"}))).await;
    let renewed = login.json["access_token"].as_str().expect("a token");
    assert_eq!(
        only_new.get_as(renewed, path).await.status,
        200,
        "the first key signs"
    );
}

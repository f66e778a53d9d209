//! A service that sends no mails.

use reqwest::Method;
use serde_json::json;

use super::service;
use crate::support::{Answer, Service, problem};

#[tokio::test]
async fn what_needs_mails_is_refused_before_its_body() {
    let service = Service::start().await;
    for (path, body) in [
        ("/password-resets", json!({"account": "alice"})),
        ("/password-resets", json!({})),
        (
            "/password-resets/completion",
            json!({"code": "x", "new_password": "a new pass phrase"}),
        ),
        ("/email-verifications/completion", json!({"code": "x"})),
    ] {
        let answer = service.post(path, &body).await;
        let document = problem(&answer, 403);
        assert_eq!(document["type"], "urn:problem-type:herolo:mail-off");
        let detail = document["detail"].to_string();
        assert!(detail.contains("operator"), "{detail}");
        let is_of_password = path.starts_with("/password-resets");
        assert_eq!(detail.contains("new password"), is_of_password, "{path}");
    }
}

#[tokio::test]
async fn an_address_is_never_verified_and_changed_at_once() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    for request in [
        alice.request(Method::POST, "/email-verifications"),
        alice
            .request(Method::PUT, "/unread-notices")
            .json(&json!({"after_minutes": 60})),
    ] {
        let refused = Answer::of(request).await;
        let document = problem(&refused, 403);
        assert_eq!(document["type"], "urn:problem-type:herolo:mail-off");
        let detail = document["detail"].to_string();
        assert!(detail.contains("operator"), "{detail}");
        assert!(!detail.contains("password"), "{detail}");
    }
    let body = json!({"password": "password of alice", "email": "a@example.org"});
    let changed = Answer::of(alice.request(Method::PUT, "/email").json(&body)).await;
    assert_eq!(
        changed.json,
        json!({"username": "alice", "email": "a@example.org"})
    );
    let account = alice.get("").await.json;
    assert_eq!(account["email_verified"], false);
    let any = "UPDATE mails SET attempts = attempts + 1";
    assert_eq!(service.database.execute(any).await, 0);
}

#[tokio::test]
async fn a_changed_password_adds_no_mail() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let body = json!({"password": "password of alice", "new_password": "a new pass phrase"});
    let request = alice.request(Method::PUT, "/password").json(&body);
    assert_eq!(Answer::of(request).await.status, 204);
    let any = "UPDATE mails SET attempts = attempts + 1";
    assert_eq!(service.database.execute(any).await, 0);
}

#[tokio::test]
async fn clients_can_learn_whether_mails_are_sent() {
    let (on, _smtp) = service().await;
    let off = Service::start().await;
    assert_eq!(
        on.get("/service").await.json,
        json!({"sign_ups": "open", "user_invitations": false, "mail": true})
    );
    assert_eq!(
        off.get("/service").await.json,
        json!({"sign_ups": "open", "user_invitations": false})
    );
}

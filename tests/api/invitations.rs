//! The policy of sign-ups, and invitations.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use herolo::config::SignUpPolicy;

use crate::support::{
    Answer, Herolo, Proxy, Service, TestDatabase, User, problem, statuses_at_once, until,
};

/// A service with this policy, on which users may make so many invitations.
async fn service(policy: SignUpPolicy, quota: u32) -> Service {
    Service::start_with(|config| {
        config.sign_ups = policy;
        config.user_invitations = quota;
    })
    .await
}

/// A service that requires invitations, and a user who signed up before it did.
async fn invited(quota: u32) -> (Service, User) {
    let service = service(SignUpPolicy::Invited, quota).await;
    let open = service.replica(|_| ()).await;
    let alice = User::sign_up(&open.url, "alice").await;
    let alice = User::new(&service.url, "alice", alice.token);
    (service, alice)
}

fn new_user(name: &str, code: Option<&str>) -> Value {
    let mut user = json!({"username": name, "email": format!("{name}@example.com"), "password": "correct horse"});
    if let Some(code) = code {
        user["invitation"] = json!(code);
    }
    user
}

async fn sign_up(service: &Service, name: &str, code: Option<&str>) -> Answer {
    service.post("/users", &new_user(name, code)).await
}

async fn invite(user: &User) -> Answer {
    Answer::of(user.request(Method::POST, "/invitations")).await
}

/// The code of a new invitation.
async fn code(user: &User) -> String {
    let invitation = invite(user).await;
    assert_eq!(invitation.status, 201, "{}", invitation.text);
    invitation.json["code"].as_str().expect("a code").to_owned()
}

/// Deletes a new invitation, and returns the status.
async fn delete(user: &User, invitation: &Answer) -> u16 {
    let path = invitation.header("Location");
    let path = path.replace(&format!("/users/{}", user.name), "");
    Answer::of(user.request(Method::DELETE, &path)).await.status
}

/// A new invitation as it is listed: without its code, which must be there.
fn without_code(invitation: &Answer) -> Value {
    let mut invitation = invitation.json.clone();
    let fields = invitation.as_object_mut().expect("an object");
    let code = fields.remove("code").expect("a code");
    assert_eq!(code.as_str().map(str::len), Some(26));
    invitation
}

#[track_caller]
fn refused(answer: &Answer, kind: &str) {
    let document = problem(answer, 403);
    assert_eq!(
        document["type"],
        format!("urn:problem-type:herolo:{kind}"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_closed_service_refuses_every_sign_up_before_its_body() {
    let service = service(SignUpPolicy::Closed, 0).await;
    for body in [new_user("bob", None), new_user("bob", Some("x")), json!({})] {
        refused(&service.post("/users", &body).await, "sign-ups-closed");
    }
}

#[tokio::test]
async fn a_sign_up_without_the_invitation_that_it_needs_is_refused() {
    let (service, _) = invited(0).await;
    refused(&sign_up(&service, "bob", None).await, "invitation-needed");
    let invalid = sign_up(&service, "x", None).await;
    problem(&invalid, 422);
}

#[tokio::test]
async fn a_code_makes_one_account() {
    let (service, alice) = invited(5).await;
    let code = code(&alice).await;

    let first = sign_up(&service, "bob", Some(&format!(" {} ", code.to_uppercase()))).await;
    let second = sign_up(&service, "carol", Some(&code)).await;

    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(
        first.json,
        json!({"username": "bob", "email": "bob@example.com"})
    );
    refused(&second, "invitation-invalid");
}

#[tokio::test]
async fn of_concurrent_sign_ups_with_one_code_exactly_one_succeeds() {
    let (service, alice) = invited(5).await;
    let code = code(&alice).await;
    let requests = (0..8).map(|index| {
        let body = new_user(&format!("user{index}"), Some(&code));
        service.request(Method::POST, "/users").json(&body)
    });
    let statuses = statuses_at_once(requests).await;
    assert_eq!(statuses, [201, 403, 403, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn a_wrong_a_used_an_expired_and_a_deleted_code_are_the_same() {
    let (service, alice) = invited(5).await;
    let (used, expired, deleted) = (code(&alice).await, code(&alice).await, invite(&alice).await);
    assert_eq!(sign_up(&service, "bob", Some(&used)).await.status, 201);
    assert_eq!(delete(&alice, &deleted).await, 204);
    let expiry = "UPDATE invitations SET expires_at = NOW(3) WHERE used_at IS NULL";
    assert_eq!(service.database.execute(expiry).await, 1);
    let deleted = deleted.json["code"].as_str().expect("a code");
    let mut answers = Vec::new();
    for code in ["wrong", "", "\u{1F511}", &used, &expired, deleted] {
        // Bob's name is taken, which only an invitation reveals.
        for name in ["bob", "nobod"] {
            let answer = sign_up(&service, name, Some(code)).await;
            refused(&answer, "invitation-invalid");
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_sign_up_that_fails_leaves_its_invitation_open() {
    let (service, alice) = invited(5).await;
    let code = code(&alice).await;

    let taken = sign_up(&service, "alice", Some(&code)).await;
    let reserved = sign_up(&service, "admin", Some(&code)).await;
    let long = sign_up(&service, "bob", Some(&"x".repeat(65))).await;
    let right = sign_up(&service, "bob", Some(&code)).await;

    problem(&taken, 409);
    problem(&reserved, 422);
    problem(&long, 422);
    assert_eq!(long.pointers(), ["#/invitation"]);
    assert_eq!(right.status, 201, "{}", right.text);
}

#[tokio::test]
async fn an_open_service_takes_codes_but_needs_none() {
    let service = service(SignUpPolicy::Open, 1).await;
    let alice = service.user("alice").await;
    let code = code(&alice).await;

    refused(
        &sign_up(&service, "bob", Some("wrong")).await,
        "invitation-invalid",
    );
    assert_eq!(sign_up(&service, "bob", Some(&code)).await.status, 201);
    refused(
        &sign_up(&service, "carol", Some(&code)).await,
        "invitation-invalid",
    );
    assert_eq!(sign_up(&service, "carol", None).await.status, 201);
}

#[tokio::test]
async fn an_invitation_is_listed_without_its_code_until_it_is_deleted() {
    let (service, alice) = invited(5).await;

    let first = invite(&alice).await;
    let second = invite(&alice).await;

    let id = &first.json["id"];
    assert_eq!(
        first.header("Location"),
        format!("/users/alice/invitations/{id}")
    );
    assert_eq!(first.header("Cache-Control"), "no-store");
    let listed = alice.get("/invitations").await;
    assert_eq!(
        listed.json,
        json!({"invitations": [without_code(&second), without_code(&first)]})
    );
    let delete = async |id: &str| {
        let path = format!("/invitations/{id}");
        Answer::of(alice.request(Method::DELETE, &path)).await
    };
    assert_eq!(delete(&id.to_string()).await.status, 204);
    for gone in [id.to_string(), "999999".to_owned(), "x".to_owned()] {
        problem(&delete(&gone).await, 404);
    }
    assert_eq!(
        alice.get("/invitations").await.json,
        json!({"invitations": [without_code(&second)]})
    );
    let code = second.json["code"].as_str().expect("a code");
    assert_eq!(sign_up(&service, "bob", Some(code)).await.status, 201);
    assert_eq!(
        alice.get("/invitations").await.json,
        json!({"invitations": []})
    );
}

#[tokio::test]
async fn an_invitation_belongs_to_its_inviter() {
    let service = service(SignUpPolicy::Open, 5).await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let invitation = invite(&alice).await;
    let path = format!("/invitations/{}", invitation.json["id"]);

    problem(&Answer::of(bob.request(Method::DELETE, &path)).await, 404);
    assert_eq!(
        bob.get("/invitations").await.json,
        json!({"invitations": []})
    );
    for (method, path) in [
        (Method::POST, "/users/alice/invitations".to_owned()),
        (Method::GET, "/users/alice/invitations".to_owned()),
        (Method::DELETE, format!("/users/alice{path}")),
    ] {
        let request = service.request(method, &path).bearer_auth(&bob.token);
        refused(&Answer::of(request).await, "other-user");
    }
    let left = alice.get("/invitations").await.json;
    assert_eq!(left["invitations"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn used_invitations_count_in_the_quota_and_deleted_ones_do_not() {
    let (service, alice) = invited(2).await;
    let code = code(&alice).await;
    assert_eq!(sign_up(&service, "bob", Some(&code)).await.status, 201);
    let second = invite(&alice).await;
    assert_eq!(second.status, 201);

    let third = invite(&alice).await;

    let document = problem(&third, 429);
    assert_eq!(document["type"], "urn:problem-type:herolo:too-many");
    let wait: u64 = third.header("Retry-After").parse().expect("seconds");
    let week = 7 * 24 * 60 * 60;
    assert!((week - 3_600..=week + 1).contains(&wait), "{wait}");
    assert_eq!(delete(&alice, &second).await, 204);
    assert_eq!(invite(&alice).await.status, 201);
    assert_eq!(invite(&alice).await.status, 429);
    // An hour before the first one expires.
    service
        .database
        .execute(
            "UPDATE invitations SET expires_at = NOW(3) + INTERVAL 1 HOUR WHERE used_at IS NOT NULL",
        )
        .await;
    let again = invite(&alice).await;
    let wait: u64 = again.header("Retry-After").parse().expect("seconds");
    assert!((3_000..=3_601).contains(&wait), "{wait}");
    service
        .database
        .execute("UPDATE invitations SET expires_at = NOW(3) WHERE used_at IS NOT NULL")
        .await;
    assert_eq!(invite(&alice).await.status, 201);
}

#[tokio::test]
async fn concurrent_requests_do_not_exceed_the_quota() {
    let (_service, alice) = invited(3).await;
    let asking = (0..10).map(|_| {
        let request = alice.request(Method::POST, "/invitations");
        tokio::spawn(Answer::of(request))
    });
    let mut invited = 0;
    for answer in asking.collect::<Vec<_>>() {
        match answer.await.expect("no panic").status {
            201 => invited += 1,
            status => assert_eq!(status, 429),
        }
    }
    assert_eq!(invited, 3);
}

#[tokio::test]
async fn users_invite_only_if_the_operator_lets_them() {
    let (_service, alice) = invited(0).await;
    refused(&invite(&alice).await, "invitations-off");
    assert_eq!(
        alice.get("/invitations").await.json,
        json!({"invitations": []})
    );
}

#[tokio::test]
async fn the_database_has_no_code() {
    let (service, alice) = invited(1).await;
    let code = code(&alice).await;
    let mut connection = service.database.connect().await;
    let row = sqlx::query("SELECT HEX(code_hash) AS hash, code_hash = UNHEX(SHA2(?, 256)) AS is_hash FROM invitations")
        .bind(&code)
        .fetch_one(&mut connection)
        .await
        .expect("an invitation");
    assert!(row.get::<bool, _>("is_hash"));
    assert_eq!(row.get::<String, _>("hash").len(), 64);
}

#[tokio::test]
async fn a_deleted_accounts_invitations_are_void_and_expired_ones_are_deleted() {
    let (service, alice) = invited(3).await;
    let open = code(&alice).await;
    invite(&alice).await;
    service
        .database
        .execute(
            "UPDATE invitations SET inviter_id = NULL, expires_at = NOW(3) - INTERVAL 1 SECOND \
             ORDER BY id DESC LIMIT 1",
        )
        .await;
    let export = alice.get("/export").await.json;
    assert_eq!(
        export["invitations"],
        alice.get("/invitations").await.json["invitations"]
    );
    assert_eq!(export["invitations"].as_array().map(Vec::len), Some(1));

    let deletion = json!({"password": "password of alice"});
    assert_eq!(alice.post("/deletion", &deletion).await.status, 204);

    refused(
        &sign_up(&service, "bob", Some(&open)).await,
        "invitation-invalid",
    );
    until("the expired one is deleted, too", async || {
        service
            .database
            .execute(
                "UPDATE invitations SET used_at = NULL, code_hash = code_hash, created_at = NOW(3)",
            )
            .await
            == 0
    })
    .await;
}

#[tokio::test]
async fn anyone_can_learn_the_policy_even_while_the_database_is_away() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;
    for (policy, quota, expected) in [
        (
            "open",
            "0",
            json!({"sign_ups": "open", "user_invitations": false}),
        ),
        (
            "invited",
            "3",
            json!({"sign_ups": "invited", "user_invitations": true}),
        ),
        (
            "closed",
            "0",
            json!({"sign_ups": "closed", "user_invitations": false}),
        ),
    ] {
        let herolo = Herolo::on(&proxy.url(&database))
            .set("HEROLO_SIGN_UPS", policy)
            .set("HEROLO_USER_INVITATIONS", quota);
        let process = herolo.serve().await;

        let answer = process.get("/service").await;

        assert_eq!((answer.status, &answer.json), (200, &expected));
        assert_eq!(answer.header("Cache-Control"), "public, max-age=60");
    }
}

//! Operations on one's account: password, address, tokens, export and deletion.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, DIGITS, NewMessage, Replica, Service, User, problem, until};

async fn two() -> (Service, User, User) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    (service, alice, bob)
}

fn password_of(user: &User) -> String {
    format!("password of {}", user.name)
}

async fn put(user: &User, path: &str, body: &Value) -> Answer {
    Answer::of(user.request(Method::PUT, path).json(body)).await
}

async fn log_in(service: &Service, name: &str, password: &str) -> Answer {
    service
        .post(
            &format!("/users/{name}/token"),
            &json!({"password": password}),
        )
        .await
}

/// The status of a login.
async fn login(service: &Service, name: &str, password: &str) -> u16 {
    log_in(service, name, password).await.status
}

fn at(replica: &Replica, user: &User) -> User {
    User::new(&replica.url, &user.name, user.token.clone())
}

/// Waits until the token is rejected, which must not take long on any replica.
async fn until_revoked(user: &User) {
    until("the token is refused", async || {
        user.get("/messages").await.status == 401
    })
    .await;
}

#[tokio::test]
async fn a_new_password_revokes_all_tokens_on_every_replica() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let elsewhere = at(&replica, &alice);
    assert_eq!(elsewhere.get("/messages").await.status, 200);

    let change = json!({"password": password_of(&alice), "new_password": "a new pass phrase"});
    let changed = put(&alice, "/password", &change).await;

    assert_eq!((changed.status, changed.text.as_str()), (204, ""));
    until_revoked(&alice).await;
    until_revoked(&elsewhere).await;
    assert_eq!(login(&service, "alice", &password_of(&alice)).await, 401);
    assert_eq!(login(&service, "alice", "a new pass phrase").await, 201);
    assert_eq!(bob.get("/messages").await.status, 200, "others keep theirs");
}

/// The requests for which a stolen token must not suffice, with this password.
fn requests_with(password: &str) -> [(Method, &'static str, Value); 3] {
    [
        (
            Method::PUT,
            "/password",
            json!({"password": password, "new_password": "the thief's own"}),
        ),
        (
            Method::PUT,
            "/email",
            json!({"password": password, "email": "thief@example.com"}),
        ),
        (Method::POST, "/deletion", json!({"password": password})),
    ]
}

#[tokio::test]
async fn a_stolen_token_alone_changes_nothing() {
    let (service, alice, _) = two().await;
    let before = alice.get("").await.json;
    for (method, path, body) in requests_with("not the password") {
        let refused = Answer::of(alice.request(method, path).json(&body)).await;
        let document = problem(&refused, 403);
        assert_eq!(
            document["type"], "urn:problem-type:herolo:password-wrong",
            "{path}"
        );
    }
    for path in ["/password", "/email"] {
        let body = json!({"new_password": "the thief's own", "email": "thief@example.com"});
        problem(&put(&alice, path, &body).await, 422);
    }
    problem(&alice.post("/deletion", &json!({})).await, 422);
    assert_eq!(alice.get("").await.json, before);
    assert_eq!(login(&service, "alice", &password_of(&alice)).await, 201);
}

#[tokio::test]
async fn the_password_alone_or_another_users_token_changes_nothing() {
    let (service, alice, bob) = two().await;
    for (method, path, body) in requests_with(&password_of(&alice)) {
        let url = format!("{}/users/alice{path}", service.url);
        let request = service.client.request(method, url).json(&body);
        let bare = Answer::of(request.try_clone().expect("no stream")).await;
        problem(&bare, 401);
        let of_bob = Answer::of(request.bearer_auth(&bob.token)).await;
        let document = problem(&of_bob, 403);
        assert_eq!(
            document["type"], "urn:problem-type:herolo:other-user",
            "{path}"
        );
    }
    for (method, path) in [(Method::DELETE, "tokens"), (Method::GET, "export")] {
        let url = format!("{}/users/alice/{path}", service.url);
        let request = service.client.request(method, url).bearer_auth(&bob.token);
        problem(&Answer::of(request).await, 403);
    }
    assert_eq!(alice.get("/messages").await.status, 200);
}

#[tokio::test]
async fn a_new_password_keeps_the_rules_of_passwords() {
    let (_service, alice, _) = two().await;
    for new in [
        "short",
        &"xyz.".repeat(33),
        "**********",
        "iloveyou",
        "Alice-26",
    ] {
        let change = json!({"password": password_of(&alice), "new_password": new});
        let refused = put(&alice, "/password", &change).await;
        problem(&refused, 422);
        assert_eq!(refused.pointers(), ["#/new_password"]);
    }
    assert_eq!(alice.get("/messages").await.status, 200);
}

#[tokio::test]
async fn a_new_password_is_more_than_the_mailbox() {
    let (_service, alice, _) = two().await;
    let email = json!({"password": password_of(&alice), "email": "al.liddell@example.com"});
    assert_eq!(put(&alice, "/email", &email).await.status, 200);

    let change = json!({"password": password_of(&alice), "new_password": "Al.Liddell1"});
    let refused = put(&alice, "/password", &change).await;

    problem(&refused, 422);
    assert_eq!(refused.pointers(), ["#/new_password"]);
    assert_eq!(alice.get("/messages").await.status, 200);
}

#[tokio::test]
async fn of_two_changes_of_a_password_at_once_one_succeeds() {
    let (service, alice, _) = two().await;
    let change = async |new: &str| {
        let body = json!({"password": password_of(&alice), "new_password": new});
        put(&alice, "/password", &body).await.status
    };
    let outcomes = tokio::join!(change("the first of two"), change("the second of two"));
    let logins = [
        login(&service, "alice", "the first of two").await,
        login(&service, "alice", "the second of two").await,
    ];
    match outcomes {
        (204, 401 | 403) => assert_eq!(logins, [201, 401]),
        (401 | 403, 204) => assert_eq!(logins, [401, 201]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn all_tokens_are_revoked_at_once_and_new_ones_are_to_be_had() {
    let (service, alice, bob) = two().await;
    let another = log_in(&service, "alice", &password_of(&alice)).await;
    let another = another.json["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let another = User::new(&service.url, "alice", another);
    let replica = service.replica(|_| ()).await;

    let revoked = Answer::of(alice.request(Method::DELETE, "/tokens")).await;

    assert_eq!((revoked.status, revoked.text.as_str()), (204, ""));
    for user in [&alice, &another, &at(&replica, &another)] {
        until_revoked(user).await;
    }
    assert_eq!(login(&service, "alice", &password_of(&alice)).await, 201);
    assert_eq!(bob.get("/messages").await.status, 200, "others keep theirs");
}

#[tokio::test]
async fn an_address_is_changed_to_one_that_is_free() {
    let (_service, alice, _) = two().await;
    let change = |email: &str| json!({"password": password_of(&alice), "email": email});

    let changed = put(&alice, "/email", &change("Alice@Example.ORG")).await;
    let spelt = put(&alice, "/email", &change("alice@example.org")).await;
    let taken = put(&alice, "/email", &change("BOB@example.com")).await;
    let wrong = put(&alice, "/email", &change("nowhere")).await;

    assert_eq!(
        changed.json,
        json!({"username": "alice", "email": "Alice@Example.ORG"})
    );
    assert_eq!(
        spelt.status, 200,
        "their own in another case: {}",
        spelt.text
    );
    problem(&taken, 409);
    assert_eq!(taken.pointers(), ["#/email"]);
    problem(&wrong, 422);
    assert_eq!(alice.get("").await.json["email"], "alice@example.org");
}

async fn delete(user: &User) -> Answer {
    user.post("/deletion", &json!({"password": password_of(user)}))
        .await
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sent_messages() {
    let (service, alice, bob) = two().await;
    let (to_bob, to_alice) = (alice.send(&bob, "1").await, bob.send(&alice, "2").await);
    let replica = service.replica(|_| ()).await;

    let deleted = delete(&alice).await;

    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    until_revoked(&alice).await;
    until_revoked(&at(&replica, &alice)).await;
    until("what it sent is gone", async || {
        bob.inbox("").await.is_empty()
    })
    .await;
    problem(&bob.read(to_bob).await, 404);
    let (left, nobody) = (
        log_in(&service, "alice", &password_of(&alice)).await,
        log_in(&service, "nobod", "password").await,
    );
    assert_eq!(
        (left.status, left.text.replace("alice", "nobod")),
        (401, nobody.text)
    );
    let new = NewMessage::to("alice").json();
    problem(&bob.post("/messages", &new).await, 422);
    let seen = bob.read(to_alice).await.json;
    let name = seen["receiver"].as_str().expect("a name");
    assert!(
        name.starts_with('~'),
        "the sender keeps what they sent, to nobody: {name}"
    );
    let left =
        "DELETE FROM users WHERE username = 'alice' OR email <> 'bob@example.com' AND email <> ''";
    assert_eq!(
        service.database.execute(left).await,
        0,
        "nothing of hers is left"
    );
}

#[tokio::test]
async fn a_reused_name_gives_no_access_to_its_previous_owners_data() {
    let (service, alice, bob) = two().await;
    bob.send(&alice, "for the first alice").await;
    assert_eq!(delete(&alice).await.status, 204);

    let second = service.user("alice").await;

    assert!(second.inbox("").await.is_empty());
    assert_eq!(second.get("").await.json["unread"], 0);
    until_revoked(&alice).await;
}

#[tokio::test]
async fn much_that_was_sent_is_cleared_away_little_by_little() {
    let (service, alice, bob) = two().await;
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350)";
    let alice_id = "(SELECT id FROM users WHERE username = 'alice')";
    let bob_id = "(SELECT id FROM users WHERE username = 'bob')";
    for statement in [
        format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) {numbers} \
             SELECT {alice_id}, 's', 'm', NOW(3) FROM n"
        ),
        format!("INSERT INTO receipts (receiver_id, message_id) SELECT {bob_id}, id FROM messages"),
    ] {
        assert_eq!(service.database.execute(statement).await, 350);
    }
    let answer = bob.send(&bob, "bob's own").await;

    assert_eq!(delete(&alice).await.status, 204);

    until("all is gone", async || bob.inbox("").await == [answer]).await;
}

#[tokio::test]
async fn large_deletions_keep_neither_other_jobs_nor_small_deletions_waiting() {
    let (service, alice, bob) = two().await;
    let carol = service.user("carol").await;
    carol.send(&bob, "the only one").await;
    let fill = format!(
        "INSERT INTO messages (sender_id, subject, body, created_at) SELECT users.id, username, 'm', NOW(3) \
         FROM users, {DIGITS} AS a, {DIGITS} AS b, {DIGITS} AS c, {DIGITS} AS d WHERE username <> 'carol'"
    );
    assert_eq!(service.database.execute(fill).await, 20_000);
    let old_key = "INSERT INTO idempotency_keys (user_id, idempotency_key, fingerprint, message_id, created_at) \
                   VALUES (1, 'old', REPEAT('x', 32), 1, UTC_TIMESTAMP(3) - INTERVAL 2 DAY)";
    assert_eq!(service.database.execute(old_key).await, 1);

    for user in [&alice, &bob, &carol] {
        assert_eq!(delete(user).await.status, 204);
    }

    until("the old key and the one message are deleted", async || {
        service.database.count("idempotency_keys").await == 0
            && service
                .database
                .count("messages WHERE subject NOT IN ('alice', 'bob')")
                .await
                == 0
    })
    .await;
    for subject in ["alice", "bob"] {
        let left = format!("messages WHERE subject = '{subject}'");
        assert!(service.database.count(&left).await > 0);
    }
    until("the large deletions go on", async || {
        service.database.count("messages").await < 14_000
    })
    .await;
}

#[tokio::test]
async fn an_export_has_everything_that_the_api_shows_and_nothing_else() {
    let (_service, alice, bob) = two().await;
    for number in 0..103 {
        alice.send(&bob, &number.to_string()).await;
    }
    let several =
        json!({"receivers": ["alice", "bob"], "subject": "\"quoted\" \u{1F511}", "message": "m"});
    alice.post("/messages", &several).await;
    bob.send(&alice, "answer").await;
    let account = alice.get("").await.json;

    let export = alice.get("/export").await;

    assert_eq!(export.status, 200);
    assert_eq!(export.header("Content-Type"), "application/json");
    assert_eq!(
        export.header("Content-Disposition"),
        "attachment; filename=\"herolo-alice.json\""
    );
    let everything = json!({
        "account": account,
        "invitations": [],
        "blocks": [],
        "received": everything(&alice, "").await,
        "sent": everything(&alice, "&box=sent").await,
    });
    assert_eq!(export.json["sent"].as_array().map(Vec::len), Some(104));
    assert_eq!(export.json, everything);
}

/// All pages of a mailbox, one after the other.
async fn everything(user: &User, query: &str) -> Vec<Value> {
    let (mut messages, mut next) = (Vec::new(), format!("/messages?per_page=40{query}"));
    loop {
        let page = user.get(&next).await.json;
        messages.extend(
            page["messages"]
                .as_array()
                .expect("messages")
                .iter()
                .cloned(),
        );
        let Some(following) = page["next"].as_str() else {
            break messages;
        };
        next = following.replace(&format!("/users/{}", user.name), "");
    }
}

#[tokio::test]
async fn an_empty_export_is_complete() {
    let (_service, alice, _) = two().await;
    let account = alice.get("").await.json;
    let export = alice.get("/export").await.json;
    assert_eq!(
        export,
        json!({"account": account, "invitations": [], "blocks": [], "received": [], "sent": []})
    );
}

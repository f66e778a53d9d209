//! Late writes: their body arrives slowly, or they wait for a lock, while the tokens of their user are revoked.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::Executor as _;
use sqlx::mysql::MySqlConnection;
use tokio::task::JoinHandle;

use crate::support::raw::{Connection, Received};
use crate::support::{Answer, NewMessage, Service, User, all, ask_all, problem, until};

/// A request whose body has arrived except for its last byte.
async fn begin(service: &Service, user: &User, request: &str, body: &str) -> Connection {
    let (most, _) = body.split_at(body.len() - 1);
    let mut connection = Connection::open(&service.url).await;
    let head = format!(
        "{} HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\n\r\n{most}",
        request.replace("USER", &user.name),
        user.token,
        body.len(),
    );
    connection.send(head.as_bytes()).await;
    connection
}

async fn end(mut connection: Connection, body: &str) -> Received {
    connection.send(&body.as_bytes()[body.len() - 1..]).await;
    connection.finish().await
}

fn new(receiver: &str) -> String {
    NewMessage::to(receiver).subject("late").json().to_string()
}

#[tokio::test]
async fn a_body_that_arrives_after_a_revocation_changes_nothing() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let received = bob.send(&alice, "to be marked").await;
    let mark = format!("PATCH /users/USER/messages/{received}");
    let password = "password of alice";
    let email = json!({"email": "new@example.com", "password": password}).to_string();
    let change = json!({"password": password, "new_password": "a new pass phrase"}).to_string();
    let claim = json!({"password": password}).to_string();
    let requests = [
        ("POST /users/USER/messages", new("bob")),
        (&mark, json!({"read": true}).to_string()),
        (
            "PATCH /users/USER/messages",
            json!({"read": true, "until": received}).to_string(),
        ),
        ("PUT /users/USER/email", email),
        ("PUT /users/USER/password", change),
        ("POST /users/USER/deletion", claim),
    ];
    let mut begun = Vec::new();
    for (request, body) in &requests {
        begun.push(begin(&service, &alice, request, body).await);
    }
    // Each has passed the check of the token, which is not repeated if the body arrives promptly.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let revoked = Answer::of(alice.request(Method::DELETE, "/tokens")).await;
    assert_eq!(revoked.status, 204);

    for (connection, (request, body)) in begun.into_iter().zip(&requests) {
        let late = end(connection, body).await;
        assert_eq!(late.status(), Some(401), "{request}: {}", late.text);
        assert!(late.body().contains("token-invalid"), "{}", late.text);
    }
    assert!(bob.inbox("").await.is_empty());
    let claim = json!({"password": password});
    let login = service.post("/users/alice/token", &claim).await;
    let token = login.json["access_token"].as_str();
    let token = token.expect("the password is the old one").to_owned();
    let alice = User::new(&service.url, "alice", token);
    assert_eq!(alice.read(received).await.json["read"], false);
    assert_eq!(alice.get("").await.json["email"], "alice@example.com");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_a_408_and_closes_the_connection() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let account =
        json!({"username": "carol", "email": "carol@example.com", "password": "a pass phrase"});
    let claim = json!({"password": "password of alice"}).to_string();
    let mut begun = Vec::new();
    for (request, body) in [
        ("POST /users/USER/messages", new("alice")),
        ("POST /users", account.to_string()),
        ("POST /users/USER/token", claim.clone()),
        ("POST /users/USER/deletion", claim),
    ] {
        let mut connection = begin(&service, &alice, request, &body).await;
        let answered = async move {
            connection.read_until("}").await;
            connection.finish().await
        };
        begun.push(tokio::spawn(answered));
    }
    for answered in begun {
        let answer = answered.await.expect("an answer");
        assert_eq!(answer.status(), Some(408), "{}", answer.text);
        assert_eq!(answer.fault(), None, "{}", answer.text);
        assert_eq!(answer.header("Connection"), Some("close"));
        assert!(answer.body().contains("within 8 s"), "{}", answer.text);
    }
    assert!(alice.inbox("").await.is_empty());
}

/// Another session with an uncommitted transaction, which has changed or locked rows.
async fn changing(service: &Service, change: &'static str) -> MySqlConnection {
    let mut session = service.database.connect().await;
    for statement in ["BEGIN", change] {
        session.execute(statement).await.expect("nobody else does");
    }
    session
}

/// Waits until this number of statements waits for a lock.
async fn until_waiting(service: &Service, count: i64) {
    until("they wait for the lock", async || {
        let mut session = service.database.connect().await;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM performance_schema.data_locks WHERE object_schema = ? AND lock_status = 'WAITING'",
        )
        .bind(service.database.name())
        .fetch_one(&mut session)
        .await
        .expect("the administrator may look");
        waiting >= count
    })
    .await;
}

fn send(user: &User, receivers: &serde_json::Value, key: Option<&str>) -> JoinHandle<Answer> {
    let mut body = json!({"subject": "late", "message": "m"});
    let field = if receivers.is_array() {
        "receivers"
    } else {
        "receiver"
    };
    body[field] = receivers.clone();
    let mut request = user.request(Method::POST, "/messages").json(&body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    tokio::spawn(Answer::of(request))
}

/// For every kind of send: the statement that inserts a message sees the revocation that it waited for.
#[tokio::test]
async fn no_message_is_committed_after_its_senders_tokens_were_revoked() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let revocation = "UPDATE users SET token_epoch = token_epoch + 1 WHERE username = 'alice'";
    let mut session = changing(&service, revocation).await;
    let sends = [
        send(&alice, &json!("bob"), None),
        send(&alice, &json!(["bob", "alice"]), None),
        send(&alice, &json!("bob"), Some("one")),
        send(&alice, &json!(["bob", "alice"]), Some("several")),
    ];
    until_waiting(&service, 4).await;
    session.execute("COMMIT").await.expect("it is its own");

    for sent in all(sends.into()).await {
        problem(&sent, 401);
    }
    assert!(bob.inbox("").await.is_empty());
}

#[tokio::test]
async fn a_batch_of_sends_leaves_out_those_of_a_deleted_account() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let carol = service.user("carol").await;
    let sending = |user: &User| {
        let new = NewMessage::to("bob").json();
        user.request(Method::POST, "/messages").json(&new)
    };
    // Blocks the insertion of messages.
    let mut session = changing(&service, "SELECT id FROM messages WHERE id > 0 FOR UPDATE").await;
    // The maximum number of concurrent transactions, each with several messages; further sends queue up.
    let mut others = Vec::new();
    for _ in 0..6 {
        others.extend(ask_all((0..3).map(|_| sending(&carol))));
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    let asked = ask_all((0..6).map(|_| sending(&alice)));
    tokio::time::sleep(Duration::from_millis(70)).await;
    let deletion = "UPDATE users SET username = CONCAT('~', id), token_epoch = token_epoch + 1 \
                    WHERE username = 'alice'";
    assert_eq!(service.database.execute(deletion).await, 1);
    session.execute("COMMIT").await.expect("it is its own");

    for answer in all(asked).await {
        problem(&answer, 401);
    }
    for answer in all(others).await {
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(bob.inbox("?per_page=100").await.len(), 18);
}

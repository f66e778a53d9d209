//! What a replica commits wakes its own tailer: its event streams tell it without waiting for the next round.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{Answer, Event, Listener, NewMessage, Service, User, a_few_at_once, at_once};

/// A service without rounds, and a stream of bob, without which nothing is read.
async fn start() -> (Service, User, User, Listener) {
    let service = Service::without_rounds().await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let listener = Listener::of(&bob).await;
    (service, alice, bob, listener)
}

async fn next(listener: &mut Listener) -> Event {
    listener.next().await.expect("the stream goes on")
}

async fn next_change(listener: &mut Listener) -> (String, Value) {
    let Event { name, data, .. } = next(listener).await;
    (name, data)
}

/// The id of the message that is sent, after its event has arrived.
async fn send(alice: &User, listener: &mut Listener, new: NewMessage) -> u64 {
    let sent = alice.post("/messages", &new.json()).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    let id = next(listener).await.message();
    assert_eq!(sent.json["id"], id);
    id
}

#[tokio::test]
async fn every_kind_of_send_wakes_the_tailer() {
    let (_service, alice, _bob, mut listener) = start().await;
    let first = send(&alice, &mut listener, NewMessage::to("bob")).await;
    let several = NewMessage::to_several(&["alice", "bob"]);
    send(&alice, &mut listener, several).await;
    let reply = NewMessage::to("bob").with("in_reply_to", first);
    send(&alice, &mut listener, reply).await;

    let keyed = alice.request(Method::POST, "/messages");
    let keyed = keyed.header("Idempotency-Key", "\"once\"");
    let sent = Answer::of(keyed.json(&NewMessage::to("bob").json())).await;
    assert_eq!(sent.json["id"], next(&mut listener).await.message());
}

#[tokio::test]
async fn every_kind_of_change_wakes_the_tailer() {
    let (_service, alice, bob, mut listener) = start().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(send(&alice, &mut listener, NewMessage::to("bob")).await);
    }
    let marked = |ids: &[u64], read| ("marked".to_owned(), json!({"ids": ids, "read": read}));
    let deleted = |ids: &[u64]| ("deleted".to_owned(), json!({"ids": ids}));

    assert_eq!(bob.mark(ids[0], true).await.status, 200);
    assert_eq!(next_change(&mut listener).await, marked(&ids[..1], true));
    assert_eq!(bob.mark(ids[0], false).await.status, 200);
    assert_eq!(next_change(&mut listener).await, marked(&ids[..1], false));
    let several = json!({"ids": ids, "read": true});
    assert_eq!(bob.patch("/messages", &several).await.status, 200);
    assert_eq!(next_change(&mut listener).await, marked(&ids, true));
    assert_eq!(bob.delete(ids[0]).await.status, 204);
    assert_eq!(next_change(&mut listener).await, deleted(&ids[..1]));
    assert_eq!(alice.delete(ids[1]).await.status, 204);
    assert_eq!(next_change(&mut listener).await, deleted(&ids[1..2]));

    let body = json!({"password": "password of alice"});
    let gone = Answer::of(alice.request(Method::POST, "/deletion").json(&body)).await;
    assert_eq!(gone.status, 204);
    assert_eq!(next_change(&mut listener).await, deleted(&ids[2..]));
}

/// How often a statement whose text has this part was executed on the database.
async fn executions(service: &Service, part: &str) -> i64 {
    let count = sqlx::query(
        "SELECT CAST(COALESCE(SUM(count_star), 0) AS SIGNED) \
         FROM performance_schema.events_statements_summary_by_digest \
         WHERE schema_name = ? AND digest_text LIKE ? AND digest_text NOT LIKE 'PREPARE %'",
    )
    .bind(service.database.name())
    .bind(part)
    .fetch_one(&mut service.database.connect().await)
    .await;
    count.expect("the performance schema is on").get(0)
}

/// Reads of new messages since the service started.
async fn polls(service: &Service) -> i64 {
    executions(
        service,
        "SELECT `message_id` , `receiver_id` %`message_id` > ?%",
    )
    .await
}

#[tokio::test]
async fn a_batch_of_sends_is_read_once_at_most() {
    // No more than a stream can queue: one that overflows waits for a round.
    const SENDS: usize = 60;
    let (service, alice, _bob, mut listener) = start().await;
    let before = executions(&service, "COMMIT").await;
    let sending = |_| {
        let request = alice.request(Method::POST, "/messages");
        request.json(&NewMessage::to("bob").json())
    };
    let answers = at_once(&service.database, "messages", (0..SENDS).map(sending)).await;
    let sent = answers.iter().filter(|answer| answer.status == 201).count();
    for _ in 0..sent {
        next(&mut listener).await.message();
    }
    let commits = executions(&service, "COMMIT").await - before;
    let read = polls(&service).await;
    // The first round is none of a commit.
    assert!(read <= commits + 1, "{read} reads of {commits} commits");
}

#[tokio::test]
async fn nothing_is_read_while_nobody_listens() {
    let service = Service::without_rounds().await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let sending = (0..50).map(|_| {
        let request = alice.request(Method::POST, "/messages");
        request.json(&NewMessage::to(&bob.name).json())
    });
    for sent in a_few_at_once(sending).await {
        assert_eq!(sent.status, 201, "{}", sent.text);
    }
    assert_eq!(polls(&service).await, 0);
}

//! Retries of sends: whatever is lost in transit, the message is sent once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{
    AHEAD, Answer, Herolo, NewMessage, Proxy, Service, User, at_once, problem, until,
};

fn message(subject: &str) -> Value {
    NewMessage::to("bob").subject(subject).json()
}

async fn send(user: &User, key: &str, body: &Value) -> Answer {
    try_to_send(user, key, body)
        .await
        .expect("the service answers")
}

/// `None` if no response arrives.
async fn try_to_send(user: &User, key: &str, body: &Value) -> Option<Answer> {
    let request = user.request(Method::POST, "/messages").json(body);
    let response = request.header("Idempotency-Key", key).send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.ok()?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Some(Answer {
        status,
        headers,
        text,
        json,
    })
}

/// Retries a send, like a client, until the response is not a 503.
async fn send_until_answered(user: User, key: String) -> u64 {
    loop {
        match try_to_send(&user, &key, &message(&key)).await {
            Some(answer) if answer.status == 201 => {
                break answer.json["id"].as_u64().expect("an id");
            }
            Some(answer) => assert_eq!(answer.status, 503, "{}", answer.text),
            None => {}
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn two() -> (Service, User, User) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    (service, alice, bob)
}

#[tokio::test]
async fn a_repeated_send_gets_the_same_answer_and_sends_nothing() {
    let (service, alice, bob) = two().await;
    let first = send(&alice, "one", &message("s")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let id = first.json["id"].as_u64().expect("an id");
    let replica = service.replica(|_| ()).await;
    let elsewhere = User::new(&replica.url, "alice", alice.token.clone());

    bob.mark(id, true).await;
    // The same values in a different spelling.
    let spelt = json!({"message": "m", "subject": "s", "receiver": "BOB"});
    let read = send(&elsewhere, "one", &spelt).await;
    alice.delete(id).await;
    let deleted = send(&alice, "one", &message("s")).await;

    for again in [read, deleted] {
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.header("Location"), first.header("Location"));
    }
    assert!(bob.inbox("").await.is_empty());
    assert_eq!(service.database.execute("DELETE FROM messages").await, 0);
}

async fn leave(user: &User) {
    let password = json!({"password": format!("password of {}", user.name)});
    assert_eq!(user.post("/deletion", &password).await.status, 204);
}

#[tokio::test]
async fn a_repeated_send_gets_the_first_answer_after_its_receivers_left() {
    let (service, alice, bob) = two().await;
    let carol = service.user("carol").await;
    let to_several = NewMessage::to_several(&["bob", "carol"]).json();
    let first = [
        send(&alice, "one", &message("s")).await,
        send(&alice, "several", &to_several).await,
    ];
    let again = async || {
        [
            send(&alice, "one", &message("s")).await,
            send(&alice, "several", &to_several).await,
        ]
    };
    let assert_first = |answers: [Answer; 2]| {
        for (again, first) in answers.iter().zip(&first) {
            assert_eq!((again.status, &again.text), (201, &first.text));
        }
    };

    leave(&bob).await;
    assert_first(again().await);
    let other = problem(&send(&alice, "one", &message("another")).await, 422)["type"].clone();
    assert_eq!(other, "urn:problem-type:herolo:key-reused");

    let second = service.user("bob").await;
    assert_first(again().await);
    leave(&carol).await;
    assert_first(again().await);

    assert!(second.inbox("").await.is_empty(), "it is another bob");
    // A deleted account cannot send, regardless of its keys.
    leave(&alice).await;
    problem(&send(&alice, "one", &message("s")).await, 401);
}

/// The next id that will be assigned.
async fn next_id(alice: &User, bob: &User) -> u64 {
    let id = alice.send(bob, "the next").await;
    assert_eq!(alice.delete(id).await.status, 204);
    id
}

#[tokio::test]
async fn a_refused_send_uses_no_id() {
    let (service, alice, bob) = two().await;
    assert_eq!(send(&alice, "used", &message("s")).await.status, 201);
    let before = next_id(&alice, &bob).await;
    let receivers = |names: &[&str]| NewMessage::to_several(names).json();
    let to_nobody = NewMessage::to("nobody").json();
    for _ in 0..3 {
        assert_eq!(send(&alice, "used", &message("s")).await.status, 201);
        for (key, body) in [
            ("used", message("another")),
            ("new", to_nobody.clone()),
            ("new", receivers(&["bob", "nobody"])),
        ] {
            problem(&send(&alice, key, &body).await, 422);
        }
        for body in [
            &to_nobody,
            &receivers(&["bob", "nobody"]),
            &receivers(&["nobody"]),
        ] {
            problem(&alice.post("/messages", body).await, 422);
        }
    }
    // Also for concurrent sends.
    let sends = (0..AHEAD + 20).map(|_| alice.request(Method::POST, "/messages").json(&to_nobody));
    for answer in at_once(&service.database, "users", sends).await {
        problem(&answer, 422);
    }
    assert_eq!(next_id(&alice, &bob).await, before + 1);
}

#[tokio::test]
async fn a_key_is_for_one_message_of_one_user() {
    let (_service, alice, bob) = two().await;
    let first = send(&alice, "one", &message("s")).await;
    for other in [
        message("another"),
        NewMessage::to_several(&["bob", "alice"]).json(),
    ] {
        let refused = send(&alice, "one", &other).await;
        let document = problem(&refused, 422);
        assert_eq!(document["type"], "urn:problem-type:herolo:key-reused");
    }
    let of_another_user = send(&bob, "one", &message("s")).await;
    let with_another_key = send(&alice, "ONE", &message("s")).await;
    let ids: BTreeSet<_> = [&first, &of_another_user, &with_another_key]
        .map(|answer| answer.json["id"].as_u64().expect("an id"))
        .into();
    assert_eq!(ids.len(), 3);
    assert_eq!(bob.inbox("").await.len(), 3);
}

#[tokio::test]
async fn a_send_that_was_refused_leaves_its_key_free() {
    let (_service, alice, bob) = two().await;
    let wrong = NewMessage::to("nobody").json();
    problem(&send(&alice, "one", &wrong).await, 422);
    assert_eq!(send(&alice, "one", &message("s")).await.status, 201);
    assert_eq!(bob.inbox("").await.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_one_is_refused() {
    let (_service, alice, bob) = two().await;
    for key in ["", "a b", "\u{e4}", &"k".repeat(256)] {
        let refused = send(&alice, key, &message("s")).await;
        let document = problem(&refused, 400);
        let detail = document["detail"].as_str().expect("a text");
        assert!(
            detail.contains("Idempotency-Key must be 1 to 255"),
            "{detail}"
        );
    }
    let request = alice.request(Method::POST, "/messages").json(&message("s"));
    let twice = request
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    problem(&Answer::of(twice).await, 400);
    assert!(bob.inbox("").await.is_empty());
    for key in ["!", "~", &"k".repeat(255)] {
        assert_eq!(send(&alice, key, &message("s")).await.status, 201, "{key}");
    }
}

#[tokio::test]
async fn of_many_at_once_one_is_sent_and_all_get_its_answer() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let elsewhere = User::new(&replica.url, "alice", alice.token.clone());
    for round in 0..5 {
        let mut sends = JoinSet::new();
        for number in 0..20 {
            let user = if number % 2 == 0 { &alice } else { &elsewhere }.clone();
            sends.spawn(async move { send(&user, &format!("key-{round}"), &message("s")).await });
        }
        let answers = sends.join_all().await;
        assert!(
            answers.iter().all(|answer| answer.status == 201),
            "{answers:?}"
        );
        assert!(
            answers.iter().all(|answer| answer.text == answers[0].text),
            "{answers:?}"
        );
    }
    assert_eq!(bob.inbox("").await.len(), 5);
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_sends_no_second_message() {
    let (service, alice, bob) = two().await;
    let proxy = Proxy::before(&service.url).await;
    let by_proxy = User::new(&proxy.http_url(), "alice", alice.token.clone());

    proxy.mute();
    let sending = tokio::spawn(async move { try_to_send(&by_proxy, "one", &message("s")).await });
    until("the message is there", async || {
        !bob.inbox("").await.is_empty()
    })
    .await;
    proxy.cut();
    let lost = sending.await.expect("no panic");
    let again = send(&alice, "one", &message("s")).await;

    assert!(lost.is_none(), "{lost:?}");
    assert_eq!(again.status, 201, "{}", again.text);
    let sent = again.json["id"].as_u64().expect("an id");
    assert_eq!(bob.inbox("").await, [sent]);
}

/// Asserts that each message of the keys exists once, with the id in the response.
async fn assert_each_there_once(bob: &User, keys: usize, mut answered: Vec<u64>) {
    let (mut inbox, mut next) = (Vec::new(), "/messages?per_page=100".to_owned());
    loop {
        let page = bob.get(&next).await.json;
        let messages = page["messages"].as_array().expect("messages").iter();
        inbox.extend(messages.map(|message| {
            let subject = message["subject"].as_str().expect("a subject").to_owned();
            (message["id"].as_u64().expect("an id"), subject)
        }));
        let Some(following) = page["next"].as_str() else {
            break;
        };
        next = following.replace("/users/bob", "");
    }
    let subjects: BTreeSet<_> = inbox.iter().map(|(_, subject)| subject).collect();
    assert_eq!((inbox.len(), subjects.len()), (keys, keys), "each once");
    let mut ids: Vec<_> = inbox.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    answered.sort_unstable();
    assert_eq!(ids, answered);
}

/// What several senders share.
#[derive(Default)]
struct Sending {
    answered: AtomicUsize,
    is_over: AtomicBool,
}

/// Sends one message after the other until the end; returns the ids in the responses.
async fn keep_sending(user: User, worker: usize, sending: Arc<Sending>) -> Vec<u64> {
    let mut answered = Vec::new();
    while !sending.is_over.load(Ordering::Relaxed) {
        let key = format!("key-{worker}-{}", answered.len());
        answered.push(send_until_answered(user.clone(), key).await);
        sending.answered.fetch_add(1, Ordering::Relaxed);
    }
    answered
}

/// The maximum number of times that the connections are cut.
const MAX_CUTS: u32 = 200;

#[tokio::test]
async fn sends_over_cut_database_connections_arrive_once() {
    let (service, alice, bob) = two().await;
    let proxy = Proxy::start().await;
    let replica = service.replica(|config| proxy.redirect(config)).await;
    let by_proxy = User::new(&replica.url, "alice", alice.token.clone());

    let sending = Arc::new(Sending::default());
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(keep_sending(by_proxy.clone(), worker, sending.clone()));
    }
    // On a busy machine little is sent between two cuts.
    let is_enough = |cuts| cuts >= 12 && sending.answered.load(Ordering::Relaxed) > 20;
    for _ in (0..MAX_CUTS).take_while(|cuts| !is_enough(*cuts)) {
        sleep(Duration::from_millis(300)).await;
        // The response to the last commit is lost.
        proxy.mute();
        sleep(Duration::from_millis(20)).await;
        proxy.cut();
        proxy.pass().await;
    }
    sending.is_over.store(true, Ordering::Relaxed);
    let answered = workers.join_all().await.concat();

    assert!(
        answered.len() > 20,
        "messages were sent: {}",
        answered.len()
    );
    assert_each_there_once(&bob, answered.len(), answered).await;
}

#[tokio::test]
async fn sends_to_replicas_that_are_killed_arrive_once() {
    const ROUNDS: usize = 4;
    const SENDS: usize = 16;
    let (service, alice, bob) = two().await;
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let process = Herolo::on(&service.database.url()).serve().await;
        process.until_ready().await;
        // No response arrives, whether or not the send was committed.
        let proxy = Proxy::before(process.url()).await;
        proxy.mute();
        let to_be_killed = User::new(&proxy.http_url(), "alice", alice.token.clone());
        let mut sends = JoinSet::new();
        for number in 0..SENDS {
            let (first, then) = (to_be_killed.clone(), alice.clone());
            let key = format!("key-{round}-{number}");
            sends.spawn(async move {
                let _ = try_to_send(&first, &key, &message(&key)).await;
                send_until_answered(then, key).await
            });
        }
        sleep(Duration::from_millis(20 * round as u64)).await;
        process.signal(Signal::KILL);
        proxy.cut();
        answered.extend(sends.join_all().await);
    }

    assert_each_there_once(&bob, ROUNDS * SENDS, answered).await;
}

#[tokio::test]
async fn keys_are_kept_for_a_day_and_then_forgotten() {
    let (service, alice, bob) = two().await;
    send(&alice, "young", &message("s")).await;
    send(&alice, "old", &message("s")).await;
    for (key, hours) in [("young", 24), ("old", 26)] {
        let age = format!(
            "UPDATE idempotency_keys SET created_at = UTC_TIMESTAMP(3) - INTERVAL {hours} HOUR \
             WHERE idempotency_key = '{key}'"
        );
        assert_eq!(service.database.execute(age).await, 1);
    }
    service
        .database
        .execute(
            "INSERT INTO idempotency_keys SELECT user_id, CONCAT('old-', n), fingerprint, message_id, created_at \
             FROM idempotency_keys, (WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) \
             SELECT n FROM n) AS numbers WHERE idempotency_key = 'old'",
        )
        .await;

    let replica = service.replica(|_| ()).await;
    until("the old keys are forgotten", async || {
        service.database.count("idempotency_keys").await == 1
    })
    .await;
    drop(replica);

    assert_eq!(send(&alice, "young", &message("s")).await.status, 201);
    assert_eq!(
        bob.inbox("").await.len(),
        2,
        "the young one is not sent again"
    );
    assert_eq!(send(&alice, "old", &message("s")).await.status, 201);
    assert_eq!(bob.inbox("").await.len(), 3, "the old one is");
}

//! Event streams tell which messages were marked or deleted, at any replica, each change exactly once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{
    Answer, Event, Listener, NewMessage, PATIENCE, Replica, Service, User, position, until,
};

async fn two() -> (Service, User, User) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    (service, alice, bob)
}

fn at(replica: &Replica, user: &User) -> User {
    User::new(&replica.url, &user.name, user.token.clone())
}

/// The next event that is not a `message`.
async fn next_change(listener: &mut Listener) -> Event {
    loop {
        let event = listener.next().await.expect("the stream goes on");
        if event.name != "message" {
            return event;
        }
    }
}

fn marked(ids: &[u64], read: bool) -> (String, Value) {
    ("marked".to_owned(), json!({"ids": ids, "read": read}))
}

fn deleted(ids: &[u64]) -> (String, Value) {
    ("deleted".to_owned(), json!({"ids": ids}))
}

/// The next events that are not `message`s, with their data.
async fn hear(listener: &mut Listener, count: usize) -> Vec<(String, Value)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let event = next_change(listener).await;
        heard.push((event.name, event.data));
    }
    heard
}

/// The users and messages of all recorded changes, in their order.
async fn recorded(service: &Service) -> Vec<(String, String, String)> {
    let rows = sqlx::query(
        "SELECT username, kind, message_ids FROM message_changes JOIN users ON users.id = user_id \
         ORDER BY message_changes.id",
    )
    .fetch_all(&mut service.database.connect().await)
    .await;
    let rows = rows.expect("the table is there");
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

async fn mark_several(user: &User, body: Value) -> Value {
    let answer = user.patch("/messages", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[tokio::test]
async fn marks_and_deletions_reach_all_streams_of_those_they_concern() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let (first, second) = (alice.send(&bob, "1").await, alice.send(&bob, "2").await);
    let mut here = Listener::of(&bob).await;
    let mut there = Listener::of(&at(&replica, &bob)).await;
    let mut sender = Listener::of(&alice).await;

    assert_eq!(bob.mark(first, true).await.status, 200);
    assert_eq!(bob.mark(first, false).await.status, 200);
    assert_eq!(bob.delete(first).await.status, 204);
    assert_eq!(alice.delete(second).await.status, 204);

    for listener in [&mut here, &mut there] {
        let expected = [
            marked(&[first], true),
            marked(&[first], false),
            deleted(&[first]),
            deleted(&[second]),
        ];
        assert_eq!(hear(listener, 4).await, expected);
    }
    assert_eq!(
        hear(&mut sender, 1).await,
        [deleted(&[second])],
        "neither what the receiver has read nor what the receiver has deleted"
    );
}

#[tokio::test]
async fn only_real_changes_are_recorded() {
    let (service, alice, bob) = two().await;
    let carol = service.user("carol").await;
    let id = alice.send(&bob, "1").await;
    for (user, read, status) in [
        (&bob, false, 200),
        (&bob, true, 200),
        (&bob, true, 200),
        (&alice, true, 404),
        (&carol, true, 404),
    ] {
        assert_eq!(user.mark(id, read).await.status, status);
    }
    for (user, status) in [(&carol, 404), (&bob, 204), (&bob, 404)] {
        assert_eq!(user.delete(id).await.status, status);
    }
    assert_eq!(bob.mark(id, false).await.status, 404);
    mark_several(&bob, json!({"read": false, "ids": [id]})).await;
    assert_eq!(alice.delete(id).await.status, 204);
    assert_eq!(alice.delete(id).await.status, 404);

    let id = id.to_string();
    let expected = [("bob", "read"), ("bob", "deleted"), ("alice", "deleted")];
    let expected = expected.map(|(user, kind)| (user.to_owned(), kind.to_owned(), id.clone()));
    assert_eq!(recorded(&service).await, expected);
}

#[tokio::test]
async fn several_marks_are_one_event_of_those_that_changed() {
    const COUNT: usize = 130;
    let (service, alice, bob) = two().await;
    let mut ids = Vec::new();
    for number in 0..COUNT {
        ids.push(alice.send(&bob, &number.to_string()).await);
    }
    assert_eq!(bob.mark(ids[1], true).await.status, 200);
    let mut listener = Listener::of(&bob).await;

    let both = json!({"read": true, "ids": [ids[2], ids[1], ids[0], ids[COUNT - 1] + 1]});
    assert_eq!(mark_several(&bob, both).await["changed"], 2);
    assert_eq!(
        hear(&mut listener, 1).await,
        [marked(&[ids[0], ids[2]], true)]
    );

    let all = json!({"read": true, "until": ids[COUNT - 1]});
    assert_eq!(mark_several(&bob, all.clone()).await["changed"], 127);
    assert_eq!(
        hear(&mut listener, 2).await,
        [marked(&ids[30..], true), marked(&ids[3..30], true)],
        "the newest first"
    );
    let before = recorded(&service).await;
    assert_eq!(mark_several(&bob, all).await["changed"], 0);
    assert_eq!(recorded(&service).await, before);
}

#[tokio::test]
async fn a_resumed_stream_hears_of_the_changes_that_it_missed_once() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let old = alice.send(&bob, "old").await;
    let before = Listener::of(&bob).await;
    let hello = before.last_id.clone();
    drop(before);
    bob.mark(old, true).await;
    let new = alice.send(&bob, "new").await;
    bob.mark(new, true).await;
    bob.mark(old, false).await;

    let mut elsewhere = Listener::after(&at(&replica, &bob), Some(&hello)).await;
    let event = elsewhere.next().await.expect("an event");
    assert_eq!((event.message(), &event.data["read"]), (new, &json!(true)));
    let expected = [
        marked(&[old], true),
        marked(&[new], true),
        marked(&[old], false),
    ];
    assert_eq!(hear(&mut elsewhere, 3).await, expected);
    bob.delete(old).await;
    assert_eq!(hear(&mut elsewhere, 1).await, [deleted(&[old])]);
    let last = elsewhere.last_id.clone();
    assert_eq!(last, position(new, None, 4));
    drop(elsewhere);
    bob.delete(new).await;

    let mut again = Listener::after(&bob, Some(&last)).await;
    assert_eq!(
        hear(&mut again, 1).await,
        [deleted(&[new])],
        "nothing twice"
    );
}

#[tokio::test]
async fn many_missed_changes_are_told_in_their_order() {
    const COUNT: usize = 120;
    let (_service, alice, bob) = two().await;
    let id = alice.send(&bob, "flips").await;
    let before = Listener::of(&bob).await;
    let hello = before.last_id.clone();
    drop(before);
    for number in 0..COUNT {
        assert_eq!(bob.mark(id, number % 2 == 0).await.status, 200);
    }
    let mut listener = Listener::after(&bob, Some(&hello)).await;
    let expected: Vec<_> = (0..COUNT)
        .map(|number| marked(&[id], number % 2 == 0))
        .collect();
    assert_eq!(hear(&mut listener, COUNT).await, expected);
}

/// An uncommitted change of bob's.
async fn begin_to_change(service: &Service, message: u64) -> MySqlConnection {
    let mut session = service.database.connect().await;
    let insert = format!(
        "INSERT INTO message_changes (user_id, kind, message_ids, created_at) \
         SELECT id, 'read', '{message}', UTC_TIMESTAMP(3) FROM users WHERE username = 'bob'"
    );
    for statement in ["START TRANSACTION", &insert] {
        let statement = AssertSqlSafe(statement.to_owned());
        session.execute(statement).await.expect("it is right");
    }
    session
}

#[tokio::test]
async fn a_change_committed_out_of_order_is_told_however_late() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let (one, other) = (alice.send(&bob, "1").await, alice.send(&bob, "2").await);
    let mut listener = Listener::of(&bob).await;
    let mut slow = begin_to_change(&service, one).await;
    bob.mark(other, true).await;
    assert_eq!(hear(&mut listener, 1).await, [marked(&[other], true)]);
    let resumed_at = listener.last_id.clone();
    let mut resumed = Listener::after(&at(&replica, &bob), Some(&resumed_at)).await;
    // Longer than the service waits for an id without a lock.
    sleep(Duration::from_secs(5)).await;
    slow.execute("COMMIT").await.expect("it is its own");

    for listener in [&mut listener, &mut resumed] {
        assert_eq!(hear(listener, 1).await, [marked(&[one], true)]);
        assert_eq!(listener.last_id, position(other, None, 2));
    }
}

#[tokio::test]
async fn a_change_that_is_rolled_back_is_given_up() {
    let (service, alice, bob) = two().await;
    let id = alice.send(&bob, "1").await;
    let mut listener = Listener::of(&bob).await;
    let mut session = begin_to_change(&service, id).await;
    session.execute("ROLLBACK").await.expect("it is its own");
    for number in 0_u64.. {
        bob.mark(id, number % 2 == 0).await;
        next_change(&mut listener).await;
        // The rolled back change has the id 1.
        if listener.last_id == position(id, None, number + 2) {
            return;
        }
    }
}

#[tokio::test]
async fn every_change_follows_its_message() {
    const COUNT: usize = 60;
    let (_service, alice, bob) = two().await;
    let mut listener = Listener::of(&bob).await;
    let changes = tokio::spawn({
        let (alice, bob) = (alice.clone(), bob.clone());
        async move {
            for number in 0..COUNT {
                let id = alice.send(&bob, &number.to_string()).await;
                assert_eq!(bob.mark(id, true).await.status, 200);
            }
        }
    });
    let mut read = BTreeMap::new();
    while read.values().filter(|read| **read).count() < COUNT {
        let event = listener.next().await.expect("the stream goes on");
        if event.name == "message" {
            let id = event.data["id"].to_string();
            read.insert(id, event.data["read"] == true);
        } else {
            let id = event.data["ids"][0].to_string();
            assert!(read.insert(id, true).is_some(), "{event:?}");
        }
    }
    changes.await.expect("all are sent");
}

/// Retries like a client.
async fn begin_patiently(user: &User, last_id: &str) -> Listener {
    let begin = Instant::now();
    loop {
        if let Some(listener) = Listener::try_after(user, Some(last_id)).await {
            return listener;
        }
        assert!(begin.elapsed() < PATIENCE, "a stream begins");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Streams from one replica after the other, each for some events, until all changes are received.
async fn listen_restlessly(users: Vec<User>, begin: String, expected: usize) -> Vec<(u64, bool)> {
    let (mut heard, mut last) = (Vec::new(), begin);
    for round in 0.. {
        let mut listener = begin_patiently(&users[round % users.len()], &last).await;
        for _ in 0..7 {
            if heard.len() == expected {
                return heard;
            }
            let event = next_change(&mut listener).await;
            assert_eq!(event.name, "marked", "{event:?}");
            // Of one transaction, which concurrent marks share.
            let ids = event.data["ids"].as_array().expect("ids").iter();
            let read = event.data["read"].as_bool().expect("a state");
            heard.extend(ids.map(|id| (id.as_u64().expect("an id"), read)));
        }
        last = listener.last_id;
    }
    heard
}

#[tokio::test]
async fn every_change_is_told_once_across_replicas_and_reconnects() {
    const MESSAGES: usize = 8;
    const FLIPS: usize = 25;
    let (service, alice, bob) = two().await;
    let replicas = [service.replica(|_| ()).await, service.replica(|_| ()).await];
    let mut everywhere: Vec<_> = replicas.iter().map(|replica| at(replica, &bob)).collect();
    everywhere.push(bob.clone());
    let mut ids = Vec::new();
    for _ in 0..MESSAGES {
        ids.push(alice.send(&bob, "flips").await);
    }
    let begin = Listener::of(&bob).await.last_id;
    let mut listeners = JoinSet::new();
    for first in 0..3 {
        let mut users = everywhere.clone();
        users.rotate_left(first);
        listeners.spawn(listen_restlessly(users, begin.clone(), MESSAGES * FLIPS));
    }
    let mut markers = JoinSet::new();
    for (number, id) in ids.iter().copied().enumerate() {
        let bob = everywhere[number % 3].clone();
        markers.spawn(async move {
            for flip in 0..FLIPS {
                assert_eq!(bob.mark(id, flip % 2 == 0).await.status, 200);
            }
        });
    }
    markers.join_all().await;
    for heard in listeners.join_all().await {
        for id in &ids {
            let flips: Vec<_> = heard.iter().filter(|(of, _)| of == id).collect();
            assert_eq!(flips.len(), FLIPS);
            let in_order = |(flip, (_, read)): (usize, &&(u64, bool))| *read == (flip % 2 == 0);
            assert!(flips.iter().enumerate().all(in_order), "{flips:?}");
        }
    }
}

/// Lets all changes of the database expire, and waits until a replica has deleted them.
async fn expire(service: &Service) {
    service
        .database
        .execute("UPDATE message_changes SET created_at = UTC_TIMESTAMP(3) - INTERVAL 25 HOUR")
        .await;
    let replica = service.replica(|_| ()).await;
    until("expired changes are deleted", async || {
        recorded(service).await.len() == 1
    })
    .await;
    drop(replica);
}

#[tokio::test]
async fn a_stream_that_missed_expired_changes_is_told_to_fetch_again_once() {
    let (service, alice, bob) = two().await;
    let id = alice.send(&bob, "1").await;
    let at_begin = Listener::of(&bob).await.last_id;
    let mut listener = Listener::of(&bob).await;
    for read in [true, false, true] {
        bob.mark(id, read).await;
    }
    hear(&mut listener, 3).await;
    let at_end = listener.last_id.clone();
    expire(&service).await;
    let missed = alice.send(&bob, "2").await;

    let mut late = Listener::after(&bob, Some(&at_begin)).await;
    assert_eq!(late.last_id, at_begin);
    let event = late.next().await.expect("an event");
    assert_eq!((event.name.as_str(), &event.data), ("refetch", &json!({})));
    let told = event.id.clone();
    assert_eq!(late.next().await.expect("an event").message(), missed);
    let mut again = Listener::after(&bob, Some(&told)).await;
    assert_eq!(again.next().await.expect("an event").message(), missed);
    let mut current = Listener::after(&bob, Some(&at_end)).await;
    assert_eq!(current.next().await.expect("an event").message(), missed);
    bob.mark(missed, true).await;
    for listener in [&mut late, &mut again, &mut current] {
        assert_eq!(hear(listener, 1).await, [marked(&[missed], true)]);
    }
}

#[tokio::test]
async fn a_position_of_the_previous_release_resumes_and_is_told_to_fetch_again() {
    let (_service, alice, bob) = two().await;
    let (first, second) = (alice.send(&bob, "1").await, alice.send(&bob, "2").await);
    bob.mark(first, true).await;
    let third = alice.send(&bob, "3").await;
    for (before, missed, read) in [
        (second.to_string(), vec![third], true),
        (format!("{second}-{first}"), vec![first, third], false),
        (format!("{third}-{second}"), vec![second], true),
    ] {
        let mut listener = Listener::after(&bob, Some(&before)).await;
        assert_eq!(listener.last_id, before);
        assert_eq!(listener.next().await.expect("an event").name, "refetch");
        for id in missed {
            assert_eq!(listener.next().await.expect("an event").message(), id);
        }
        let mut again = Listener::after(&bob, Some(&listener.last_id)).await;
        bob.mark(third, read).await;
        assert_eq!(hear(&mut again, 1).await, [marked(&[third], read)]);
    }
    // A client that begins with the first message has nothing that could be outdated.
    let mut listener = Listener::after(&bob, Some("0")).await;
    let event = listener.next().await.expect("an event");
    assert_eq!(
        (event.message(), &event.data["read"]),
        (first, &json!(true))
    );
}

#[tokio::test]
async fn a_change_of_the_future_resets_the_stream() {
    let (_service, alice, bob) = two().await;
    let newest = alice.send(&bob, "newest").await;
    let mut listener = Listener::after(&bob, Some(&position(newest, None, 7))).await;
    assert_eq!(listener.next().await.expect("an event").name, "reset");
    assert_eq!(listener.last_id, position(newest, None, 0));
}

#[tokio::test]
async fn a_blocked_message_and_its_deletion_are_not_told_to_its_receiver() {
    let (service, alice, bob) = two().await;
    let carol = service.user("carol").await;
    let block = Answer::of(alice.request(Method::PUT, "/blocks/bob")).await;
    assert_eq!(block.status, 204);
    let mut receiver = Listener::of(&alice).await;
    let (mut sender, mut other) = (Listener::of(&bob).await, Listener::of(&carol).await);
    let new = NewMessage::to_several(&["alice", "carol"]).json();
    let both = bob.post("/messages", &new).await.json["id"].as_u64();
    let both = both.expect("it is sent");
    let single = bob.send(&alice, "blocked").await;
    assert_eq!(bob.delete(both).await.status, 204);
    assert_eq!(bob.delete(single).await.status, 204);
    let seen = carol.send(&alice, "seen").await;
    assert_eq!(carol.delete(seen).await.status, 204);

    assert_eq!(
        hear(&mut sender, 2).await,
        [deleted(&[both]), deleted(&[single])]
    );
    assert_eq!(
        hear(&mut other, 2).await,
        [deleted(&[both]), deleted(&[seen])]
    );
    assert_eq!(
        next_change(&mut receiver).await.data,
        json!({"ids": [seen]})
    );
    let of_alice = recorded(&service).await;
    let of_alice: Vec<_> = of_alice
        .iter()
        .filter(|(name, ..)| name == "alice")
        .collect();
    assert_eq!(of_alice.len(), 1, "{of_alice:?}");
}

#[tokio::test]
async fn a_deletion_for_all_is_told_to_the_receivers_who_still_have_it() {
    let (service, alice, bob) = two().await;
    let carol = service.user("carol").await;
    let new = NewMessage::to_several(&["alice", "bob", "carol"]).json();
    let id = alice.post("/messages", &new).await.json["id"].as_u64();
    let id = id.expect("it is sent");
    assert_eq!(carol.delete(id).await.status, 204);
    assert_eq!(alice.delete(id).await.status, 204);
    let mut users: Vec<_> = recorded(&service)
        .await
        .into_iter()
        .map(|(user, ..)| user)
        .collect();
    users.sort_unstable();
    assert_eq!(users, ["alice", "bob", "carol"], "each once");
    drop(bob);
}

#[tokio::test]
async fn the_messages_of_a_deleted_account_are_told_as_deleted() {
    let (service, alice, bob) = two().await;
    let mut ids = Vec::new();
    for number in 0..120 {
        ids.push(alice.send(&bob, &number.to_string()).await);
    }
    bob.delete(ids.remove(5)).await;
    let mut listener = Listener::of(&bob).await;
    let body = json!({"password": "password of alice"});
    let gone = Answer::of(alice.request(Method::POST, "/deletion").json(&body)).await;
    assert_eq!(gone.status, 204);
    let mut told = Vec::new();
    while told.len() < ids.len() {
        let event = next_change(&mut listener).await;
        assert_eq!(event.name, "deleted");
        let some = event.data["ids"].as_array().expect("ids").clone();
        told.extend(some.iter().map(|id| id.as_u64().expect("an id")));
    }
    assert_eq!(told, ids);
    drop(service);
}

//! Event streams deliver messages at any replica, each exactly once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::large::{CONTROL, fill};
use crate::support::{
    Answer, Herolo, Listener, NewMessage, PATIENCE, Replica, Service, TestDatabase, User, position,
    problem,
};

async fn two() -> (Service, User, User) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    (service, alice, bob)
}

fn at(replica: &Replica, user: &User) -> User {
    User::new(&replica.url, &user.name, user.token.clone())
}

/// The ids of the next messages, as a client hears them that does not know the events of changes.
async fn hear(listener: &mut Listener, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let event = listener.next().await.expect("the stream goes on");
        if !["marked", "deleted", "refetch"].contains(&event.name.as_str()) {
            ids.push(event.message());
        }
    }
    ids
}

#[tokio::test]
async fn a_message_is_pushed_on_every_replica_to_its_receivers_only() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let mut here = Listener::of(&bob).await;
    let mut there = Listener::of(&at(&replica, &bob)).await;
    let mut sender = Listener::of(&alice).await;

    let id = alice.send(&bob, "to bob").await;
    let (heard, heard_there) = (here.next().await, there.next().await);
    let note = alice.send(&alice, "to herself").await;

    let read = bob.read(id).await.json;
    for event in [heard, heard_there] {
        let event = event.expect("an event");
        assert_eq!((event.name.as_str(), &event.data), ("message", &read));
        assert_eq!(event.id, position(id, None, 0));
    }
    assert_eq!(
        hear(&mut sender, 1).await,
        [note],
        "not what she sent to others"
    );
}

#[tokio::test]
async fn each_of_several_receivers_hears_of_it_as_their_own() {
    let (_service, alice, bob) = two().await;
    let (mut of_alice, mut of_bob) = (Listener::of(&alice).await, Listener::of(&bob).await);
    let new = json!({"receivers": ["alice", "bob"], "subject": "s", "message": "a\nb\r\nc"});
    assert_eq!(alice.post("/messages", &new).await.status, 201);
    for (listener, name) in [(&mut of_alice, "alice"), (&mut of_bob, "bob")] {
        let event = listener.next().await.expect("an event");
        assert_eq!(event.data["receiver"], name);
        assert_eq!(event.data["message"], "a\nb\r\nc");
        assert!(event.data.get("receivers").is_none());
    }
}

#[tokio::test]
async fn a_resumed_stream_misses_nothing_on_any_replica() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let before = Listener::of(&bob).await;
    let hello = before.last_id.clone();
    drop(before);
    let missed = [alice.send(&bob, "1").await, alice.send(&bob, "2").await];
    alice.send(&alice, "not bob's").await;

    let mut elsewhere = Listener::after(&at(&replica, &bob), Some(&hello)).await;
    assert_eq!(hear(&mut elsewhere, 2).await, missed);
    let live = alice.send(&bob, "3").await;
    assert_eq!(hear(&mut elsewhere, 1).await, [live]);
    let last = elsewhere.last_id.clone();
    drop(elsewhere);
    let mut again = Listener::after(&bob, Some(&last)).await;
    let newest = alice.send(&bob, "4").await;

    assert_eq!(hear(&mut again, 1).await, [newest], "nothing twice");
}

#[tokio::test]
async fn many_missed_messages_arrive_in_batches_without_deleted_ones() {
    let (_service, alice, bob) = two().await;
    let mut sent = Vec::new();
    for number in 0..205 {
        sent.push(alice.send(&bob, &number.to_string()).await);
    }
    bob.delete(sent.remove(150)).await;
    alice.delete(sent.remove(10)).await;

    let mut listener = Listener::after(&bob, Some("0")).await;

    assert_eq!(hear(&mut listener, 203).await, sent);
    let live = alice.send(&bob, "live").await;
    assert_eq!(hear(&mut listener, 1).await, [live]);
}

/// An uncommitted send from alice to bob.
async fn begin_to_send(database: &TestDatabase) -> (MySqlConnection, u64) {
    let mut session = database.connect().await;
    for statement in [
        "START TRANSACTION",
        "INSERT INTO messages (sender_id, subject, body, created_at) \
         SELECT id, 's', 'm', NOW(3) FROM users WHERE username = 'alice'",
    ] {
        session
            .execute(statement)
            .await
            .expect("the statement is right");
    }
    let id: u64 = sqlx::query_scalar("SELECT LAST_INSERT_ID()")
        .fetch_one(&mut session)
        .await
        .expect("an id");
    let receipt = format!(
        "INSERT INTO receipts (receiver_id, message_id) SELECT id, {id} FROM users WHERE username = 'bob'"
    );
    session
        .execute(AssertSqlSafe(receipt))
        .await
        .expect("the statement is right");
    (session, id)
}

async fn end(mut session: MySqlConnection, how: &'static str) {
    session.execute(how).await.expect("the statement is right");
}

#[tokio::test]
async fn a_message_committed_out_of_order_is_delivered_however_late() {
    let (service, alice, bob) = two().await;
    let mut listener = Listener::of(&bob).await;
    let (slow, late) = begin_to_send(&service.database).await;
    let early = alice.send(&bob, "overtakes").await;
    assert!(late < early);

    let event = listener.next().await.expect("an event");
    assert_eq!(event.message(), early);
    assert_eq!(
        event.id,
        position(early, Some(late), 0),
        "it says what may yet come"
    );
    // Longer than the service waits for an id without a lock.
    sleep(Duration::from_secs(5)).await;
    end(slow, "COMMIT").await;

    let event = listener.next().await.expect("an event");
    assert_eq!(
        (event.message(), event.id),
        (late, position(early, None, 0))
    );
}

#[tokio::test]
async fn a_late_commit_without_subscribers_is_not_missed() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let mut listener = Listener::of(&bob).await;
    let (slow, late) = begin_to_send(&service.database).await;
    let early = alice.send(&bob, "overtakes").await;
    assert_eq!(hear(&mut listener, 1).await, [early]);
    let last = listener.last_id.clone();
    drop(listener);

    // One client reconnects before the commit and one after it.
    let mut before = Listener::after(&at(&replica, &bob), Some(&last)).await;
    end(slow, "COMMIT").await;
    let mut after = Listener::after(&bob, Some(&last)).await;
    assert_eq!(hear(&mut before, 1).await, [late]);
    assert_eq!(hear(&mut after, 1).await, [late]);

    let next = alice.send(&bob, "next").await;
    assert_eq!(hear(&mut before, 1).await, [next]);
    assert_eq!(hear(&mut after, 1).await, [next]);
}

/// Inserts rows of messages as if they had been sent a minute ago.
async fn insert_old_messages(database: &TestDatabase, count: usize) {
    let insert = format!(
        "INSERT INTO messages (sender_id, subject, body, created_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
         SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */ id, 's', 'm', NOW(3) - INTERVAL 1 MINUTE \
         FROM numbers JOIN users WHERE username = 'alice'"
    );
    database.execute(insert).await;
}

/// Otherwise a cursor would have to name so many ids that it does not fit, and would be that of an earlier time.
#[tokio::test]
async fn thousands_of_deleted_messages_do_not_set_new_streams_back() {
    let (service, alice, bob) = two().await;
    insert_old_messages(&service.database, 10_000).await;
    service
        .database
        .execute("DELETE FROM messages WHERE id % 3 = 0")
        .await;
    let mut listener = Listener::of(&bob).await;

    let id = alice.send(&bob, "new").await;
    let event = listener.next().await.expect("an event");

    // Only the latest of the old ids can be missing, because no row after them is old.
    let cursor = event.id.rsplit_once('-').expect("missing ids").1;
    assert_eq!(event.message(), id);
    assert!(cursor.len() < 60, "{}", event.id);
}

#[tokio::test]
async fn a_late_commit_before_old_messages_is_not_missed_by_a_new_replica() {
    let (service, _, bob) = two().await;
    let (slow, late) = begin_to_send(&service.database).await;
    insert_old_messages(&service.database, 10).await;
    let mut listener = Listener::of(&bob).await;

    end(slow, "COMMIT").await;

    assert_eq!(hear(&mut listener, 1).await, [late]);
}

#[tokio::test]
async fn an_id_that_never_comes_is_given_up() {
    let (service, alice, bob) = two().await;
    let mut listener = Listener::of(&bob).await;
    let (taken_back, missing) = begin_to_send(&service.database).await;
    let first = alice.send(&bob, "first").await;
    assert_eq!(
        listener.next().await.expect("an event").id,
        position(first, Some(missing), 0)
    );
    end(taken_back, "ROLLBACK").await;

    loop {
        let id = alice.send(&bob, "another").await;
        let event = listener.next().await.expect("an event");
        assert_eq!(event.message(), id);
        if event.id == position(id, None, 0) {
            break;
        }
    }
}

/// Retries like a client: a stream is rejected while closed ones of the user have not been detected yet.
async fn begin_patiently(user: &User, last_id: Option<&str>) -> Listener {
    let begin = Instant::now();
    loop {
        if let Some(listener) = Listener::try_after(user, last_id).await {
            return listener;
        }
        assert!(begin.elapsed() < PATIENCE, "a stream begins");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Streams from one replica after the other, each for some messages, until all are received.
async fn listen_restlessly(users: Vec<User>, all: Arc<AtomicBool>, expected: usize) -> Vec<u64> {
    let (mut heard, mut last) = (Vec::new(), Some("0".to_owned()));
    for round in 0.. {
        let user = &users[round % users.len()];
        let mut listener = begin_patiently(user, last.as_deref()).await;
        for _ in 0..7 {
            if heard.len() == expected && all.load(Ordering::Relaxed) {
                return heard;
            }
            heard.extend(hear(&mut listener, 1).await);
        }
        last = Some(listener.last_id);
    }
    heard
}

#[tokio::test]
async fn every_message_is_delivered_once_across_replicas_and_reconnects() {
    const SENDERS: usize = 6;
    const EACH: usize = 35;
    let (service, alice, bob) = two().await;
    let replicas = [service.replica(|_| ()).await, service.replica(|_| ()).await];
    let everywhere = |user: &User| {
        let mut users: Vec<_> = replicas.iter().map(|replica| at(replica, user)).collect();
        users.push(user.clone());
        users
    };
    let all = Arc::new(AtomicBool::new(false));
    let mut listeners = JoinSet::new();
    for first in 0..4 {
        let mut users = everywhere(&bob);
        users.rotate_left(first % 3);
        listeners.spawn(listen_restlessly(users, all.clone(), SENDERS * EACH));
    }
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let user = everywhere(&alice)[sender % 3].clone();
        let bob = bob.clone();
        senders.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..EACH {
                ids.push(user.send(&bob, &number.to_string()).await);
            }
            ids
        });
    }
    let mut sent = senders.join_all().await.concat();
    all.store(true, Ordering::Relaxed);

    sent.sort_unstable();
    for mut heard in listeners.join_all().await {
        heard.sort_unstable();
        assert_eq!(heard, sent);
    }
}

#[tokio::test]
async fn a_revoked_token_hears_no_more_at_any_replica_and_a_new_one_does() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    for way in ["tokens", "password", "deletion"] {
        let body = json!({"password": "password of bob"});
        let login = service.post("/users/bob/token", &body).await;
        let token = login.json["access_token"].as_str().expect("a token");
        let bob = User::new(&service.url, "bob", token.to_owned());
        let mut listeners = [
            Listener::of(&bob).await,
            Listener::of(&at(&replica, &bob)).await,
        ];
        let request = match way {
            "tokens" => bob.request(Method::DELETE, "/tokens"),
            "password" => bob
                .request(Method::PUT, "/password")
                .json(&json!({"password": "password of bob", "new_password": "password of bob"})),
            _ => bob.request(Method::POST, "/deletion").json(&body),
        };
        assert_eq!(Answer::of(request).await.status, 204, "{way}");
        for listener in &mut listeners {
            let event = listener.next().await.expect("a last word");
            assert_eq!(event.name, "goodbye", "{way}");
            assert!(listener.next().await.is_none());
        }
    }
    problem(&bob.get("/events").await, 401);
    drop(alice);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let service = Service::start_with(|config| config.token_lifetime = 2).await;
    let bob = service.user("bob").await;
    let mut listener = Listener::of(&bob).await;
    assert_eq!(listener.next().await.expect("a last word").name, "goodbye");
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn a_replica_that_drains_says_goodbye_and_another_one_goes_on() {
    let (service, alice, bob) = two().await;
    let herolo = Herolo::on(&service.database.url()).set("HEROLO_DRAIN_SECONDS", "2");
    let process = herolo.serve().await;
    process.until_ready().await;
    let drained = User::new(process.url(), "bob", bob.token.clone());
    let mut listener = Listener::of(&drained).await;

    process.signal(Signal::TERM);
    let meanwhile = alice.send(&bob, "meanwhile").await;
    let event = listener.next().await.expect("an event");
    assert_eq!(event.message(), meanwhile, "it serves until then");
    let goodbye = listener.next().await.expect("a last word");
    assert_eq!(goodbye.name, "goodbye");
    assert!(
        goodbye
            .retry
            .is_some_and(|milliseconds| milliseconds < 2_000)
    );
    assert!(listener.next().await.is_none());
    assert!(process.exit().await.success());
    let after = alice.send(&bob, "after").await;

    let mut elsewhere = Listener::after(&bob, Some(&goodbye.id)).await;
    assert_eq!(hear(&mut elsewhere, 1).await, [after]);
}

#[tokio::test]
async fn events_are_their_owners_alone_and_begin_at_an_event() {
    let (service, alice, bob) = two().await;
    problem(&service.get("/users/bob/events").await, 401);
    let of_alice = User::new(&service.url, "bob", alice.token.clone());
    problem(&of_alice.get("/events").await, 403);
    let too_long = format!("9000-1{}", "_2".repeat(2_100));
    for id in [
        "",
        "x",
        "9-",
        "9-10",
        "-1",
        "9-7+3",
        "99999999999999999999",
        &too_long,
    ] {
        let request = bob
            .request(Method::GET, "/events")
            .header("Last-Event-ID", id);
        problem(&Answer::of(request).await, 400);
    }
    let twice = bob.request(Method::GET, "/events");
    let twice = twice
        .header("Last-Event-ID", "0")
        .header("Last-Event-ID", "0");
    problem(&Answer::of(twice).await, 400);
}

#[tokio::test]
async fn a_stream_asks_proxies_to_pass_it_on_as_it_comes() {
    let (_service, [bob]) = Service::with_users(["bob"]).await;
    for method in [Method::GET, Method::HEAD] {
        let response = bob.request(method, "/events").send().await;
        let response = response.expect("an answer");
        assert_eq!(response.headers()["X-Accel-Buffering"], "no");
        assert_eq!(
            response.headers()["Cache-Control"],
            "no-store, no-transform"
        );
    }
}

/// The next event, which is a `reset`.
async fn reset(listener: &mut Listener) -> String {
    let event = listener.next().await.expect("an event");
    assert_eq!((event.name.as_str(), &event.data), ("reset", &json!({})));
    event.id
}

#[tokio::test]
async fn a_cursor_of_the_future_resets_the_stream() {
    let (_service, alice, bob) = two().await;
    let newest = alice.send(&bob, "newest").await;
    for forged in [
        (newest + 1).to_string(),
        format!("{}-1", newest + 1_000),
        "9223372036854775807-1+9223372036854775805".to_owned(),
    ] {
        let mut listener = Listener::after(&bob, Some(&forged)).await;
        assert_eq!(listener.last_id, forged, "until the reset was delivered");
        assert_eq!(reset(&mut listener).await, position(newest, None, 0));
        assert_eq!(
            listener.last_id,
            position(newest, None, 0),
            "not the false one"
        );
    }
    let mut listener = Listener::after(&bob, Some("99")).await;
    reset(&mut listener).await;
    let live = alice.send(&bob, "live").await;
    assert_eq!(hear(&mut listener, 1).await, [live]);
}

#[tokio::test]
async fn a_connection_lost_between_hello_and_reset_loses_no_reset() {
    let (_service, alice, bob) = two().await;
    let newest = alice.send(&bob, "newest").await;
    let lost = Listener::after(&bob, Some("99")).await;
    let last_id = lost.last_id.clone();
    drop(lost);
    let mut listener = Listener::after(&bob, Some(&last_id)).await;
    assert_eq!(reset(&mut listener).await, position(newest, None, 0));
    let mut listener = Listener::after(&bob, Some(&listener.last_id)).await;
    let next = alice.send(&bob, "next").await;
    assert_eq!(hear(&mut listener, 1).await, [next]);
}

#[tokio::test]
async fn a_cursor_of_a_deleted_message_is_not_of_the_future() {
    let (_service, alice, bob) = two().await;
    let first = alice.send(&bob, "first").await;
    let deleted = alice.send(&bob, "deleted").await;
    let last = deleted.to_string();
    alice.delete(deleted).await;
    let mut listener = Listener::after(&bob, Some(&last)).await;
    assert_eq!(listener.last_id, last);
    let live = alice.send(&bob, "live").await;
    assert_eq!(hear(&mut listener, 1).await, [live]);
    // A forged cursor within the assigned ids, which misses all messages up to the newest.
    let missing = format!("{live}-1+{}", live - 2);
    let mut listener = Listener::after(&bob, Some(&missing)).await;
    assert_eq!(hear(&mut listener, 1).await, [first]);
    // The earlier form of ids, before ranges.
    let earlier = format!("{live}-{first}.{deleted}");
    let mut listener = Listener::after(&bob, Some(&earlier)).await;
    assert_eq!(hear(&mut listener, 1).await, [first]);
}

#[tokio::test]
async fn a_database_restore_resets_open_streams() {
    let (service, alice, bob) = two().await;
    let proxy = crate::support::Proxy::start().await;
    let replica = service.replica(|config| proxy.redirect(config)).await;
    let kept = alice.send(&bob, "kept").await;
    let mut listener = Listener::of(&at(&replica, &bob)).await;
    let lost = alice.send(&bob, "lost").await;
    assert_eq!(hear(&mut listener, 1).await, [lost]);

    proxy.refuse().await;
    service
        .database
        .execute(format!("DELETE FROM messages WHERE id = {lost}"))
        .await;
    service
        .database
        .execute("ALTER TABLE messages AUTO_INCREMENT = 1")
        .await;
    proxy.pass().await;

    assert_eq!(reset(&mut listener).await, position(kept, None, 0));
    let again = alice.send(&bob, "with the id of the lost one").await;
    assert_eq!((again, hear(&mut listener, 1).await), (lost, vec![again]));
}

#[tokio::test]
async fn a_revocation_during_a_database_outage_ends_the_stream() {
    let (service, _alice, bob) = two().await;
    let proxy = crate::support::Proxy::start().await;
    let replica = service.replica(|config| proxy.redirect(config)).await;
    let mut listener = Listener::of(&at(&replica, &bob)).await;

    proxy.refuse().await;
    let revoked = Answer::of(bob.request(Method::DELETE, "/tokens")).await;
    assert_eq!(revoked.status, 204);
    service.database.execute("DELETE FROM revocations").await;
    proxy.pass().await;

    assert_eq!(listener.next().await.expect("a last word").name, "goodbye");
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn one_stream_too_many_is_refused_and_the_others_go_on() {
    const MOST: usize = 16;
    let (service, alice, bob) = two().await;
    let mut listeners = Vec::new();
    for _ in 0..MOST {
        listeners.push(Listener::of(&bob).await);
    }
    for _ in 0..3 {
        let refused = bob.get("/events").await;
        let detail = problem(&refused, 429)["detail"].as_str();
        assert!(detail.is_some_and(|detail| detail.contains("streams")));
        let seconds: u64 = refused.header("Retry-After").parse().expect("seconds");
        assert!((1..=30).contains(&seconds));
    }
    drop(Listener::of(&alice).await);
    let id = alice.send(&bob, "to all of them").await;
    for listener in &mut listeners {
        assert_eq!(hear(listener, 1).await, [id]);
    }
    drop(listeners.pop());
    crate::support::until("a seat is free", async || {
        Listener::try_after(&bob, None).await.is_some()
    })
    .await;
    drop(service);
}

/// A client that requests all messages and reads almost nothing until it is told to. It uses
/// HTTP/1.0, whose responses are not chunked.
async fn ask_without_reading(url: &str, user: &User) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small one");
    let address = url.trim_start_matches("http://");
    let address = address.parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("it listens");
    let request = format!(
        "GET /users/{}/events HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer {}\r\nLast-Event-ID: 0\r\n\r\n",
        user.name, user.token
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it takes it");
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.expect("it begins");
    stream
}

/// A message of the maximum length, whose JSON is six times as long.
fn longest() -> serde_json::Value {
    let text = "\u{1}".repeat(65_535);
    NewMessage::to("bob").text(&text).json()
}

/// Reads until the text was received, or to the end. Returns all data.
async fn read_to(stream: &mut tokio::net::TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut some = vec![0; 1 << 20];
    loop {
        let reading = stream.read(&mut some);
        let read = tokio::time::timeout(crate::support::PATIENCE, reading).await;
        match read.expect("something comes, or the end") {
            Ok(0) | Err(_) => break,
            Ok(length) => all.extend_from_slice(&some[..length]),
        }
        let tail = &all[all.len().saturating_sub(1_000)..];
        if String::from_utf8_lossy(tail).contains(end) {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_revocation_discards_events_queued_for_a_stalled_client() {
    const COUNT: usize = 60;
    let (service, alice, bob) = two().await;
    for _ in 0..COUNT {
        assert_eq!(alice.post("/messages", &longest()).await.status, 201);
    }
    let mut stuck = ask_without_reading(&service.url, &bob).await;
    let mut other = Listener::of(&bob).await;
    // It has filled the buffers between the service and its client.
    sleep(Duration::from_secs(2)).await;
    let revoked = Answer::of(bob.request(Method::DELETE, "/tokens")).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(other.next().await.expect("a last word").name, "goodbye");

    let rest = read_to(&mut stuck, "event:goodbye").await;
    let heard = rest.matches("event:message").count();
    assert!(heard < COUNT, "{heard} of {COUNT} came all the same");
}

#[tokio::test]
async fn a_slow_subscriber_gets_each_message_once_and_in_order() {
    let (service, alice, bob) = two().await;
    assert_eq!(alice.post("/messages", &longest()).await.status, 201);
    let mut slow = ask_without_reading(&service.url, &bob).await;
    // More messages than a queue holds arrive, before the client counts as stalled.
    fill(&service.database, &alice, &bob, 80, CONTROL).await;
    alice.send(&bob, "the last").await;
    let all = read_to(&mut slow, "the last").await;

    let ids = all.split("data:{\"id\":").skip(1);
    let ids = ids.filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok());
    let ids: Vec<_> = ids.collect();
    let expected: Vec<u64> = sqlx::query_scalar("SELECT id FROM messages ORDER BY id")
        .fetch_all(&mut service.database.connect().await)
        .await
        .expect("the statement is right");
    assert_eq!((ids.len(), ids), (82, expected));
    assert!(!all.contains("goodbye"), "nobody is sent away for it");
}

/// The number of executions of each kind of statement on the database.
async fn executed(database: &TestDatabase) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT digest_text, CAST(SUM(count_star) AS SIGNED) \
         FROM performance_schema.events_statements_summary_by_digest \
         WHERE schema_name = ? AND digest_text NOT LIKE '%performance_schema%' \
           AND digest_text NOT LIKE 'PREPARE %' GROUP BY digest_text",
    )
    .bind(database.name())
    .fetch_all(&mut database.connect().await)
    .await;
    let rows = rows.expect("the performance schema is on");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Statements per poll of the tailer, over twelve polls.
async fn statements_per_look(database: &TestDatabase) -> i64 {
    let looks = |all: &[(String, i64)]| {
        let is_look = |text: &str| text.contains("SELECT `user_id` , `token_epoch`");
        let look = all.iter().find(|(text, _)| is_look(text));
        look.map_or(0, |(_, count)| *count)
    };
    let total = |all: &[(String, i64)]| all.iter().map(|(_, count)| count).sum::<i64>();
    let before = executed(database).await;
    let after = loop {
        sleep(Duration::from_millis(100)).await;
        let after = executed(database).await;
        if looks(&after) >= looks(&before) + 12 {
            break after;
        }
    };
    (total(&after) - total(&before)) / (looks(&after) - looks(&before))
}

/// A poll takes three or four statements. Cleanup jobs, and statements that are prepared for the first time, are
/// counted, too.
async fn assert_few_statements_per_look(database: &TestDatabase) {
    const TRIES: usize = 10;
    let mut counted = Vec::new();
    while counted.len() < TRIES {
        let statements = statements_per_look(database).await;
        if (3..=4).contains(&statements) {
            return;
        }
        counted.push(statements);
    }
    panic!("{counted:?} statements a look");
}

#[tokio::test]
async fn idle_subscribers_cost_the_database_nothing() {
    let (service, ..) = two().await;
    let first = Listener::of(&service.user("carol").await).await;
    assert_few_statements_per_look(&service.database).await;
    let mut crowd = vec![first];
    for number in 0..30 {
        let user = service.user(&format!("user{number}")).await;
        crowd.push(Listener::of(&user).await);
    }
    assert_few_statements_per_look(&service.database).await;
    drop(crowd);
}

#[tokio::test]
async fn a_database_outage_leaves_no_gap_in_the_stream() {
    let (service, alice, bob) = two().await;
    let proxy = crate::support::Proxy::start().await;
    let replica = service.replica(|config| proxy.redirect(config)).await;
    let mut listener = Listener::of(&at(&replica, &bob)).await;

    proxy.refuse().await;
    let sent = [alice.send(&bob, "1").await, alice.send(&bob, "2").await];
    proxy.pass().await;

    assert_eq!(hear(&mut listener, 2).await, sent);
    let ids: BTreeSet<_> = sent.into();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn streams_that_their_client_has_closed_keep_no_other_from_beginning() {
    let (_service, [bob]) = Service::with_users(["bob"]).await;
    for _ in 0..40 {
        drop(Listener::of(&bob).await);
    }
}

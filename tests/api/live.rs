//! Messages as they arrive: at any replica, none missed and none twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Answer, Herolo, Listener, Replica, Service, TestDatabase, User, problem};

async fn two() -> (Service, User, User) {
    let service = Service::start().await;
    let (alice, bob) = (service.user("alice").await, service.user("bob").await);
    (service, alice, bob)
}

fn at(replica: &Replica, user: &User) -> User {
    User::new(&replica.url, &user.name, user.token.clone())
}

/// The ids of the next messages.
async fn hear(listener: &mut Listener, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let event = listener.next().await.expect("the stream goes on");
        ids.push(event.message());
    }
    ids
}

#[tokio::test]
async fn a_message_comes_by_itself_at_every_replica_and_to_its_receivers_only() {
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
        assert_eq!(event.id, id.to_string());
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
async fn whoever_comes_back_gets_what_they_missed_once_and_in_order_also_elsewhere() {
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
async fn many_missed_messages_come_in_pieces_and_one_that_was_deleted_does_not() {
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

/// A send by hand, from alice to bob, that is not committed yet.
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
async fn a_message_that_is_committed_after_a_later_one_is_heard_however_late() {
    let (service, alice, bob) = two().await;
    let mut listener = Listener::of(&bob).await;
    let (slow, late) = begin_to_send(&service.database).await;
    let early = alice.send(&bob, "overtakes").await;
    assert!(late < early);

    let event = listener.next().await.expect("an event");
    assert_eq!(event.message(), early);
    assert_eq!(
        event.id,
        format!("{early}-{late}"),
        "it says what may yet come"
    );
    // Longer than the service gives an id that nobody holds a lock on.
    sleep(Duration::from_millis(2_500)).await;
    end(slow, "COMMIT").await;

    let event = listener.next().await.expect("an event");
    assert_eq!((event.message(), event.id), (late, early.to_string()));
}

#[tokio::test]
async fn a_message_that_is_committed_late_while_nobody_listens_is_not_missed() {
    let (service, alice, bob) = two().await;
    let replica = service.replica(|_| ()).await;
    let mut listener = Listener::of(&bob).await;
    let (slow, late) = begin_to_send(&service.database).await;
    let early = alice.send(&bob, "overtakes").await;
    assert_eq!(hear(&mut listener, 1).await, [early]);
    let last = listener.last_id.clone();
    drop(listener);

    // One comes back before the commit and one after it.
    let mut before = Listener::after(&at(&replica, &bob), Some(&last)).await;
    end(slow, "COMMIT").await;
    let mut after = Listener::after(&bob, Some(&last)).await;
    assert_eq!(hear(&mut before, 1).await, [late]);
    assert_eq!(hear(&mut after, 1).await, [late]);

    let next = alice.send(&bob, "next").await;
    assert_eq!(hear(&mut before, 1).await, [next]);
    assert_eq!(hear(&mut after, 1).await, [next]);
}

#[tokio::test]
async fn an_id_that_never_comes_is_given_up() {
    let (service, alice, bob) = two().await;
    let mut listener = Listener::of(&bob).await;
    let (taken_back, missing) = begin_to_send(&service.database).await;
    let first = alice.send(&bob, "first").await;
    assert_eq!(
        listener.next().await.expect("an event").id,
        format!("{first}-{missing}")
    );
    end(taken_back, "ROLLBACK").await;

    loop {
        let id = alice.send(&bob, "another").await;
        let event = listener.next().await.expect("an event");
        assert_eq!(event.message(), id);
        if event.id == id.to_string() {
            break;
        }
    }
}

/// Listens at one replica after the other, each only for some messages, until all are heard.
async fn listen_restlessly(users: Vec<User>, all: Arc<AtomicBool>, expected: usize) -> Vec<u64> {
    let (mut heard, mut last) = (Vec::new(), Some("0".to_owned()));
    for round in 0.. {
        let user = &users[round % users.len()];
        let mut listener = Listener::after(user, last.as_deref()).await;
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
async fn across_replicas_and_reconnects_every_message_is_heard_exactly_once() {
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
    for id in ["", "x", "9-", "9-10", "-1", "99999999999999999999"] {
        let request = bob
            .request(Method::GET, "/events")
            .header("Last-Event-ID", id);
        problem(&Answer::of(request).await, 400);
    }
}

/// How often each kind of statement was executed on the database.
async fn executed(database: &TestDatabase) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT digest_text, CAST(SUM(count_star) AS SIGNED) FROM performance_schema.events_statements_summary_by_digest \
         WHERE schema_name = ? AND digest_text NOT LIKE '%performance_schema%' \
           AND digest_text NOT LIKE 'PREPARE %' GROUP BY digest_text",
    )
    .bind(database.name())
    .fetch_all(&mut database.connect().await)
    .await;
    let rows = rows.expect("the performance schema is on");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Statements for each look of the reader, over twelve of them.
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

/// A look is two or three statements, as soon as nothing else is done: chores, and statements that are used for the first
/// time, are counted, too.
async fn assert_few_statements_per_look(database: &TestDatabase) {
    const TRIES: usize = 10;
    let mut counted = Vec::new();
    while counted.len() < TRIES {
        let statements = statements_per_look(database).await;
        if (2..=3).contains(&statements) {
            return;
        }
        counted.push(statements);
    }
    panic!("{counted:?} statements a look");
}

#[tokio::test]
async fn listeners_cost_the_database_nothing() {
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
async fn what_is_heard_has_no_holes_after_the_database_was_away() {
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

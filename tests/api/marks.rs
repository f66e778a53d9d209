//! Marking several messages as read or unread by one request.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, NewMessage, Service, User, a_few_at_once, all, ask_all, problem};

/// The number of changes in a successful response that leaves no message out.
fn changed(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["has_more"], false, "{}", answer.text);
    answer.json["changed"].as_u64().expect("a number")
}

async fn mark(user: &User, read: bool, ids: &[u64]) -> u64 {
    let body = json!({"read": read, "ids": ids});
    changed(&user.patch("/messages", &body).await)
}

async fn mark_until(user: &User, read: bool, until: u64) -> u64 {
    let body = json!({"read": read, "until": until});
    changed(&user.patch("/messages", &body).await)
}

/// Sends so many messages; returns their ids, the oldest first.
async fn send_all(sender: &User, receiver: &User, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(sender.send(receiver, &format!("number {number}")).await);
    }
    ids
}

/// Gives bob so many messages from alice; returns the id of the newest.
async fn fill(service: &Service, bob: &User, count: usize) -> u64 {
    let database = &service.database;
    database
        .execute(format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) \
             WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
             SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ users.id, 's', 'm', NOW(3) \
             FROM numbers, users WHERE username = 'alice'"
        ))
        .await;
    let received = "INSERT INTO receipts (receiver_id, message_id) \
                    SELECT users.id, messages.id FROM messages, users WHERE username = 'bob'";
    assert_eq!(database.execute(received).await, count as u64);
    bob.inbox("?per_page=1").await[0]
}

#[tokio::test]
async fn messages_named_by_ids_are_marked_and_changes_are_counted() {
    let (_service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let ids = send_all(&alice, &bob, 4).await;
    bob.mark(ids[0], true).await;

    let named = [ids[2], ids[0], ids[1], ids[2]];
    assert_eq!(mark(&bob, true, &named).await, 2, "one was read before");

    assert_eq!(bob.inbox("?unread=true").await, [ids[3]]);
    assert_eq!(mark(&bob, true, &named).await, 0);
    assert_eq!(mark(&bob, false, &named[..2]).await, 2);
    assert_eq!(bob.inbox("?unread=false").await, [ids[1]]);
    assert_eq!(alice.read(ids[1]).await.json["read"], true);
}

/// As JSON Schema has it; some clients have no other numbers.
#[tokio::test]
async fn an_id_whose_fraction_is_zero_is_an_integer() {
    let (_service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let ids = send_all(&alice, &bob, 3).await;
    for body in [
        format!("{{\"read\": true, \"ids\": [{}.0]}}", ids[2]),
        format!("{{\"read\": true, \"until\": {}.0e0}}", ids[0]),
    ] {
        let body: Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(changed(&bob.patch("/messages", &body).await), 1);
    }
    assert_eq!(bob.inbox("?unread=true").await, [ids[1]]);
}

/// The digits of a number count, not its value as a `f64`, which 2^53 + 1 has none of.
#[tokio::test]
async fn an_id_above_two_to_the_53_is_exact_in_every_notation() {
    const ODD: u64 = (1 << 53) + 1;
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let first = alice.send(&bob, "first").await;
    assert!(first < ODD);
    let next = format!("ALTER TABLE messages AUTO_INCREMENT = {}", ODD - 1);
    service.database.execute(next).await;
    let ids = send_all(&alice, &bob, 3).await;
    assert_eq!(ids, [ODD - 1, ODD, ODD + 1]);
    for (field, read) in [
        ("\"ids\": [9007199254740993.0]", true),
        ("\"ids\": [9007199254740993]", false),
        ("\"ids\": [90071992547409930e-1, 9007199254740993.00]", true),
    ] {
        let body = format!("{{\"read\": {read}, {field}}}");
        let request = bob.request(Method::PATCH, "/messages").body(body);
        assert_eq!(changed(&Answer::of(request).await), 1, "{field}");
        let expected = if read { vec![ODD] } else { vec![] };
        assert_eq!(bob.inbox("?unread=false").await, expected, "{field}");
    }
    let body = "{\"read\": false, \"until\": 9007199254740992.0}";
    let request = bob.request(Method::PATCH, "/messages").body(body);
    assert_eq!(
        changed(&Answer::of(request).await),
        0,
        "it is not up to the odd one"
    );
}

#[tokio::test]
async fn a_hundred_messages_can_be_named() {
    let (service, [_, bob]) = Service::with_users(["alice", "bob"]).await;
    fill(&service, &bob, 101).await;
    let ids = bob.inbox("?per_page=100").await;
    assert_eq!(mark(&bob, true, &ids).await, 100);
    assert_eq!(bob.get("").await.json["unread"], 1);
}

#[tokio::test]
async fn messages_that_are_not_received_are_ignored_whether_or_not_they_exist() {
    let (_service, [alice, bob, carol]) = Service::with_users(["alice", "bob", "carol"]).await;
    let (own, deleted) = (
        alice.send(&carol, "own").await,
        alice.send(&carol, "deleted").await,
    );
    let (sent, foreign) = (
        carol.send(&bob, "sent").await,
        alice.send(&bob, "foreign").await,
    );
    assert_eq!(carol.delete(deleted).await.status, 204);
    let mut answers = BTreeSet::new();
    for other in [sent, foreign, deleted, foreign + 1_000_000] {
        assert_eq!(mark(&carol, false, &[own]).await, u64::from(other != sent));
        let body = json!({"read": true, "ids": [other, own]});
        let answer = carol.patch("/messages", &body).await;
        assert_eq!(changed(&answer), 1, "{other}");
        answers.insert(answer.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(mark_until(&carol, true, foreign + 1_000_000).await, 0);
    assert_eq!(bob.inbox("?unread=true").await, [foreign, sent]);
    assert_eq!(alice.read(deleted).await.json["read"], false);
}

#[tokio::test]
async fn until_leaves_out_what_arrived_meanwhile() {
    let (_service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let seen = send_all(&alice, &bob, 3).await;
    bob.mark(seen[0], true).await;
    let of_others = bob.send(&alice, "to alice").await;
    let unseen = alice.send(&bob, "meanwhile").await;

    assert_eq!(mark_until(&bob, true, seen[2]).await, 2);

    assert_eq!(bob.inbox("?unread=true").await, [unseen]);
    assert_eq!(alice.read(of_others).await.json["read"], false);
    // The bound need not be a message of the user, nor exist.
    assert_eq!(mark_until(&bob, false, of_others).await, 3);
    assert_eq!(mark_until(&bob, true, i64::MAX.unsigned_abs()).await, 4);
    assert!(bob.inbox("?unread=true").await.is_empty());
    assert_eq!(
        mark_until(&bob, true, i64::MAX.unsigned_abs()).await,
        0,
        "repeated"
    );
}

#[tokio::test]
async fn exactly_one_of_ids_and_until_is_given_and_valid() {
    let (_service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "unread").await;
    let cases: &[(Value, &[&str])] = &[
        (json!({"read": true}), &["#/ids", "#/until"]),
        (
            json!({"read": true, "ids": [id], "until": id}),
            &["#/ids", "#/until"],
        ),
        (json!({"ids": [id]}), &["#/read"]),
        (json!({"read": "yes", "until": 0}), &["#/read", "#/until"]),
        (json!({"read": true, "ids": []}), &["#/ids"]),
        (json!({"read": true, "ids": vec![id; 101]}), &["#/ids"]),
        (json!({"read": true, "ids": id}), &["#/ids"]),
        (json!({"read": true, "ids": null}), &["#/ids"]),
        (
            json!({"read": true, "ids": [0, id, -1, "1", 1.5, null, u64::MAX, [id]]}),
            &[
                "#/ids/0", "#/ids/2", "#/ids/3", "#/ids/4", "#/ids/5", "#/ids/6", "#/ids/7",
            ],
        ),
        (json!({"read": true, "until": "1"}), &["#/until"]),
        (json!({"read": true, "until": null}), &["#/until"]),
        (json!({"read": true, "until": [id]}), &["#/until"]),
        (json!({"read": true, "until": id, "id": id}), &["#/id"]),
    ];
    for (body, pointers) in cases {
        let answer = alice.patch("/messages", body).await;
        problem(&answer, 422);
        assert_eq!(&answer.pointers(), pointers, "{body}: {}", answer.text);
    }
    assert_eq!(alice.read(id).await.json["read"], false);
    let words = json!({"read": "true", "until": id});
    assert_eq!(changed(&alice.patch("/messages", &words).await), 1);
}

#[tokio::test]
async fn the_tag_of_the_list_changes_with_the_marks() {
    let (_service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let ids = send_all(&alice, &bob, 3).await;
    let tag = async || bob.get("/messages").await.header("ETag").to_owned();
    let unread = tag().await;

    assert_eq!(mark(&bob, true, &ids[..2]).await, 2);
    let two = tag().await;
    assert_eq!(mark_until(&bob, true, ids[2]).await, 1);
    let three = tag().await;
    assert_eq!(mark_until(&bob, true, ids[2]).await, 0);

    assert_eq!(tag().await, three);
    assert_eq!(BTreeSet::from([&unread, &two, &three]).len(), 3);
    assert_eq!(mark(&bob, false, &ids).await, 3);
    assert_eq!(tag().await, unread, "as before the marks");
}

#[tokio::test]
async fn a_request_changes_the_newest_thousand_and_says_that_more_remain() {
    let (service, [_, bob]) = Service::with_users(["alice", "bob"]).await;
    let newest = fill(&service, &bob, 2_000).await;
    let oldest = newest - 1_999;
    let body = json!({"read": true, "until": newest - 1});
    for (expected, has_more, last_unread) in [
        (1_000, true, newest - 1_001),
        (999, false, newest),
        (0, false, newest),
    ] {
        let answer = bob.patch("/messages", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            answer.json,
            json!({"changed": expected, "has_more": has_more})
        );
        let query = format!("?unread=true&per_page=1&before={newest}");
        let left = bob.inbox(&query).await;
        let is_left = last_unread < newest;
        assert_eq!(left, if is_left { vec![last_unread] } else { vec![] });
    }
    assert_eq!(bob.inbox("?unread=true").await, [newest]);
    assert_eq!(bob.read(oldest).await.json["read"], true);
}

#[tokio::test]
async fn another_user_cannot_mark() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let id = alice.send(&bob, "unread").await;
    let body = json!({"read": true, "until": id});
    let impostor = User::new(&service.url, "bob", alice.token.clone());
    problem(&impostor.patch("/messages", &body).await, 403);
    let nobody = service.request(Method::PATCH, "/users/bob/messages");
    problem(&Answer::of(nobody.json(&body)).await, 401);
    assert_eq!(bob.read(id).await.json["read"], false);
}

/// Of requests that overlap, each counts only its own changes.
#[tokio::test]
async fn concurrent_requests_change_each_message_once() {
    let (service, [_, bob]) = Service::with_users(["alice", "bob"]).await;
    let newest = fill(&service, &bob, 600).await;
    let requests = (0..24).map(|number| {
        let body = match number % 3 {
            0 => json!({"read": true, "until": newest}),
            1 => json!({"read": true, "until": newest - 200}),
            // In the opposite order of that in which they are locked.
            _ => {
                json!({"read": true, "ids": (newest - 99..=newest).rev().collect::<Vec<_>>()})
            }
        };
        bob.request(Method::PATCH, "/messages").json(&body)
    });
    let answers = all(ask_all(requests)).await;
    assert_eq!(answers.iter().map(changed).sum::<u64>(), 600);
    assert!(bob.inbox("?unread=true").await.is_empty());
}

#[tokio::test]
async fn single_marks_deletions_and_sends_go_on_meanwhile() {
    const ROUNDS: u64 = 40;
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let newest = fill(&service, &bob, 300).await;
    let path = |id: u64| format!("/messages/{id}");
    let several = |read: bool| {
        let body = json!({"read": read, "until": newest});
        bob.request(Method::PATCH, "/messages").json(&body)
    };
    let requests = (0..ROUNDS).flat_map(|round| {
        let id = newest - 3 * round;
        let single = bob.request(Method::PATCH, &path(id));
        [
            several(round % 2 == 0),
            single.json(&json!({"read": round % 3 == 0})),
            bob.request(Method::DELETE, &path(id - 1)),
            alice.request(Method::DELETE, &path(id - 2)),
            alice
                .request(Method::POST, "/messages")
                .json(&NewMessage::to("bob").json()),
        ]
    });
    let answers = a_few_at_once(requests).await;
    for (number, answer) in answers.iter().enumerate() {
        let expected = [200, 200, 204, 204, 201][number % 5];
        assert_eq!(answer.status, expected, "{number}: {}", answer.text);
    }

    let left = 300 - 2 * ROUNDS;
    assert_eq!(bob.inbox("?per_page=100").await.len(), 100);
    mark_until(&bob, true, newest).await;
    assert_eq!(
        mark_until(&bob, false, newest).await,
        left,
        "none came back"
    );
    assert_eq!(bob.get("").await.json["unread"], left + ROUNDS);
}

//! Messages to several receivers, and the sent box.

use serde_json::{Value, json};

use crate::support::{Answer, Service, User, problem};

async fn three() -> (Service, User, User, User) {
    let (service, [alice, bob, carol]) = Service::with_users(["alice", "bob", "carol"]).await;
    (service, alice, bob, carol)
}

fn to(receivers: &Value) -> Value {
    json!({"receivers": receivers, "subject": "s", "message": "m"})
}

async fn send_to(sender: &User, receivers: &[&str]) -> u64 {
    let sent = sender.post("/messages", &to(&json!(receivers))).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.json["id"].as_u64().expect("an id")
}

async fn sent_box(user: &User, query: &str) -> Value {
    let answer = user.get(&format!("/messages?box=sent{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

fn ids(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("messages").iter();
    messages
        .map(|message| message["id"].as_u64().expect("an id"))
        .collect()
}

fn receivers(reads: &[(&str, bool)]) -> Value {
    let all = reads
        .iter()
        .map(|(name, read)| json!({"username": name, "read": read}));
    all.collect()
}

#[tokio::test]
async fn one_message_reaches_each_receiver_once() {
    let (_service, alice, bob, carol) = three().await;

    let sent = alice
        .post("/messages", &to(&json!(["Carol", "bob", "CAROL", "alice"])))
        .await;

    assert_eq!(sent.status, 201, "{}", sent.text);
    let id = sent.json["id"].as_u64().expect("an id");
    assert_eq!(
        sent.json["receivers"],
        receivers(&[("alice", false), ("bob", false), ("carol", false)])
    );
    for user in [&alice, &bob, &carol] {
        assert_eq!(user.inbox("").await, [id], "{}", user.name);
        let read = user.read(id).await.json;
        assert_eq!(read["receiver"], user.name.as_str());
    }
}

#[tokio::test]
async fn a_hundred_receivers_are_served_and_one_more_is_refused() {
    let (service, alice, ..) = three().await;
    service
        .database
        .execute(
            "INSERT INTO users (username, email, normalized_email, password_hash, created_at) \
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
             SELECT CONCAT('user', i), '', CONCAT('user', i), '', NOW(3) FROM n",
        )
        .await;
    let names: Vec<_> = (0..=100).map(|number| format!("user{number}")).collect();

    let hundred = alice.post("/messages", &to(&json!(names[..100]))).await;
    let more = alice.post("/messages", &to(&json!(names))).await;

    assert_eq!(hundred.status, 201, "{}", hundred.text);
    assert_eq!(
        hundred.json["receivers"].as_array().map(Vec::len),
        Some(100)
    );
    assert_eq!(service.database.execute("DELETE FROM receipts").await, 100);
    problem(&more, 422);
    assert_eq!(more.pointers(), ["#/receivers"]);
}

#[tokio::test]
async fn an_unknown_receiver_is_named_and_nothing_is_sent() {
    let (service, alice, ..) = three().await;
    for names in [
        json!(["bob", "nobody", "carol", "noone"]),
        json!(["nobody", "noone"]),
        json!(["noone", "nobody", "bob"]),
    ] {
        let answer = alice.post("/messages", &to(&names)).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/receivers", "#/receivers"]);
        for (name, is_named) in [("nobody", true), ("noone", true), ("bob", false)] {
            assert_eq!(
                answer.text.contains(&format!("'{name}'")),
                is_named,
                "{}",
                answer.text
            );
        }
    }
    assert_eq!(service.database.execute("DELETE FROM messages").await, 0);
}

#[tokio::test]
async fn receivers_that_are_not_valid_are_named_by_their_place() {
    let (_service, alice, ..) = three().await;
    let cases = [
        (to(&json!([])), vec!["#/receivers"]),
        (to(&json!("bob")), vec!["#/receivers"]),
        (to(&Value::Null), vec!["#/receivers"]),
        (
            to(&json!(["bob", 7, "no body", "x/y"])),
            vec!["#/receivers/1", "#/receivers/2", "#/receivers/3"],
        ),
        (
            json!({"receiver": "bob", "receivers": ["carol"], "subject": "s", "message": "m"}),
            vec!["#/receiver", "#/receivers"],
        ),
        (json!({"subject": "s", "message": "m"}), vec!["#/receiver"]),
    ];
    for (body, pointers) in cases {
        let answer = alice.post("/messages", &body).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), pointers, "{body}");
    }
}

#[tokio::test]
async fn only_the_sender_sees_all_receivers_and_their_read_marks() {
    let (_service, alice, bob, carol) = three().await;
    let id = send_to(&alice, &["bob", "carol"]).await;

    bob.mark(id, true).await;

    for user in [&bob, &carol] {
        let answers = [user.read(id).await, user.get("/messages").await];
        for Answer { text, .. } in answers {
            assert!(!text.contains("receivers"), "{text}");
        }
    }
    let seen = alice.read(id).await.json;
    let expected = receivers(&[("bob", true), ("carol", false)]);
    assert_eq!(seen["receivers"], expected);
    assert_eq!(
        (&seen["receiver"], &seen["read"]),
        (&json!("bob"), &json!(false))
    );
    assert_eq!(sent_box(&alice, "").await["messages"], json!([seen]));
    carol.mark(id, true).await;
    assert_eq!(alice.read(id).await.json["read"], true, "all have");
}

#[tokio::test]
async fn the_senders_delete_takes_it_from_all_and_a_receivers_from_one() {
    let (_service, alice, bob, carol) = three().await;
    let id = send_to(&alice, &["bob", "carol"]).await;

    assert_eq!(bob.delete(id).await.status, 204);

    assert_eq!(carol.inbox("").await, [id]);
    let seen = sent_box(&alice, "").await;
    let expected = receivers(&[("bob", false), ("carol", false)]);
    assert_eq!(
        seen["messages"][0]["receivers"], expected,
        "the sender still knows whom it went to"
    );
    assert_eq!(alice.delete(id).await.status, 204);
    assert!(carol.inbox("").await.is_empty());
    assert!(ids(&sent_box(&alice, "").await).is_empty());
}

#[tokio::test]
async fn the_sent_box_lists_sent_messages_with_their_receivers_only() {
    let (_service, alice, bob, _) = three().await;
    let first = alice.send(&bob, "one").await;
    bob.send(&alice, "answer").await;
    let note = alice.send(&alice, "note").await;

    let page = sent_box(&alice, "").await;

    assert_eq!(ids(&page), [note, first]);
    assert_eq!(
        page["messages"][0]["receivers"],
        receivers(&[("alice", false)])
    );
    assert_eq!(
        page["messages"][1]["receivers"],
        receivers(&[("bob", false)])
    );
    assert_eq!(alice.inbox("?box=inbox").await, alice.inbox("").await);
}

#[tokio::test]
async fn the_sent_box_is_read_page_by_page() {
    let (_service, alice, bob, _) = three().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.insert(0, alice.send(&bob, &number.to_string()).await);
    }
    assert_eq!(
        ids(&sent_box(&alice, "&per_page=2&page=2").await),
        sent[2..4]
    );
    let (mut read, mut next) = (Vec::new(), "/messages?box=sent&per_page=2".to_owned());
    loop {
        let page = alice.get(&next).await;
        read.extend(ids(&page.json));
        assert!(
            page.header("Link").contains("box=sent"),
            "{}",
            page.header("Link")
        );
        let Some(following) = page.json["next"].as_str() else {
            break;
        };
        next = following.replace("/users/alice", "");
    }
    assert_eq!(read, sent);
}

#[tokio::test]
async fn a_box_that_is_none_or_a_filter_that_does_not_apply_is_refused() {
    let (_service, alice, ..) = three().await;
    for (query, pointer) in [
        ("?box=outbox", "?box"),
        ("?box=", "?box"),
        ("?box=sent&box=sent", "?box"),
        ("?box=sent&unread=true", "?unread"),
    ] {
        let answer = alice.get(&format!("/messages{query}")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [pointer], "{query}");
    }
}

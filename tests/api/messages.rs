//! Sending, reading, marking and deleting.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, NewMessage, Service, User, problem};

async fn three() -> (Service, User, User, User) {
    let (service, [alice, bob, carol]) = Service::with_users(["alice", "bob", "carol"]).await;
    (service, alice, bob, carol)
}

/// The body of a 404 without the path.
fn not_found(answer: &Answer) -> String {
    let document = problem(answer, 404);
    let instance = document["instance"].as_str().expect("a path");
    answer.text.replace(instance, "")
}

#[tokio::test]
async fn sending_answers_with_the_message_and_where_it_is() {
    let (_service, alice, bob, _) = three().await;
    let before = Utc::now();

    let new = NewMessage::to("BOB")
        .subject("Lunch")
        .text("At noon?")
        .json();
    let sent = alice.post("/messages", &new).await;

    assert_eq!(sent.status, 201);
    let id = sent.json["id"].as_u64().expect("a number");
    assert_eq!(
        sent.header("Location"),
        format!("/users/alice/messages/{id}")
    );
    let created_at = sent.json["created_at"].as_str().expect("a time").to_owned();
    assert_eq!(created_at.len(), 24, "{created_at}"); // 2026-11-22T12:00:00.000Z
    let created: DateTime<Utc> = created_at.parse().expect("RFC 3339");
    assert!((created - before).num_minutes().abs() < 5);
    let expected = json!({
        "id": id, "sender": "alice", "receiver": "bob", "subject": "Lunch", "message": "At noon?",
        "created_at": created_at, "read": false,
    });
    assert_eq!(sent.json, expected);
    assert_eq!(
        alice.read(id).await.json,
        expected,
        "the sender reads what was answered"
    );
    assert_eq!(
        bob.read(id).await.json,
        expected,
        "and so does the receiver"
    );
    assert_eq!(
        bob.get("/messages").await.json["messages"],
        json!([expected]),
        "also in the feed"
    );
}

#[tokio::test]
async fn the_feed_has_received_messages_only() {
    let (_service, alice, bob, carol) = three().await;
    let to_bob = alice.send(&bob, "one").await;
    let to_alice = bob.send(&alice, "two").await;

    assert_eq!(alice.inbox("").await, [to_alice]);
    assert_eq!(bob.inbox("").await, [to_bob]);
    assert!(carol.inbox("").await.is_empty());
}

#[tokio::test]
async fn a_receiver_who_does_not_exist_is_named() {
    let (service, alice, ..) = three().await;
    for receiver in ["nobody", "al", "no body", ""] {
        let new = NewMessage::to(receiver).json();
        let answer = alice.post("/messages", &new).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/receiver"], "{receiver}");
    }
    let answer = alice
        .post("/messages", &NewMessage::to("nobody").json())
        .await;
    assert!(answer.text.contains("'nobody'"), "{}", answer.text);
    assert_eq!(
        service.database.execute("DELETE FROM messages").await,
        0,
        "nothing was sent"
    );
}

#[tokio::test]
async fn values_that_are_not_valid_are_named() {
    let (_service, alice, ..) = three().await;
    let cases = [
        ("subject", json!(""), "empty"),
        ("subject", json!("s".repeat(256)), "too long"),
        ("subject", json!(1), "a number"),
        ("message", json!(""), "empty"),
        ("message", json!("m".repeat(65_536)), "a byte too long"),
        (
            "message",
            json!("\u{1F511}".repeat(16_384)),
            "too long in bytes, though not in characters",
        ),
        ("message", json!(false), "a boolean"),
        ("receiver", json!(["bob"]), "a list"),
        ("id", json!(7), "not for the client to choose"),
        ("sender", json!("bob"), "not for the client to choose"),
        (
            "created_at",
            json!("2020-01-01T00:00:00Z"),
            "not for the client to choose",
        ),
    ];
    for (field, value, reason) in cases {
        let new = NewMessage::to("bob").with(field, value).json();
        let answer = alice.post("/messages", &new).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [format!("#/{field}")], "{reason}");
    }
}

#[tokio::test]
async fn a_message_arrives_byte_for_byte() {
    let (_service, alice, bob, _) = three().await;
    let texts = [
        " leading and trailing \t\r\n ".to_owned(),
        "\u{0}\u{1}\u{1F}\u{7F}\u{FEFF}".to_owned(),
        "\u{1F511}\u{10FFFF}\u{D7FF}\u{E000}".to_owned(),
        "e\u{301} is not \u{e9}".to_owned(),
        "<script>alert('x')</script> \\ \" ' ; -- %00 %s {0}".to_owned(),
        "x".repeat(65_535),
        "\u{1F511}".repeat(16_383),
        // The longest JSON of a text: six bytes for each byte.
        "\u{1}".repeat(65_535),
    ];
    for text in texts {
        let subject: String = text.chars().take(255).collect();
        let new = NewMessage::to("bob").subject(&subject).text(&text).json();
        let sent = alice.post("/messages", &new).await;
        assert_eq!(sent.status, 201, "{}", sent.text);
        let read = bob.read(sent.json["id"].as_u64().expect("an id")).await;
        assert_eq!(read.json["message"], text);
        assert_eq!(read.json["subject"], subject);
    }
}

#[tokio::test]
async fn the_read_mark_takes_booleans_and_words() {
    let (_service, alice, bob, _) = three().await;
    let id = alice.send(&bob, "one").await;
    let cases = [
        (json!(true), true),
        (json!(false), false),
        (json!("true"), true),
        (json!("false"), false),
        (json!("\"true\""), true),
        (json!(true), true),
        (json!(true), true),
    ];
    for (given, read) in cases {
        let answer = bob
            .patch(&format!("/messages/{id}"), &json!({"read": given}))
            .await;
        assert_eq!(answer.status, 200, "{given}: {}", answer.text);
        assert_eq!(answer.json["read"], read, "{given}");
        assert_eq!(bob.read(id).await.json, answer.json);
    }
    assert_eq!(
        alice.read(id).await.json["read"],
        true,
        "the sender sees it"
    );
}

#[tokio::test]
async fn a_read_mark_that_is_not_one_is_refused_and_changes_nothing() {
    let (_service, alice, bob, _) = three().await;
    let id = alice.send(&bob, "one").await;
    for given in [
        json!(1),
        json!("yes"),
        json!("TRUE"),
        json!(""),
        Value::Null,
        json!([true]),
    ] {
        let answer = bob
            .patch(&format!("/messages/{id}"), &json!({"read": given}))
            .await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/read"], "{given}");
    }
    let missing = bob.patch(&format!("/messages/{id}"), &json!({})).await;
    assert_eq!(missing.pointers(), ["#/read"]);
    let other = bob
        .patch(
            &format!("/messages/{id}"),
            &json!({"read": true, "subject": "mine"}),
        )
        .await;
    assert_eq!(other.pointers(), ["#/subject"]);
    assert_eq!(bob.read(id).await.json["read"], false);
}

#[tokio::test]
async fn only_a_receiver_marks() {
    let (_service, alice, bob, carol) = three().await;
    let id = alice.send(&bob, "one").await;
    problem(&alice.mark(id, true).await, 404);
    problem(&carol.mark(id, true).await, 404);
    assert_eq!(bob.read(id).await.json["read"], false);
}

#[tokio::test]
async fn the_feed_filters_by_read_and_unread_in_all_spellings() {
    let (_service, alice, bob, _) = three().await;
    let (old, middle, new) = (
        alice.send(&bob, "1").await,
        alice.send(&bob, "2").await,
        alice.send(&bob, "3").await,
    );
    bob.mark(middle, true).await;
    for query in ["?unread=true", "?unread=%22true%22"] {
        assert_eq!(bob.inbox(query).await, [new, old], "{query}");
    }
    for query in ["?unread=false", "?unread=%22false%22"] {
        assert_eq!(bob.inbox(query).await, [middle], "{query}");
    }
    assert_eq!(bob.inbox("").await, [new, middle, old]);
    bob.mark(middle, false).await;
    assert_eq!(
        bob.inbox("?unread=true").await,
        [new, middle, old],
        "unread again"
    );
}

#[tokio::test]
async fn a_senders_deletion_removes_the_message_for_all() {
    let (_service, alice, bob, _) = three().await;
    let (gone, stays) = (
        alice.send(&bob, "gone").await,
        alice.send(&bob, "stays").await,
    );

    let deleted = alice.delete(gone).await;

    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    for user in [&alice, &bob] {
        problem(&user.read(gone).await, 404);
        problem(&user.delete(gone).await, 404);
    }
    problem(&bob.mark(gone, true).await, 404);
    assert_eq!(bob.inbox("").await, [stays]);
}

#[tokio::test]
async fn a_receivers_deletion_affects_their_inbox_only() {
    let (_service, alice, bob, _) = three().await;
    let (gone, stays) = (
        alice.send(&bob, "gone").await,
        alice.send(&bob, "stays").await,
    );
    bob.mark(gone, true).await;

    assert_eq!(bob.delete(gone).await.status, 204);

    problem(&bob.read(gone).await, 404);
    problem(&bob.mark(gone, false).await, 404);
    problem(&bob.delete(gone).await, 404);
    assert_eq!(bob.inbox("").await, [stays]);
    assert!(bob.inbox("?unread=false").await.is_empty());
    let seen = alice.read(gone).await;
    assert_eq!(seen.status, 200, "the sender reads it still");
    assert_eq!(seen.json["receiver"], "bob");
    assert_eq!(
        seen.json["read"], true,
        "as it was when the receiver let go of it"
    );
    assert_eq!(alice.delete(gone).await.status, 204, "and deletes it still");
    problem(&alice.read(gone).await, 404);
}

#[tokio::test]
async fn a_message_to_oneself_is_sent_received_and_deleted_once() {
    let (_service, alice, ..) = three().await;
    let id = alice.send(&alice, "note").await;
    assert_eq!(alice.inbox("").await, [id]);
    assert_eq!(alice.mark(id, true).await.json["read"], true);
    assert_eq!(alice.delete(id).await.status, 204);
    problem(&alice.read(id).await, 404);
    assert!(alice.inbox("").await.is_empty());
}

#[tokio::test]
async fn a_message_of_other_users_is_the_same_as_none() {
    let (_service, alice, bob, carol) = three().await;
    let id = alice.send(&bob, "secret").await;
    let absent = id + 1_000_000;
    let mut documents = Vec::new();
    for name in [id, absent] {
        documents.push(not_found(&carol.read(name).await));
        documents.push(not_found(&carol.mark(name, true).await));
        documents.push(not_found(&carol.delete(name).await));
    }
    assert!(
        documents.windows(2).all(|pair| pair[0] == pair[1]),
        "{documents:?}"
    );
    assert_eq!(
        bob.read(id).await.json["read"],
        false,
        "nothing happened to it"
    );
}

#[tokio::test]
async fn the_headers_of_a_404_tell_no_more_than_its_body() {
    let (_service, alice, bob, carol) = three().await;
    let id = alice.send(&bob, "secret").await;
    let names = |answer: &Answer| {
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names
    };
    assert_eq!(
        names(&carol.read(id).await),
        names(&carol.read(id + 1_000_000).await)
    );
}

#[tokio::test]
async fn an_id_has_one_spelling_only() {
    let (_service, alice, bob, _) = three().await;
    let id = alice.send(&bob, "one").await;
    let absent = not_found(&bob.read(id + 1_000_000).await);
    for spelling in [
        format!("0{id}"),
        format!("+{id}"),
        format!("{id}.0"),
        format!("%20{id}"),
        format!("-{id}"),
        "0".to_owned(),
        "x".to_owned(),
        "%00".to_owned(),
        "18446744073709551615".to_owned(),
        "18446744073709551616".to_owned(),
        "99999999999999999999999999".to_owned(),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = Answer::of(bob.request(method, &format!("/messages/{spelling}"))).await;
            assert_eq!(not_found(&answer), absent, "{spelling}");
        }
        let answer = bob
            .patch(&format!("/messages/{spelling}"), &json!({"read": true}))
            .await;
        assert_eq!(not_found(&answer), absent, "{spelling}");
    }
}

/// The data model has several receivers, and every rule applies to each of them.
#[tokio::test]
async fn each_of_several_receivers_has_the_message_for_themselves() {
    let (service, alice, bob, carol) = three().await;
    let id = alice.send(&bob, "to both").await;
    let also = format!(
        "INSERT INTO receipts (receiver_id, message_id) SELECT id, {id} FROM users WHERE username = 'carol'"
    );
    service.database.execute(also).await;

    assert_eq!(bob.read(id).await.json["receiver"], "bob");
    assert_eq!(carol.read(id).await.json["receiver"], "carol");
    assert_eq!(bob.mark(id, true).await.json["read"], true);
    assert_eq!(
        carol.read(id).await.json["read"],
        false,
        "each has their own mark"
    );
    assert_eq!(bob.delete(id).await.status, 204);
    assert_eq!(carol.inbox("").await, [id], "and their own feed");
    assert_eq!(alice.delete(id).await.status, 204);
    assert!(carol.inbox("").await.is_empty());
    problem(&carol.read(id).await, 404);
}

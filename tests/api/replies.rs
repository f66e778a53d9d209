//! Replies: a message that answers another one, and the conversation that a user can read by it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{AHEAD, Answer, Listener, NewMessage, Service, User, at_once, problem, until};

async fn three() -> (Service, User, User, User) {
    let (service, [alice, bob, carol]) = Service::with_users(["alice", "bob", "carol"]).await;
    (service, alice, bob, carol)
}

fn answering(original: u64, receivers: &[&str]) -> Value {
    let new = match receivers {
        [receiver] => NewMessage::to(receiver),
        _ => NewMessage::to_several(receivers),
    };
    new.with("in_reply_to", original).json()
}

async fn send_with(sender: &User, new: &Value, key: Option<&str>) -> Answer {
    let mut request = sender.request(Method::POST, "/messages").json(new);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    Answer::of(request).await
}

/// Sends a reply and returns its id.
async fn reply(sender: &User, original: u64, receivers: &[&str]) -> u64 {
    let answer = send_with(sender, &answering(original, receivers), None).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json["in_reply_to"], original, "{}", answer.text);
    answer.json["id"].as_u64().expect("an id")
}

/// The messages of a list.
async fn list(user: &User, query: &str) -> Vec<Value> {
    let answer = user.get(&format!("/messages{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["messages"].as_array().expect("a list").clone()
}

/// The ids of the messages in a conversation, as it is listed.
async fn conversation(user: &User, id: u64) -> Vec<u64> {
    user.inbox(&format!("?conversation={id}")).await
}

/// The message of a list of such.
fn find(messages: &[Value], id: u64) -> &Value {
    let found = messages.iter().find(|message| message["id"] == id);
    found.unwrap_or_else(|| panic!("{id} is missing in {messages:?}"))
}

/// The number of rows in `replies` with a condition.
async fn rows(service: &Service, condition: &str) -> u64 {
    let count = format!("UPDATE replies SET root_id = root_id WHERE {condition}");
    service.database.execute(count).await
}

#[tokio::test]
async fn a_reply_names_its_original_wherever_it_is_shown_and_other_messages_do_not() {
    let (_service, alice, bob, _) = three().await;
    let original = alice.send(&bob, "lunch").await;
    let answer = reply(&bob, original, &["alice"]).await;
    let plain = bob.send(&alice, "something else").await;

    for user in [&alice, &bob] {
        assert_eq!(user.read(answer).await.json["in_reply_to"], original);
        assert_eq!(user.read(plain).await.json.get("in_reply_to"), None);
    }
    let above = format!("?before={}", plain + 1);
    for query in ["", "?unread=true", "?per_page=99", &above, "?q=m&from=bob"] {
        let messages = list(&alice, query).await;
        assert_eq!(find(&messages, answer)["in_reply_to"], original, "{query}");
        assert_eq!(find(&messages, plain).get("in_reply_to"), None, "{query}");
    }
    for query in ["?box=sent", "?box=sent&q=m"] {
        let messages = list(&bob, query).await;
        assert_eq!(find(&messages, answer)["in_reply_to"], original, "{query}");
        assert_eq!(find(&messages, plain).get("in_reply_to"), None, "{query}");
    }
    for (user, part) in [(&alice, "received"), (&bob, "sent")] {
        let export = user.get("/export").await.json;
        let messages = export[part].as_array().expect("a list");
        assert_eq!(find(messages, answer)["in_reply_to"], original, "{part}");
        assert_eq!(find(messages, plain).get("in_reply_to"), None, "{part}");
    }
    assert_eq!(alice.mark(answer, true).await.json["in_reply_to"], original);
    assert_eq!(bob.read(original).await.json.get("in_reply_to"), None);
}

#[tokio::test]
async fn pages_and_marks_that_share_a_statement_show_replies() {
    let (service, alice, bob, carol) = three().await;
    let original = alice.send(&bob, "lunch").await;
    let of_alice = reply(&bob, original, &["alice"]).await;
    let of_carol = bob.send(&carol, "no reply").await;
    let readers = [
        (&alice, of_alice, json!(original)),
        (&carol, of_carol, Value::Null),
    ];
    let readers: Vec<_> = (0..AHEAD + 12).map(|number| &readers[number % 2]).collect();

    let pages = readers
        .iter()
        .map(|(user, ..)| user.request(Method::GET, "/messages"));
    let answers = at_once(&service.database, "receipts", pages).await;
    for ((_, id, expected), answer) in readers.iter().zip(answers) {
        let messages = answer.json["messages"].as_array().expect("a list");
        assert_eq!(&find(messages, *id)["in_reply_to"], expected);
    }
    let marks = readers.iter().map(|(user, id, _)| {
        let request = user.request(Method::PATCH, &format!("/messages/{id}"));
        request.json(&json!({"read": true}))
    });
    let answers = at_once(&service.database, "receipts", marks).await;
    for ((.., expected), answer) in readers.iter().zip(answers) {
        assert_eq!(&answer.json["in_reply_to"], expected, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_original_that_the_sender_cannot_see_is_refused_as_if_it_did_not_exist() {
    let (service, alice, bob, carol) = three().await;
    let foreign = alice.send(&bob, "foreign").await;
    let unsent = alice.send(&carol, "deleted by its sender").await;
    assert_eq!(alice.delete(unsent).await.status, 204);
    let removed = alice.send(&carol, "deleted by its receiver").await;
    assert_eq!(carol.delete(removed).await.status, 204);
    let blocking = Answer::of(carol.request(Method::PUT, "/blocks/alice")).await;
    assert_eq!(blocking.status, 204);
    let blocked = alice.send(&carol, "blocked").await;
    let mut answers = BTreeSet::new();
    for original in [
        foreign,
        unsent,
        removed,
        blocked,
        blocked + 1,
        i64::MAX.unsigned_abs(),
    ] {
        for (key, receivers) in [
            (None, &["bob"][..]),
            (None, &["alice", "bob"]),
            (Some("key"), &["bob"]),
            (Some("key"), &["alice", "bob"]),
        ] {
            let answer = send_with(&carol, &answering(original, receivers), key).await;
            let mut document = problem(&answer, 422).clone();
            assert_eq!(answer.pointers(), ["#/in_reply_to"], "{original}");
            document["instance"] = Value::Null;
            answers.insert(document.to_string());
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(list(&carol, "?box=sent").await.is_empty());
    assert_eq!(rows(&service, "TRUE").await, 0);
    // The key is unused, and the next id was not consumed.
    let sent = send_with(&carol, &NewMessage::to("bob").json(), Some("key")).await;
    assert_eq!(sent.json["id"], blocked + 1, "{}", sent.text);
}

#[tokio::test]
async fn an_error_names_unknown_receivers_and_the_original() {
    let (_service, alice, bob, carol) = three().await;
    let foreign = alice.send(&bob, "foreign").await;
    let several = send_with(&carol, &answering(foreign, &["bob", "nobody"]), None).await;
    problem(&several, 422);
    assert_eq!(several.pointers(), ["#/receivers", "#/in_reply_to"]);
    let own = alice.send(&carol, "seen").await;
    let one = send_with(&carol, &answering(own, &["nobody"]), None).await;
    problem(&one, 422);
    assert_eq!(one.pointers(), ["#/receiver"]);
}

#[tokio::test]
async fn in_reply_to_is_an_integer() {
    let (_service, alice, ..) = three().await;
    let id = alice.send(&alice, "to myself").await;
    for value in [
        json!(null),
        json!("1"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!([id]),
        json!(u64::MAX),
    ] {
        let new = NewMessage::to("bob").with("in_reply_to", value).json();
        let answer = alice.post("/messages", &new).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/in_reply_to"], "{new}");
    }
    let new = format!(
        "{{\"receiver\": \"bob\", \"subject\": \"s\", \"message\": \"m\", \"in_reply_to\": {id}.0}}"
    );
    let sent = Answer::of(alice.request(Method::POST, "/messages").body(new)).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!(sent.json["in_reply_to"], id);
}

#[tokio::test]
async fn a_message_can_be_answered_by_its_sender_and_each_of_its_receivers() {
    let (_service, alice, bob, carol) = three().await;
    let new = NewMessage::to_several(&["bob", "carol"]).json();
    let original = alice.post("/messages", &new).await.json["id"].as_u64();
    let original = original.expect("an id");
    let by_carol = reply(&carol, original, &["alice"]).await;
    assert_eq!(bob.delete(original).await.status, 204);
    let by_alice = reply(&alice, original, &["bob", "carol"]).await;
    let to_myself = reply(&alice, by_alice, &["alice"]).await;

    let all = [to_myself, by_alice, by_carol, original];
    assert_eq!(conversation(&alice, original).await, all);
    assert_eq!(conversation(&alice, to_myself).await, all);
    assert_eq!(
        conversation(&carol, by_alice).await,
        [by_alice, by_carol, original]
    );
    // Bob cannot see the original any more, and never saw the answer of carol.
    assert_eq!(bob.read(by_alice).await.json.get("in_reply_to"), None);
    assert_eq!(conversation(&bob, by_alice).await, [by_alice]);
    assert!(conversation(&bob, original).await.is_empty());
}

/// The id of a message tells that it exists.
#[tokio::test]
async fn a_receiver_who_could_not_see_the_original_does_not_learn_of_it() {
    let (_service, alice, bob, carol) = three().await;
    let hidden = alice.send(&bob, "between us").await;
    let mut listener = Listener::of(&carol).await;
    let forwarded = reply(&bob, hidden, &["alice", "carol"]).await;
    let heard = listener.next().await.expect("an event");
    let back = reply(&carol, forwarded, &["bob"]).await;

    assert_eq!(heard.message(), forwarded);
    assert_eq!(heard.data.get("in_reply_to"), None, "{heard:?}");
    assert_eq!(carol.read(forwarded).await.json.get("in_reply_to"), None);
    assert_eq!(list(&carol, "").await[0].get("in_reply_to"), None);
    assert_eq!(alice.read(forwarded).await.json["in_reply_to"], hidden);
    assert_eq!(bob.read(back).await.json["in_reply_to"], forwarded);
    // For carol, the conversation begins with the message that she received.
    assert_eq!(conversation(&carol, back).await, [back, forwarded]);
    assert_eq!(conversation(&carol, forwarded).await, [back, forwarded]);
    assert_eq!(conversation(&bob, hidden).await, [back, forwarded, hidden]);
    assert_eq!(conversation(&alice, forwarded).await, [forwarded, hidden]);
}

#[tokio::test]
async fn a_conversation_has_what_was_sent_and_received_from_any_of_its_messages() {
    let (_service, alice, bob, _) = three().await;
    let mut chain = vec![alice.send(&bob, "first").await];
    for turn in 0..5 {
        alice.send(&bob, "something else").await;
        let (sender, receiver) = if turn % 2 == 0 {
            (&bob, "alice")
        } else {
            (&alice, "bob")
        };
        chain.push(reply(sender, chain[turn], &[receiver]).await);
    }
    // A second answer to the first message.
    chain.push(reply(&bob, chain[0], &["alice"]).await);
    chain.reverse();
    for user in [&alice, &bob] {
        for id in &chain {
            assert_eq!(&conversation(user, *id).await, &chain, "{id}");
        }
    }
    bob.mark(chain[2], true).await;
    for query in ["?box=sent", ""] {
        for message in list(&bob, query).await {
            if !chain.contains(&message["id"].as_u64().expect("an id")) {
                continue;
            }
            let listed = list(&bob, &format!("?conversation={}", chain[0])).await;
            let id = message["id"].as_u64().expect("an id");
            // As it is read alone: receivers are listed if there are several.
            assert_eq!(find(&listed, id), &bob.read(id).await.json);
        }
    }
}

/// Alice answers herself so many times, to bob; returns the ids of the conversation, newest first.
async fn monologue(alice: &User, bob: &User, answers: usize) -> Vec<u64> {
    let mut chain = vec![alice.send(bob, "first").await];
    for turn in 0..answers {
        chain.push(reply(alice, chain[turn], &[&bob.name]).await);
    }
    chain.reverse();
    chain
}

/// The ids of the messages on a page and on all that follow, page by page; `meanwhile` runs after each.
async fn pages(user: &User, query: &str, meanwhile: impl AsyncFn()) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut next = Some(format!("/messages{query}"));
    while let Some(path) = next {
        let answer = user.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let messages = answer.json["messages"].as_array().expect("a list");
        let id = |message: &Value| message["id"].as_u64().expect("an id");
        pages.push(messages.iter().map(id).collect());
        assert_eq!(answer.json["page"], pages.len());
        next = answer.json["next"].as_str().map(|path| {
            assert!(answer.header("Link").contains(path), "{path}");
            path.trim_start_matches("/users/bob").to_owned()
        });
        meanwhile().await;
    }
    pages
}

#[tokio::test]
async fn a_conversation_is_read_page_by_page() {
    let (_service, alice, bob, _) = three().await;
    let chain = monologue(&alice, &bob, 6).await;
    let query = format!("?conversation={}&per_page=3", chain[3]);
    // A message that arrives in the meantime shifts nothing.
    let meanwhile = async || {
        reply(&alice, chain[0], &["bob"]).await;
    };
    let found = pages(&bob, &query, meanwhile).await;
    assert_eq!(found, [&chain[..3], &chain[3..6], &chain[6..]]);
    // Three have arrived.
    for (page, expected) in [(2, &chain[..3]), (4, &chain[6..]), (5, &chain[7..])] {
        let query = format!("?conversation={}&per_page=3&page={page}", chain[0]);
        assert_eq!(bob.inbox(&query).await, expected, "{page}");
    }
    assert_eq!(pages(&bob, &query, async || ()).await.len(), 4);
}

#[tokio::test]
async fn an_unchanged_conversation_is_a_304() {
    let (_service, alice, bob, _) = three().await;
    let chain = monologue(&alice, &bob, 2).await;
    let path = format!("/messages?conversation={}", chain[0]);
    let tag = bob.get(&path).await.header("ETag").to_owned();
    let again = async || {
        let request = bob.request(Method::GET, &path);
        Answer::of(request.header("If-None-Match", &tag))
            .await
            .status
    };
    assert_eq!(again().await, 304);
    reply(&bob, chain[2], &["alice"]).await;
    assert_eq!(again().await, 200);
}

#[tokio::test]
async fn a_conversation_that_the_user_cannot_see_is_empty_whether_or_not_it_exists() {
    let (_service, alice, bob, carol) = three().await;
    let foreign = alice.send(&bob, "foreign").await;
    let answer = reply(&bob, foreign, &["alice"]).await;
    let removed = alice.send(&carol, "deleted").await;
    carol.delete(removed).await;
    for id in [
        foreign,
        answer,
        removed,
        removed + 1,
        i64::MAX.unsigned_abs(),
    ] {
        let answer = carol.get(&format!("/messages?conversation={id}")).await;
        let empty = json!({"messages": [], "page": 1, "per_page": 20, "next": null});
        assert_eq!((answer.status, answer.json), (200, empty), "{id}");
    }
    let own = carol.send(&bob, "answered by nobody").await;
    assert_eq!(conversation(&carol, own).await, [own]);
    assert_eq!(conversation(&bob, own).await, [own]);
}

#[tokio::test]
async fn a_conversation_cannot_be_combined_with_filters() {
    let (_service, alice, ..) = three().await;
    for (name, value) in [
        ("box", "inbox"),
        ("box", "sent"),
        ("unread", "true"),
        ("from", "bob"),
        ("since", "2026-11-22T12:00:00Z"),
        ("q", "word"),
    ] {
        let answer = alice
            .get(&format!("/messages?conversation=1&{name}={value}"))
            .await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [format!("?{name}")]);
    }
    for value in ["0", "-1", "x", "", "1.0"] {
        let answer = alice.get(&format!("/messages?conversation={value}")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["?conversation"]);
    }
}

#[tokio::test]
async fn deleted_messages_leave_the_conversation_and_the_others_stay() {
    let (service, alice, bob, _) = three().await;
    let first = alice.send(&bob, "first").await;
    let second = reply(&bob, first, &["alice"]).await;
    let third = reply(&alice, second, &["bob"]).await;
    assert_eq!(bob.delete(third).await.status, 204);
    assert_eq!(conversation(&bob, first).await, [second, first]);
    assert_eq!(conversation(&alice, first).await, [third, second, first]);

    assert_eq!(alice.delete(first).await.status, 204);
    for user in [&alice, &bob] {
        assert_eq!(user.read(second).await.json["in_reply_to"], first);
    }
    assert_eq!(conversation(&alice, first).await, [third, second]);
    assert_eq!(conversation(&bob, third).await, [second]);
    assert_eq!(bob.delete(second).await.status, 204);
    assert_eq!(conversation(&alice, third).await, [third]);
    assert_eq!(rows(&service, &format!("message_id = {second}")).await, 0);
}

#[tokio::test]
async fn a_page_of_many_deleted_messages_ends_and_continues() {
    let (service, alice, bob, _) = three().await;
    let first = alice.send(&bob, "first").await;
    let second = reply(&alice, first, &["bob"]).await;
    let database = &service.database;
    let many = "INSERT INTO messages (sender_id, subject, body, created_at) \
         WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500) \
         SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */ users.id, 's', 'm', NOW(3) \
         FROM numbers, users WHERE username = 'alice'";
    assert_eq!(database.execute(many).await, 2_500);
    for statement in [
        "INSERT INTO receipts (receiver_id, message_id, is_deleted) \
         SELECT users.id, messages.id, TRUE FROM messages, users WHERE username = 'bob' AND messages.id > {}",
        "INSERT INTO replies (message_id, user_id, in_reply_to, root_id) \
         SELECT message_id, receiver_id, message_id - 1, {first} FROM receipts WHERE message_id > {}",
    ] {
        let statement = statement
            .replace("{first}", &first.to_string())
            .replace("{}", &second.to_string());
        assert_eq!(database.execute(statement).await, 2_500);
    }
    let query = format!("?conversation={second}&per_page=2");
    let found = pages(&bob, &query, async || ()).await;
    assert_eq!(found, [vec![], vec![], vec![second, first]]);
}

#[tokio::test]
async fn a_retry_of_a_reply_gets_the_first_response() {
    let (_service, alice, bob, _) = three().await;
    let original = alice.send(&bob, "lunch").await;
    let other = alice.send(&bob, "other").await;
    let new = answering(original, &["alice"]);
    let first = send_with(&bob, &new, Some("key")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(alice.delete(original).await.status, 204);

    let again = send_with(&bob, &new, Some("key")).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.json["in_reply_to"], original);
    for different in [answering(other, &["alice"]), NewMessage::to("alice").json()] {
        let refused = send_with(&bob, &different, Some("key")).await;
        let document = problem(&refused, 422);
        assert_eq!(document["type"], "urn:problem-type:herolo:key-reused");
    }
    let plain = NewMessage::to("alice").json();
    let sent = send_with(&bob, &plain, Some("another")).await;
    assert_eq!(
        sent.text,
        send_with(&bob, &plain, Some("another")).await.text
    );
    let refused = send_with(&bob, &answering(other, &["alice"]), Some("another")).await;
    problem(&refused, 422);
    assert_eq!(list(&bob, "?box=sent").await.len(), 2);
}

/// Keys that a version without replies has stored stay valid.
#[tokio::test]
async fn the_fingerprint_of_a_message_that_answers_none_has_not_changed() {
    let (service, alice, ..) = three().await;
    let sent = send_with(&alice, &NewMessage::to("bob").json(), Some("key")).await;
    assert_eq!(sent.status, 201);
    // SHA-256 of the lengths and the bytes of "bob", "s" and "m".
    let parts = "UNHEX('0000000000000003'), 'bob', UNHEX('0000000000000001'), 's', UNHEX('0000000000000001'), 'm'";
    let same = format!(
        "UPDATE idempotency_keys SET created_at = created_at \
         WHERE fingerprint = UNHEX(SHA2(CONCAT({parts}), 256))"
    );
    assert_eq!(service.database.execute(same).await, 1);
}

#[tokio::test]
async fn a_reply_is_an_event_with_its_original() {
    let (_service, alice, bob, carol) = three().await;
    let original = alice.send(&bob, "lunch").await;
    let mut listeners = [Listener::of(&alice).await, Listener::of(&carol).await];
    let start = listeners[0].last_id.clone();
    let answer = reply(&bob, original, &["alice", "carol"]).await;
    let plain = NewMessage::to_several(&["alice", "carol"]).json();
    assert_eq!(bob.post("/messages", &plain).await.status, 201);
    for (listener, expected) in listeners.iter_mut().zip([json!(original), Value::Null]) {
        let event = listener.next().await.expect("an event");
        assert_eq!(
            (event.message(), &event.data["in_reply_to"]),
            (answer, &expected)
        );
        let event = listener.next().await.expect("an event");
        assert_eq!(event.data.get("in_reply_to"), None, "{event:?}");
    }
    // From the backlog, too.
    for (user, expected) in [(&alice, json!(original)), (&carol, Value::Null)] {
        let mut listener = Listener::after(user, Some(&start)).await;
        let event = listener.next().await.expect("an event");
        assert_eq!(
            (event.message(), &event.data["in_reply_to"]),
            (answer, &expected)
        );
    }
}

#[tokio::test]
async fn a_reply_of_a_blocked_user_stays_invisible() {
    let (service, alice, bob, carol) = three().await;
    let original = bob.send(&alice, "lunch").await;
    let block = Answer::of(bob.request(Method::PUT, "/blocks/alice")).await;
    assert_eq!(block.status, 204);

    let new = answering(original, &["bob", "carol"]);
    let sent = send_with(&alice, &new, None).await;
    assert_eq!(sent.json["in_reply_to"], original, "{}", sent.text);
    let answer = sent.json["id"].as_u64().expect("an id");
    let own = reply(&bob, original, &["carol"]).await;

    assert_eq!(conversation(&bob, original).await, [own, original]);
    problem(&bob.read(answer).await, 404);
    problem(
        &send_with(&bob, &answering(answer, &["carol"]), None).await,
        422,
    );
    assert_eq!(conversation(&alice, original).await, [answer, original]);
    // Nor does an answer to it by a third user tell that it exists.
    let third = reply(&carol, answer, &["bob"]).await;
    assert_eq!(bob.read(third).await.json.get("in_reply_to"), None);
    assert_eq!(conversation(&bob, third).await, [third]);
    assert_eq!(rows(&service, &format!("message_id = {answer}")).await, 1);
}

#[tokio::test]
async fn each_of_a_hundred_receivers_can_answer_and_sees_only_their_own_part() {
    const OTHERS: usize = 98;
    let (service, alice, bob, carol) = three().await;
    let others = format!(
        "INSERT INTO users (username, email, normalized_email, password_hash, created_at) \
         WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {OTHERS}) \
         SELECT CONCAT('user', n), CONCAT('user', n), CONCAT('user', n), '', NOW(3) FROM numbers"
    );
    assert_eq!(service.database.execute(others).await, OTHERS as u64);
    let others = (1..=OTHERS).map(|number| format!("user{number}"));
    let names: Vec<_> = others
        .chain(["bob".to_owned(), "carol".to_owned()])
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let first = alice
        .post("/messages", &NewMessage::to_several(&names).json())
        .await;
    let first = first.json["id"].as_u64().expect("an id");
    let to_all = reply(&alice, first, &names).await;
    let by_one = reply(&bob, to_all, &["alice"]).await;

    assert_eq!(rows(&service, "TRUE").await, 101 + 2);
    assert_eq!(conversation(&alice, first).await, [by_one, to_all, first]);
    assert_eq!(conversation(&bob, first).await, [by_one, to_all, first]);
    assert_eq!(conversation(&carol, first).await, [to_all, first]);
    let listed = list(&alice, &format!("?conversation={first}")).await;
    assert_eq!(listed[1]["receivers"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn with_an_account_its_replies_go_and_those_of_others_stay() {
    let (service, alice, bob, _) = three().await;
    let first = alice.send(&bob, "first").await;
    let by_bob = reply(&bob, first, &["alice"]).await;
    let by_alice = reply(&alice, by_bob, &["bob"]).await;
    let id = "(SELECT id FROM users WHERE email LIKE '%alice%')";
    assert_eq!(rows(&service, "TRUE").await, 4);

    let deletion = json!({"password": "password of alice"});
    let mine = format!("user_id = {id}");
    assert_eq!(rows(&service, &mine).await, 2);
    assert_eq!(alice.post("/deletion", &deletion).await.status, 204);

    until("the messages and replies of alice are gone", async || {
        rows(&service, "TRUE").await == 1
    })
    .await;
    problem(&bob.read(by_alice).await, 404);
    assert_eq!(bob.read(by_bob).await.json["in_reply_to"], first);
    assert_eq!(conversation(&bob, first).await, [by_bob]);
    // The name is free, and its next owner has no part in the conversation.
    let next = service.user("alice").await;
    assert!(conversation(&next, by_bob).await.is_empty());
}

#[tokio::test]
async fn deleted_messages_neither_lengthen_the_pages_of_a_conversation_nor_end_it() {
    let (_service, alice, bob, _) = three().await;
    let original = alice.send(&bob, "lunch").await;
    let mut expected = Vec::new();
    for _ in 0..130 {
        expected.push(reply(&bob, original, &["alice"]).await);
    }
    let deleted = expected.remove(125);
    assert_eq!(alice.delete(deleted).await.status, 204);
    expected.insert(0, original);
    expected.reverse();

    for per_page in [1, 20, 100] {
        let path = format!("?conversation={original}&per_page={per_page}");
        let page = conversation_page(&alice, &path).await;
        assert_eq!(page, expected[..per_page], "{per_page}");
        let before = format!("{path}&before={}", expected[per_page - 1]);
        let end = expected.len().min(2 * per_page);
        assert_eq!(
            conversation_page(&alice, &before).await,
            expected[per_page..end],
            "{per_page}"
        );
    }
}

async fn conversation_page(user: &User, query: &str) -> Vec<u64> {
    let id = |message: &Value| message["id"].as_u64().expect("an id");
    list(user, query).await.iter().map(id).collect()
}

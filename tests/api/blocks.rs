//! Blocking: a message by a blocked user arrives deleted, and its sender cannot tell.

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use crate::support::{AHEAD, Answer, Listener, NewMessage, Service, User, at_once, problem, until};

/// Alice, bob and carol, of whom alice blocks bob.
async fn three() -> (Service, User, User, User) {
    let service = Service::start().await;
    let [alice, bob, carol] = service.users(["alice", "bob", "carol"]).await;
    assert_eq!(block(&alice, "bob").await.status, 204);
    (service, alice, bob, carol)
}

async fn on_block(method: Method, user: &User, name: &str) -> Answer {
    Answer::of(user.request(method, &format!("/blocks/{name}"))).await
}

async fn block(user: &User, name: &str) -> Answer {
    on_block(Method::PUT, user, name).await
}

async fn unblock(user: &User, name: &str) -> Answer {
    on_block(Method::DELETE, user, name).await
}

/// The names of the users that this one blocks, as they are listed.
async fn blocked(user: &User) -> Vec<String> {
    let answer = user.get("/blocks").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let blocks = answer.json["blocks"].as_array().expect("a list").clone();
    let name = |block: &Value| block["username"].as_str().expect("a name").to_owned();
    blocks.iter().map(name).collect()
}

async fn send_with(sender: &User, new: &Value, key: Option<&str>) -> Answer {
    let mut request = sender.request(Method::POST, "/messages").json(new);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    Answer::of(request).await
}

/// The names of the headers, in the order of the response.
fn names(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(HeaderName::as_str).collect()
}

/// Asserts that a receiver has never received a message.
async fn assert_never_arrived(receiver: &User, id: u64) {
    let before = receiver.get("").await.json["unread"].clone();
    problem(&receiver.read(id).await, 404);
    problem(&receiver.mark(id, true).await, 404);
    problem(&receiver.delete(id).await, 404);
    for query in [
        "",
        "?unread=true",
        "?unread=false",
        "?q=secret",
        "?from=bob",
    ] {
        assert!(!receiver.inbox(query).await.contains(&id), "{query}");
    }
    let export = receiver.get("/export").await;
    let messages = export.json["received"].as_array().expect("messages");
    assert!(messages.iter().all(|message| message["id"] != id));
    assert_eq!(receiver.get("").await.json["unread"], before);
}

#[tokio::test]
async fn a_blocked_users_message_is_nowhere_for_the_receiver() {
    let (_service, alice, bob, carol) = three().await;
    let seen = carol.send(&alice, "secret, too").await;
    let list = alice.get("/messages").await;
    let account = alice.get("").await.json;

    let id = bob.send(&alice, "secret").await;

    assert_never_arrived(&alice, id).await;
    assert_eq!(alice.inbox("").await, [seen]);
    assert_eq!(alice.get("").await.json, account);
    let again = alice.get("/messages").await;
    assert_eq!(again.header("ETag"), list.header("ETag"));
    assert!(!list.header("ETag").is_empty());
    assert_eq!(again.text, list.text);
}

#[tokio::test]
async fn the_sender_sees_no_difference() {
    let (_service, alice, bob, carol) = three().await;
    for (number, key) in [None, None, Some("key"), Some("key")]
        .into_iter()
        .enumerate()
    {
        let mut answers = Vec::new();
        for receiver in [&alice, &carol] {
            let key = key.map(|key| format!("{key}-{}", receiver.name));
            let new = NewMessage::to(&receiver.name).subject("secret").json();
            let sent = send_with(&bob, &new, key.as_deref()).await;
            assert_eq!(sent.status, 201, "{number}: {}", sent.text);
            let id = sent.json["id"].as_u64().expect("an id");
            let read = bob.read(id).await;
            assert_eq!(read.json, sent.json);
            let names = [&sent, &read].map(|answer| format!("{:?}", names(&answer.headers)));
            let mut documents = [sent.json, bob.sent_entry(id).await];
            for document in &mut documents {
                document["id"] = json!(0);
                document["created_at"] = json!("");
                let text = document.to_string().replace(&receiver.name, "someone");
                *document = serde_json::from_str(&text).expect("still JSON");
            }
            answers.push((names, documents));
        }
        assert_eq!(answers[0], answers[1], "{number}");
    }
    // A retry has sent nothing anew.
    let sent = bob.get("/messages?box=sent").await.json;
    assert_eq!(sent["messages"].as_array().map(Vec::len), Some(6));
    assert_eq!(alice.inbox("").await, Vec::<u64>::new());
    assert_eq!(carol.inbox("").await.len(), 3);
}

#[tokio::test]
async fn of_several_receivers_only_those_who_block_the_sender_miss_the_message() {
    let (_service, alice, bob, carol) = three().await;
    let new = NewMessage::to_several(&["alice", "bob", "carol"]).json();
    for key in [None, Some("key"), Some("key")] {
        let sent = send_with(&bob, &new, key).await;
        assert_eq!(sent.status, 201, "{}", sent.text);
        let id = sent.json["id"].as_u64().expect("an id");
        let receivers = json!([
            {"username": "alice", "read": false},
            {"username": "bob", "read": false},
            {"username": "carol", "read": false},
        ]);
        assert_eq!(sent.json["receivers"], receivers);
        assert_eq!(bob.sent_entry(id).await["receivers"], receivers);
        assert_never_arrived(&alice, id).await;
        assert_eq!(carol.read(id).await.status, 200);
        assert_eq!(bob.read(id).await.status, 200);
    }
    assert_eq!(carol.inbox("").await.len(), 2);
}

#[tokio::test]
async fn in_a_batch_each_receiver_misses_only_the_messages_of_those_they_block() {
    let (service, alice, bob, carol) = three().await;
    let count = 70 + AHEAD;
    let sends = (0..count).map(|number| {
        let (sender, receiver) = match number % 4 {
            0 => (&bob, "alice"),
            1 => (&bob, "carol"),
            2 => (&carol, "alice"),
            _ => (&alice, "bob"),
        };
        let new = NewMessage::to(receiver).json();
        sender.request(Method::POST, "/messages").json(&new)
    });
    let answers = at_once(&service.database, "messages", sends).await;

    let expected = |remainder: usize| {
        let ids = answers.iter().skip(remainder).step_by(4);
        let mut ids: Vec<_> = ids
            .map(|sent| sent.json["id"].as_u64().expect("sent"))
            .collect();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        ids
    };
    assert_eq!(alice.inbox("?per_page=100").await, expected(2));
    assert_eq!(carol.inbox("?per_page=100").await, expected(1));
    // Those whom bob's block concerns can write to him.
    assert_eq!(bob.inbox("?per_page=100").await, expected(3));
    for id in expected(0) {
        assert_eq!(bob.read(id).await.status, 200);
        problem(&alice.read(id).await, 404);
    }
}

#[tokio::test]
async fn no_stream_tells_of_a_blocked_users_message() {
    let (_service, alice, bob, carol) = three().await;
    let mut listener = Listener::of(&alice).await;
    let mut other = Listener::of(&carol).await;
    let new = NewMessage::to_several(&["alice", "carol"]).json();
    let sent = send_with(&bob, &new, None).await;
    let both = sent.json["id"].as_u64().expect("an id");
    bob.send(&alice, "secret").await;
    assert_eq!(other.next().await.expect("an event").message(), both);
    let start = listener.last_id.clone();

    // A later message shows that the earlier ones were passed over.
    let seen = carol.send(&alice, "seen").await;

    assert_eq!(listener.next().await.expect("an event").message(), seen);
    let mut resumed = Listener::after(&alice, Some(&start)).await;
    assert_eq!(resumed.next().await.expect("an event").message(), seen);
}

#[tokio::test]
async fn unblocking_lets_new_messages_arrive_and_restores_none() {
    let (_service, alice, bob, _) = three().await;
    let missed = bob.send(&alice, "secret").await;

    assert_eq!(unblock(&alice, "bob").await.status, 204);

    let arrived = bob.send(&alice, "not secret").await;
    assert_eq!(alice.inbox("").await, [arrived]);
    problem(&alice.read(missed).await, 404);
    assert_eq!(blocked(&alice).await, Vec::<String>::new());
}

#[tokio::test]
async fn blocking_keeps_what_arrived_before_and_concerns_one_direction_only() {
    let service = Service::start().await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let before = bob.send(&alice, "before").await;

    assert_eq!(block(&alice, "bob").await.status, 204);

    assert_eq!(alice.inbox("").await, [before]);
    assert_eq!(alice.mark(before, true).await.status, 200);
    let answer = alice.send(&bob, "answer").await;
    assert_eq!(bob.inbox("").await, [answer]);
}

#[tokio::test]
async fn blocks_are_listed_the_newest_first_and_exported() {
    let (service, alice, bob, _) = three().await;
    assert_eq!(block(&alice, "CAROL").await.status, 204);
    service
        .database
        .execute(
            "UPDATE blocks SET created_at = '2026-11-22 12:00:00.5' WHERE blocked_id = \
             (SELECT id FROM users WHERE username = 'bob')",
        )
        .await;
    // Blocking again changes nothing.
    let answer = block(&alice, "bob").await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));

    let list = alice.get("/blocks").await.json;

    let blocks = list["blocks"].as_array().expect("a list");
    assert_eq!(blocks[0]["username"], "carol");
    assert_eq!(
        blocks[1],
        json!({"username": "bob", "created_at": "2026-11-22T12:00:00.500Z"})
    );
    assert_eq!(blocks.len(), 2);
    assert_eq!(alice.get("/export").await.json["blocks"], list["blocks"]);
    assert_eq!(blocked(&bob).await, Vec::<String>::new());
    assert_eq!(bob.get("/export").await.json["blocks"], json!([]));
}

#[tokio::test]
async fn unblocking_tells_nothing_of_the_name() {
    let (_service, alice, _, _) = three().await;
    for name in ["bob", "bob", "carol", "alice", "nobody"] {
        let answer = unblock(&alice, name).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{name}");
    }
    problem(&unblock(&alice, "x").await, 404);
}

#[tokio::test]
async fn nobody_blocks_themselves_or_a_name_without_an_account() {
    let (_service, alice, _, _) = three().await;
    let own = block(&alice, "Alice").await;
    assert_eq!(
        problem(&own, 422)["type"],
        "urn:problem-type:herolo:own-account"
    );
    for name in ["nobody", "x", "a%20b", "%7E1"] {
        let answer = block(&alice, name).await;
        let detail = problem(&answer, 404)["detail"].to_string();
        assert!(detail.contains("no user"), "{name}: {detail}");
    }
    assert_eq!(blocked(&alice).await, ["bob"]);
}

#[tokio::test]
async fn blocks_belong_to_their_account() {
    let (service, alice, bob, carol) = three().await;
    assert_eq!(block(&carol, "alice").await.status, 204);
    let foreign = User::new(&service.url, "alice", bob.token.clone());
    for (method, path) in [
        (Method::PUT, "/blocks/carol"),
        (Method::DELETE, "/blocks/bob"),
        (Method::GET, "/blocks"),
    ] {
        let answer = Answer::of(foreign.request(method, path)).await;
        problem(&answer, 403);
    }
    assert_eq!(unblock(&bob, "alice").await.status, 204);
    assert_eq!(blocked(&alice).await, ["bob"]);
    assert_eq!(blocked(&bob).await, Vec::<String>::new());
    assert_eq!(blocked(&carol).await, ["alice"]);
}

#[tokio::test]
async fn an_account_can_block_500_others() {
    let (service, alice, _, _) = three().await;
    let users = "INSERT INTO users (id, username, email, normalized_email, password_hash, created_at) \
         WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 499) \
         SELECT 1000 + n, CONCAT('user', n), '', n, '', NOW(3) FROM numbers";
    let filler = "INSERT INTO blocks (blocker_id, blocked_id, created_at) \
         SELECT alice.id, other.id, NOW(3) FROM users AS alice, users AS other \
         WHERE alice.username = 'alice' AND other.id > 1000";
    for statement in [users, filler] {
        assert_eq!(service.database.execute(statement).await, 499);
    }

    let refused = block(&alice, "carol").await;

    assert_eq!(
        problem(&refused, 409)["type"],
        "urn:problem-type:herolo:block-limit"
    );
    assert_eq!(block(&alice, "bob").await.status, 204);
    assert_eq!(unblock(&alice, "bob").await.status, 204);
    assert_eq!(block(&alice, "carol").await.status, 204);
    // A deleted account does not count, though its block is deleted later.
    let deletion = "UPDATE users SET username = CONCAT('~', id) WHERE id = 1001";
    assert_eq!(service.database.execute(deletion).await, 1);
    assert_eq!(block(&alice, "bob").await.status, 204);
}

#[tokio::test]
async fn a_block_ends_with_either_account() {
    let (service, alice, bob, carol) = three().await;
    for (blocker, name) in [(&bob, "carol"), (&carol, "bob")] {
        assert_eq!(block(blocker, name).await.status, 204);
    }
    let deletion = json!({"password": "password of bob"});
    assert_eq!(bob.post("/deletion", &deletion).await.status, 204);

    assert_eq!(blocked(&alice).await, Vec::<String>::new());
    assert_eq!(carol.get("/export").await.json["blocks"], json!([]));
    until("no block is left", async || {
        let all = "UPDATE blocks SET created_at = created_at + INTERVAL 1 SECOND";
        service.database.execute(all).await == 0
    })
    .await;
    // Another account with the name is another user.
    let bob = service.user("bob").await;
    let id = bob.send(&alice, "hello").await;
    assert_eq!(alice.inbox("").await, [id]);
}

#[tokio::test]
async fn users_can_block_each_other_at_once() {
    let service = Service::start().await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    for _ in 0..10 {
        let (one, other) = tokio::join!(block(&alice, "bob"), block(&bob, "alice"));
        assert_eq!((one.status, other.status), (204, 204));
        let (one, other) = tokio::join!(unblock(&alice, "bob"), unblock(&bob, "alice"));
        assert_eq!((one.status, other.status), (204, 204));
    }
}

#[tokio::test]
async fn blocking_counts_as_a_send_because_it_tells_which_users_exist() {
    let service = Service::start_with(|config| config.limit_sends = 2).await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    alice.send(&bob, "one").await;
    let first = block(&alice, "nobody").await;
    problem(&first, 404);
    assert!(first.header("RateLimit").contains("\"sends\";r=0"));

    problem(&block(&alice, "bob").await, 429);
    let sent = alice.post("/messages", &NewMessage::to("bob").json()).await;
    problem(&sent, 429);
    assert_eq!(unblock(&alice, "bob").await.status, 204);
}

//! Polling: `ETag` and `If-None-Match` of lists of messages.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Service, User, until};

/// The list with this query, if it has changed since this tag.
async fn poll(user: &User, query: &str, known: &str) -> Answer {
    let request = user.request(Method::GET, &format!("/messages{query}"));
    Answer::of(request.header("If-None-Match", known)).await
}

async fn tag(user: &User, query: &str) -> String {
    let answer = user.get(&format!("/messages{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    assert_eq!(answer.header("Cache-Control"), "no-cache, private");
    let tag = answer.header("ETag");
    assert!(
        tag.starts_with("W/\"") && tag.ends_with('"'),
        "{query}: {tag}"
    );
    tag.to_owned()
}

#[track_caller]
fn assert_unchanged(answer: &Answer, tag: &str) {
    assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{tag}");
    assert_eq!(answer.header("ETag"), tag);
    assert_eq!(answer.header("Cache-Control"), "no-cache, private");
    assert_eq!(answer.header("Content-Type"), "");
}

/// Bob has four messages from Alice, newest first; the newest is read.
async fn inbox() -> (Service, User, User, Vec<u64>) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let mut ids = Vec::new();
    for index in 0..4 {
        ids.insert(0, alice.send(&bob, &format!("lunch {index}")).await);
    }
    bob.mark(ids[0], true).await;
    (service, alice, bob, ids)
}

const QUERIES: [&str; 9] = [
    "",
    "?unread=true",
    "?unread=false",
    "?per_page=1",
    "?per_page=2&page=2",
    "?per_page=2&before=4",
    "?q=lunch",
    "?from=alice&unread=true",
    "?since=2000-01-01T00:00:00Z&per_page=2",
];

#[tokio::test]
async fn every_replica_answers_304_for_an_unchanged_list() {
    let (service, alice, bob, _) = inbox().await;
    let replica = service.replica(|_| ()).await;
    let at_replica = |user: &User| User::new(&replica.url, &user.name, user.token.clone());
    for (user, query) in QUERIES.map(|query| (&bob, query)).into_iter().chain([
        (&alice, ""),
        (&alice, "?box=sent"),
        (&alice, "?box=sent&q=lunch"),
    ]) {
        let known = tag(user, query).await;
        let strong = known.trim_start_matches("W/");
        for list in [&known, strong, "*", &format!("\"a,b\", {known}, \"c\"")] {
            assert_unchanged(&poll(user, query, list).await, &known);
            assert_unchanged(&poll(&at_replica(user), query, list).await, &known);
        }
        for other in ["", "\"x\"", "W/\"x\"", "x", strong.trim_matches('"')] {
            let answer = poll(user, query, other).await;
            assert_eq!(answer.status, 200, "{query} {other}");
            assert_eq!(answer.header("ETag"), known, "{query} {other}");
        }
    }
}

#[tokio::test]
async fn a_304_requires_permission_to_read_the_list() {
    let (service, alice, bob, _) = inbox().await;
    let known = tag(&bob, "").await;
    let theirs = User::new(&service.url, "bob", alice.token.clone());
    assert_eq!(poll(&theirs, "", &known).await.status, 403);
    let nobody = User::new(&service.url, "bob", "none".to_owned());
    assert_eq!(poll(&nobody, "", "*").await.status, 401);
    assert_eq!(poll(&bob, "?page=0", "*").await.status, 422);
}

/// Performs an action, and asserts which lists it changes and which it does not.
async fn changes(user: &User, changed: &[&str], same: &[&str], action: impl AsyncFnOnce()) {
    let mut before = Vec::new();
    for query in changed.iter().chain(same) {
        before.push((*query, tag(user, query).await));
    }
    action().await;
    for (index, (query, known)) in before.iter().enumerate() {
        let answer = poll(user, query, known).await;
        if index >= changed.len() {
            assert_unchanged(&answer, known);
            continue;
        }
        assert_eq!(answer.status, 200, "{query}");
        assert_ne!(answer.header("ETag"), known, "{query}");
        let fresh = user.get(&format!("/messages{query}")).await;
        assert_eq!(answer.text, fresh.text, "{query}");
        assert_eq!(answer.header("ETag"), fresh.header("ETag"), "{query}");
    }
}

#[tokio::test]
async fn every_change_of_an_inbox_is_another_state_of_it() {
    let (_service, alice, bob, ids) = inbox().await;
    changes(
        &bob,
        &["", "?unread=true", "?per_page=1", "?q=lunch"],
        &["?unread=false"],
        async || {
            alice.send(&bob, "lunch again").await;
        },
    )
    .await;
    changes(
        &bob,
        &["", "?unread=true", "?unread=false", "?q=lunch"],
        &["?per_page=1"],
        async || {
            bob.mark(ids[1], true).await;
        },
    )
    .await;
    let marked = tag(&bob, "").await;
    changes(
        &bob,
        &["", "?unread=true", "?unread=false"],
        &["?per_page=1"],
        async || {
            bob.mark(ids[1], false).await;
        },
    )
    .await;
    bob.mark(ids[1], true).await;
    assert_unchanged(&poll(&bob, "", &marked).await, &marked);
}

#[tokio::test]
async fn so_is_every_message_that_goes() {
    let (_service, alice, bob, ids) = inbox().await;
    changes(
        &bob,
        &["", "?from=alice", "?per_page=3&page=2"],
        &["?per_page=1"],
        async || {
            bob.delete(ids[2]).await;
        },
    )
    .await;
    // A page of two has the same messages, but no next page any more.
    changes(
        &bob,
        &["", "?unread=true", "?per_page=2"],
        &["?unread=false", "?per_page=1"],
        async || {
            alice.delete(ids[3]).await;
        },
    )
    .await;
}

#[tokio::test]
async fn every_change_of_a_sent_box_is_another_state_of_it() {
    let (_service, alice, bob, ids) = inbox().await;
    let sent = ["?box=sent", "?box=sent&q=lunch"];
    changes(&alice, &sent, &[""], async || {
        bob.mark(ids[2], true).await;
    })
    .await;
    changes(&alice, &sent, &[""], async || {
        alice.send(&bob, "lunch once more").await;
    })
    .await;
    changes(&alice, &sent, &[""], async || {
        alice.delete(ids[1]).await;
    })
    .await;
    changes(
        &alice,
        &["?box=sent"],
        &["", "?box=sent&q=lunch"],
        async || {
            alice.send(&bob, "dinner").await;
        },
    )
    .await;
    changes(&alice, &[], &["", "?box=sent"], async || {
        bob.delete(ids[0]).await;
    })
    .await;
    changes(&alice, &sent, &[""], async || {
        let password = json!({"password": "password of bob"});
        assert_eq!(bob.post("/deletion", &password).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_sender_changes_the_tag_at_once() {
    let (service, alice, bob, _) = inbox().await;
    let carol = service.user("carol").await;
    carol.send(&bob, "soon gone").await;
    changes(
        &bob,
        &["", "?per_page=1"],
        &["?unread=false", "?per_page=2&before=4"],
        async || {
            let password = json!({"password": "password of carol"});
            assert_eq!(carol.post("/deletion", &password).await.status, 204);
            until("her message is gone", async || {
                bob.inbox("").await.len() == 4
            })
            .await;
        },
    )
    .await;

    // The time in which the sender has no name and the messages still exist.
    let known = tag(&bob, "").await;
    for statement in [
        "INSERT INTO account_deletions (user_id, deleted_at) VALUES (999999, '9999-01-01')",
        "UPDATE users SET username = '~99' WHERE username = 'alice'",
    ] {
        service.database.execute(statement).await;
    }
    let between = poll(&bob, "", &known).await;
    assert_eq!(between.status, 200);
    assert_eq!(between.json["messages"][0]["sender"], "~99");
    assert_ne!(between.header("ETag"), known);
    assert_eq!(
        poll(&alice, "", "*").await.status,
        403,
        "she has another name"
    );
}

/// A client that polls, and records the responses.
struct Client {
    user: User,
    tag: String,
    text: String,
    unchanged: u32,
}

impl Client {
    async fn poll(&mut self) {
        let answer = poll(&self.user, "", &self.tag).await;
        match answer.status {
            304 => self.unchanged += 1,
            200 => {
                answer.header("ETag").clone_into(&mut self.tag);
                self.text = answer.text;
            }
            status => panic!("{status}: {}", answer.text),
        }
    }
}

/// Sends, marks and deletes concurrently at two replicas.
async fn write(sender: User, receiver: User) {
    for round in 0..15 {
        let id = sender.send(&receiver, "meanwhile").await;
        receiver.mark(id, true).await;
        match round % 3 {
            0 => receiver.delete(id).await,
            1 => sender.delete(id).await,
            _ => receiver.mark(id, false).await,
        };
    }
}

#[tokio::test]
async fn polling_during_many_changes_misses_none() {
    let (service, alice, bob, _) = inbox().await;
    let replica = service.replica(|_| ()).await;
    let mut client = Client {
        user: bob.clone(),
        tag: String::new(),
        text: String::new(),
        unchanged: 0,
    };
    let at_replica = |user: &User| User::new(&replica.url, &user.name, user.token.clone());
    let mut writers: Vec<_> = [
        (alice.clone(), bob.clone()),
        (at_replica(&alice), at_replica(&bob)),
        (at_replica(&alice), bob.clone()),
    ]
    .map(|(sender, receiver)| tokio::spawn(write(sender, receiver)))
    .into();
    while let Some(writer) = writers.pop() {
        while !writer.is_finished() {
            client.poll().await;
        }
        writer.await.expect("all was written");
    }
    client.poll().await;
    client.poll().await;
    assert!(client.unchanged > 0, "nothing changes any more");
    assert_eq!(client.text, bob.get("/messages").await.text);
}

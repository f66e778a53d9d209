//! Pages of the feed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Service, User, problem};

/// A user with this many received messages, newest first.
async fn inbox_of(count: usize) -> (Service, User, Vec<u64>) {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let mut ids = Vec::new();
    for index in 0..count {
        ids.push(alice.send(&alice, &index.to_string()).await);
    }
    ids.reverse();
    (service, alice, ids)
}

fn ids(answer: &Answer) -> Vec<u64> {
    let messages = answer.json["messages"].as_array().expect("messages");
    messages
        .iter()
        .map(|message| message["id"].as_u64().expect("an id"))
        .collect()
}

/// Follows `next` to the end, from this path of the service.
async fn follow(service: &Service, user: &User, first: &str) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = Answer::of(service.request(Method::GET, &path).bearer_auth(&user.token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        pages.push(ids(&answer));
        next = answer.json["next"].as_str().map(str::to_owned);
        let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
        assert_eq!(
            answer.header("Link").contains("rel=\"next\""),
            link.is_some()
        );
        assert!(
            link.is_none_or(|link| answer.header("Link").contains(&link)),
            "{}",
            answer.header("Link")
        );
    }
    pages
}

#[tokio::test]
async fn a_page_has_twenty_messages_unless_asked_otherwise() {
    let (_service, alice, all) = inbox_of(21).await;

    let answer = alice.get("/messages").await;

    assert_eq!(ids(&answer), all[..20]);
    assert_eq!(
        (&answer.json["page"], &answer.json["per_page"]),
        (&json!(1), &json!(20))
    );
    assert!(answer.json["next"].is_string());
}

#[tokio::test]
async fn an_empty_feed_is_a_page_without_next() {
    let (_service, alice, _) = inbox_of(0).await;
    let answer = alice.get("/messages").await;
    assert_eq!(
        answer.json,
        json!({"messages": [], "page": 1, "per_page": 20, "next": null})
    );
    assert_eq!(
        answer.header("Link"),
        "</users/alice/messages?per_page=20&page=1>; rel=\"first\""
    );
}

#[tokio::test]
async fn following_next_shows_every_message_once() {
    let (service, alice, all) = inbox_of(7).await;
    for per_page in [1, 2, 3, 6, 7, 8] {
        let pages = follow(
            &service,
            &alice,
            &format!("/users/alice/messages?per_page={per_page}"),
        )
        .await;
        assert!(
            pages
                .iter()
                .all(|page| !page.is_empty() && page.len() <= per_page),
            "{pages:?}"
        );
        assert_eq!(pages.concat(), all, "{per_page} a page");
    }
}

#[tokio::test]
async fn page_numbers_lead_to_the_same_pages() {
    let (_service, alice, all) = inbox_of(7).await;
    for (page, expected) in [
        (1, &all[..3]),
        (2, &all[3..6]),
        (3, &all[6..]),
        (4, &[][..]),
        (333_334, &[][..]),
    ] {
        let answer = alice
            .get(&format!("/messages?per_page=3&page={page}"))
            .await;
        assert_eq!(ids(&answer), expected, "page {page}");
        assert_eq!(answer.json["page"], page);
        assert_eq!(answer.json["next"].is_string(), page < 3, "page {page}");
    }
}

#[tokio::test]
async fn next_counts_the_pages_and_keeps_the_filter() {
    let (service, alice, all) = inbox_of(7).await;
    alice.mark(all[2], true).await;

    let first = alice
        .get("/messages?unread=\u{22}true\u{22}&per_page=2")
        .await;

    let next = first.json["next"].as_str().expect("a next page");
    let second = Answer::of(service.request(Method::GET, next).bearer_auth(&alice.token)).await;
    assert_eq!(second.json["page"], 2);
    let unread: Vec<u64> = all.iter().copied().filter(|id| *id != all[2]).collect();
    assert_eq!([ids(&first), ids(&second)].concat(), unread[..4]);
    let by_number = alice.get("/messages?unread=true&per_page=2&page=2").await;
    assert_eq!(ids(&by_number), ids(&second));
    let pages = follow(
        &service,
        &alice,
        "/users/alice/messages?unread=false&per_page=1",
    )
    .await;
    assert_eq!(pages.concat(), [all[2]]);
}

#[tokio::test]
async fn messages_that_arrive_meanwhile_neither_repeat_nor_hide_others() {
    let (service, alice, all) = inbox_of(6).await;
    let first = alice.get("/messages?per_page=3").await;
    alice.send(&alice, "meanwhile").await;
    alice.delete(all[0]).await;

    let next = first.json["next"].as_str().expect("a next page");
    let second = Answer::of(service.request(Method::GET, next).bearer_auth(&alice.token)).await;

    assert_eq!(ids(&second), all[3..]);
}

#[tokio::test]
async fn a_page_that_ends_exactly_with_the_inbox_has_no_next() {
    let (_service, alice, all) = inbox_of(4).await;
    let answer = alice.get("/messages?per_page=4").await;
    assert_eq!(ids(&answer), all);
    assert_eq!(answer.json["next"], Value::Null);
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_with_the_range() {
    let (_service, alice, _) = inbox_of(0).await;
    for value in [
        "0",
        "101",
        "-1",
        "1.5",
        "x",
        "",
        "%20",
        "1e2",
        "+5",
        "\u{0661}",
        "99999999999999999999999",
    ] {
        let answer = alice.get(&format!("/messages?per_page={value}")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["?per_page"], "{value}");
        assert!(answer.text.contains("from 1 to 100"), "{}", answer.text);
    }
    for value in ["0", "1000001", "-1", "x", "", "99999999999999999999999"] {
        let answer = alice.get(&format!("/messages?page={value}")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["?page"], "{value}");
        assert!(answer.text.contains("from 1 to 1000000"), "{}", answer.text);
    }
    for value in ["yes", "1", "", "TRUE", "%22", "%22true"] {
        let answer = alice.get(&format!("/messages?unread={value}")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["?unread"], "{value}");
    }
}

#[tokio::test]
async fn all_wrong_parameters_are_named_at_once_and_repeated_ones_refused() {
    let (_service, alice, _) = inbox_of(0).await;
    let answer = alice
        .get("/messages?unread=x&per_page=0&page=0&before=0")
        .await;
    assert_eq!(
        answer.pointers(),
        ["?unread", "?per_page", "?page", "?before"]
    );
    let answer = alice.get("/messages?page=1&page=2").await;
    problem(&answer, 422);
    assert_eq!(answer.pointers(), ["?page"]);
}

#[tokio::test]
async fn a_page_number_out_of_range_is_refused_and_names_the_cursor() {
    let (_service, alice, _) = inbox_of(0).await;
    for (per_page, last) in [(100, 10_001), (20, 50_001), (1, 1_000_000)] {
        let path = |page: u64| format!("/messages?per_page={per_page}&page={page}");
        assert_eq!(alice.get(&path(last)).await.status, 200);
        let answer = alice.get(&path(last + 1)).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["?page"]);
    }
    let followed = alice
        .get("/messages?per_page=100&page=1000000&before=7")
        .await;
    assert_eq!(followed.status, 200, "`next` may lead further");
}

#[tokio::test]
async fn parameters_that_mean_nothing_here_are_ignored() {
    let (_service, alice, all) = inbox_of(1).await;
    assert_eq!(alice.inbox("?utm_source=mail&x").await, all);
}

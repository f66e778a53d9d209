//! Pages of the feed filtered by sender, time and search terms.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, NewMessage, Service, User, problem};

/// A service with three users.
async fn three() -> (Service, User, User, User) {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let carol = service.user("carol").await;
    (service, alice, bob, carol)
}

/// Sends a message with this subject and text, and returns its id.
async fn say(sender: &User, receiver: &User, subject: &str, message: &str) -> u64 {
    let new = NewMessage::to(&receiver.name)
        .subject(subject)
        .text(message)
        .json();
    let answer = sender.post("/messages", &new).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["id"].as_u64().expect("an id")
}

/// The ids of the page with these parameters.
async fn found(user: &User, parameters: &[(&str, &str)]) -> Vec<u64> {
    ids(&ask(user, parameters).await)
}

async fn ask(user: &User, parameters: &[(&str, &str)]) -> Answer {
    let request = user.request(Method::GET, "/messages").query(parameters);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{parameters:?}: {}", answer.text);
    answer
}

fn ids(answer: &Answer) -> Vec<u64> {
    let messages = answer.json["messages"].as_array().expect("messages");
    let ids = messages.iter().map(|message| message["id"].as_u64());
    ids.map(|id| id.expect("an id")).collect()
}

/// The ids of each page, following `next`.
async fn follow(service: &Service, user: &User, first: Answer) -> Vec<Vec<u64>> {
    let mut pages = vec![ids(&first)];
    let mut next = first.json["next"].clone();
    while let Value::String(path) = next {
        let request = service.request(Method::GET, &path);
        let answer = Answer::of(request.bearer_auth(&user.token)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        pages.push(ids(&answer));
        next = answer.json["next"].clone();
    }
    pages
}

#[tokio::test]
async fn messages_are_found_by_sender_whatever_the_case() {
    let (_service, alice, bob, carol) = three().await;
    let first = alice.send(&bob, "one").await;
    let other = carol.send(&bob, "two").await;
    let last = alice.send(&bob, "three").await;
    alice.send(&carol, "not bob's").await;

    assert_eq!(found(&bob, &[("from", "Alice")]).await, [last, first]);
    assert_eq!(found(&bob, &[("from", "carol")]).await, [other]);
    for nobody in ["bob", "nobody"] {
        assert_eq!(found(&bob, &[("from", nobody)]).await, [0; 0], "{nobody}");
    }
    bob.mark(last, true).await;
    let unread = [("from", "alice"), ("unread", "true")];
    assert_eq!(found(&bob, &unread).await, [first]);
    let read = [("from", "alice"), ("unread", "false")];
    assert_eq!(found(&bob, &read).await, [last]);
    bob.delete(first).await;
    assert_eq!(found(&bob, &[("from", "alice")]).await, [last]);
}

#[tokio::test]
async fn messages_are_found_by_time_to_the_millisecond_in_both_boxes() {
    let (service, alice, bob, _) = three().await;
    let mut sent = Vec::new();
    for second in 0..4 {
        let id = alice.send(&bob, "at a known time").await;
        let statement = format!(
            "UPDATE messages SET created_at = '2026-05-01 12:00:0{second}.500' WHERE id = {id}"
        );
        service.database.execute(statement).await;
        sent.insert(0, id);
    }
    for (since, expected) in [
        ("2026-05-01T12:00:02.500Z", &sent[..2]),
        ("2026-05-01T12:00:02.5000001Z", &sent[..1]),
        ("2026-05-01T14:00:02.5+02:00", &sent[..2]),
        ("2026-05-01T12:00:02.501Z", &sent[..1]),
        ("2026-05-02T00:00:00Z", &[]),
        ("0001-01-01T00:00:00Z", &sent[..]),
        ("9999-12-31T23:59:59.999-23:00", &[]),
    ] {
        let inbox = found(&bob, &[("since", since)]).await;
        assert_eq!(inbox, expected, "{since}");
        let box_of_sent = found(&alice, &[("since", since), ("box", "sent")]).await;
        assert_eq!(box_of_sent, expected, "{since}");
    }
}

#[tokio::test]
async fn search_ignores_case_and_accents_in_every_script() {
    let (_service, alice, bob, _) = three().await;
    let menu = say(&alice, &bob, "Menü for Friday", "Crème brûlée, or the pie").await;
    let tokyo = say(&alice, &bob, "会議", "明日の会議は東京タワーです").await;
    let odd = say(&alice, &bob, "100% sure", "C:\\a_b|c +x -y \"z\" (a*) 🔑").await;
    for (words, expected) in [
        ("friday", &[menu][..]),
        ("FRIDAY menu", &[menu]),
        ("creme BRULEE", &[menu]),
        ("friday creme", &[menu]),
        ("rida", &[menu]),
        ("the", &[menu]),
        ("friday tokyo", &[]),
        ("東京", &[tokyo]),
        ("は", &[tokyo]),
        ("会議 明日", &[tokyo]),
        ("100%", &[odd]),
        ("0%s", &[]),
        ("a_b", &[odd]),
        ("a_c", &[]),
        ("C:\\a", &[odd]),
        ("b|c", &[odd]),
        ("+x -y \"z\" (a*)", &[odd]),
        ("-friday", &[]),
        ("fri*", &[]),
        ("%", &[odd]),
        ("🔑", &[odd]),
        ("🗝", &[]),
        ("' OR 1=1 --", &[]),
        ("e", &[odd, menu]),
        ("Cre\u{300}me bru\u{302}le\u{301}e", &[menu]),
        ("...", &[]),
        // The accent of "brûlée" and of no other text, however that is spelt.
        ("\u{301}", &[menu]),
        ("\u{30c}", &[]),
        ("\u{3000}東京\u{a0}会議\u{2003}", &[tokyo]),
    ] {
        assert_eq!(found(&bob, &[("q", words)]).await, expected, "{words}");
        let sent = [("q", words), ("box", "sent")];
        assert_eq!(found(&alice, &sent).await, expected, "{words}, sent");
    }
}

/// Texts, and search terms that match each.
const ENCODINGS: [(&str, &[&str]); 15] = [
    (
        "Café Zürich",
        &["cafe\u{301}", "CAFE ZURICH", "zu\u{308}rich"],
    ),
    ("Cafe\u{301} Zu\u{308}rich", &["café", "Zürich", "cafe"]),
    ("Straße 5", &["Strasse", "STRASSE", "STRAẞE", "straße"]),
    ("Strasse 5", &["Straße"]),
    (
        "İstanbul, ISPARTA, ığdır",
        &["istanbul", "ısparta", "IĞDIR", "igdir"],
    ),
    ("한국어", &["\u{1112}\u{1161}\u{11ab}", "국어"]),
    (
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}",
        &["한국"],
    ),
    ("カタカナ", &["かたかな", "ｶﾀｶﾅ"]),
    ("שָׁלוֹם לכם", &["שלום", "\u{200f}לכם"]),
    ("مُحَمَّد ١٢٣", &["محمد", "123"]),
    (
        "love \u{2764}\u{fe0f} you",
        &["\u{2764}", "\u{2764}\u{fe0f}"],
    ),
    ("smørrebrød i Łódź", &["smorrebrod lodz"]),
    ("ﬁlter Ｆｕｌｌ", &["filter full"]),
    ("what?! (really)", &["?!", "?! ("]),
    ("o\u{200b}ne", &["one", "\u{200b}"]),
];

#[tokio::test]
async fn words_are_found_however_their_characters_are_encoded() {
    let (_service, alice, bob, _) = three().await;
    for (text, words) in ENCODINGS {
        let id = say(&alice, &bob, "s", text).await;
        for word in words {
            let expected = [id];
            let query = [("q", *word), ("per_page", "1")];
            assert_eq!(found(&bob, &query).await, expected, "{word} in {text}");
            let sent = [("q", *word), ("per_page", "1"), ("box", "sent")];
            assert_eq!(
                found(&alice, &sent).await,
                expected,
                "{word} in {text}, sent"
            );
        }
        for other in ["\u{308}\u{301}", "strase", "zuerich", "하국"] {
            assert_eq!(
                found(&bob, &[("q", other)]).await,
                [0; 0],
                "{other} in {text}"
            );
        }
    }
}

#[tokio::test]
async fn search_finds_only_the_callers_current_messages() {
    let (_service, alice, bob, carol) = three().await;
    let secret = say(&alice, &bob, "secret", "the secret of alice and bob").await;
    let query = [("q", "secret")];
    for (user, sent) in [
        (&carol, false),
        (&carol, true),
        (&alice, false),
        (&bob, true),
    ] {
        let mailbox = if sent { "sent" } else { "inbox" };
        let answer = ask(user, &[query[0], ("box", mailbox)]).await;
        assert_eq!(answer.json["messages"], json!([]), "{} {sent}", user.name);
        assert_eq!(answer.json["next"], Value::Null);
    }
    bob.delete(secret).await;
    assert_eq!(found(&bob, &query).await, [0; 0]);
    assert_eq!(found(&alice, &[query[0], ("box", "sent")]).await, [secret]);
    alice.delete(secret).await;
    assert_eq!(found(&alice, &[query[0], ("box", "sent")]).await, [0; 0]);
}

#[tokio::test]
async fn a_search_of_the_sent_box_shows_receivers() {
    let (_service, alice, bob, carol) = three().await;
    let new = json!({"receivers": ["bob", "carol"], "subject": "minutes", "message": "m"});
    let id = alice.post("/messages", &new).await.json["id"].as_u64();
    let id = id.expect("an id");
    alice.send(&bob, "another").await;
    carol.mark(id, true).await;

    let found = ask(&alice, &[("box", "sent"), ("q", "minutes")]).await;

    let all = alice.get("/messages?box=sent").await;
    assert_eq!(found.json["messages"], json!([all.json["messages"][1]]));
    assert_eq!(found.json["messages"][0]["id"], id);
}

#[tokio::test]
async fn next_and_first_keep_the_filters() {
    let (service, alice, bob, carol) = three().await;
    let mut expected = Vec::new();
    for index in 0..5 {
        expected.insert(0, say(&alice, &bob, "a&b=c #1", "50%+ \"é\" <x>").await);
        carol.send(&bob, "a&b=c #1 50%+ \"é\" <x>").await;
        say(&alice, &bob, "other", &index.to_string()).await;
    }
    let parameters = [
        ("from", "alice"),
        ("since", "2000-01-01T00:00:00.25+01:00"),
        ("q", "a&b=c  #1 50%+ \"É\" <x>"),
        ("unread", "true"),
        ("per_page", "2"),
    ];
    let first = ask(&bob, &parameters).await;

    let link = first.header("Link").to_owned();
    let again = link.split(['<', '>']).nth(1).expect("the first page");
    let request = service.request(Method::GET, again);
    let again = Answer::of(request.bearer_auth(&bob.token)).await;
    assert_eq!(again.json, first.json, "{link}");
    let next = first.json["next"].as_str().expect("a next page");
    assert!(next.contains("&since=1999-12-31T23:00:00.250Z&"), "{next}");
    assert!(link.contains(&format!("<{next}>; rel=\"next\"")), "{link}");
    let pages = follow(&service, &bob, first).await;
    assert_eq!(pages.concat(), expected);
    assert_eq!(pages.len(), 3);
    let mut second = parameters.to_vec();
    second.push(("page", "2"));
    assert_eq!(found(&bob, &second).await, pages[1]);
}

/// Inserts so many messages to Bob; those whose number is divisible by `every` are about lunch. Returns the ids of
/// these, newest first.
async fn many(service: &Service, bob: &User, count: u32, divisor: u32) -> Vec<u64> {
    let numbers = format!(
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT /*+ SET_VAR(cte_max_recursion_depth = {count}) */"
    );
    let alice = "(SELECT id FROM users WHERE username = 'alice')";
    for statement in [
        format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) {numbers} \
             {alice}, IF(MOD(i, {divisor}) = 0, 'lunch', 'other'), 'm', \
             '2026-05-01 00:00:00' + INTERVAL i MINUTE FROM n"
        ),
        format!(
            "INSERT INTO receipts (receiver_id, message_id) \
             SELECT (SELECT id FROM users WHERE username = '{}'), id FROM messages",
            bob.name
        ),
    ] {
        service.database.execute(statement).await;
    }
    let mut ids = Vec::new();
    let mut path = "/messages?per_page=100".to_owned();
    loop {
        let page = bob.get(&path).await;
        for message in page.json["messages"].as_array().expect("messages") {
            if message["subject"] == "lunch" {
                ids.push(message["id"].as_u64().expect("an id"));
            }
        }
        match page.json["next"].as_str() {
            Some(next) => next.trim_start_matches("/users/bob").clone_into(&mut path),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn a_search_continues_with_next_past_its_scan_limit() {
    let (service, alice, bob, _) = three().await;
    let lunches = many(&service, &bob, 2_500, 400).await;
    assert_eq!(lunches.len(), 6);
    for user in [&bob, &alice] {
        let mailbox = if user.name == "bob" { "inbox" } else { "sent" };
        let parameters = [("q", "lunch"), ("box", mailbox)];
        let pages = follow(&service, user, ask(user, &parameters).await).await;
        assert_eq!(pages.concat(), lunches, "{mailbox}");
        // A page for each thousand messages; more on a slow machine.
        assert!(pages.len() >= 3, "{mailbox}");
    }
    let pages = follow(&service, &bob, ask(&bob, &[("q", "nothing like it")]).await).await;
    assert!(pages.len() >= 3);
    assert_eq!(pages.concat(), [0; 0]);
    // A page by number covers the newest thousand, and `next` continues after them.
    let second = ask(&bob, &[("q", "lunch"), ("page", "2")]).await;
    assert_eq!(ids(&second), [0; 0]);
    let rest = follow(&service, &bob, second).await;
    let newest = found(&bob, &[("q", "lunch")]).await;
    assert_eq!(rest.concat(), lunches[newest.len()..]);
}

/// Inserts so many messages with this text from Bob to himself, newest last.
async fn fill(service: &Service, bob: &User, count: usize, text: &str) {
    let id = say(bob, bob, "s", text).await;
    for statement in [
        format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) \
             WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
             SELECT sender_id, subject, body, created_at FROM messages, n WHERE messages.id = {id}",
            count - 1
        ),
        format!(
            "INSERT INTO receipts (receiver_id, message_id) \
             SELECT sender_id, id FROM messages WHERE id > {id}"
        ),
    ] {
        service.database.execute(statement).await;
    }
}

#[tokio::test]
async fn texts_that_are_slow_to_compare_are_looked_through_to_the_end() {
    let service = Service::start().await;
    for (name, count, text, words) in [
        (
            "same",
            100,
            "x".repeat(65_535),
            "xxxxxxxxxx xxxxx xxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxx yxxxxxx",
        ),
        (
            "accents",
            70,
            "e\u{301}\u{323}".repeat(13_107),
            "éééééééééé eeeee éeéeéeé éé éééééééééééex",
        ),
        // This character becomes eighteen when it is folded.
        (
            "long",
            10,
            "\u{fdfa}".repeat(21_845),
            "صلى عليه \u{fdfa} \u{fdfa}x",
        ),
    ] {
        let user = service.user(name).await;
        let first = user.send(&user, "the first").await;
        fill(&service, &user, count, &text).await;
        for mailbox in ["inbox", "sent"] {
            let nothing = ask(&user, &[("q", words), ("box", mailbox)]).await;
            let pages = follow(&service, &user, nothing).await;
            assert_eq!(pages.concat(), [0; 0], "{name}, {mailbox}");
            // 4 MiB of text per page.
            assert!(
                (2..=count + 1).contains(&pages.len()),
                "{} for {name}",
                pages.len()
            );
        }
        let pages = follow(&service, &user, ask(&user, &[("q", "first")]).await).await;
        assert_eq!(pages.concat(), [first], "{name}");
    }
}

#[tokio::test]
async fn long_messages_fill_pages_that_lose_none() {
    let (service, [bob]) = Service::with_users(["bob"]).await;
    fill(&service, &bob, 150, &"y".repeat(65_000)).await;
    let all = bob.inbox("?per_page=100").await;
    for parameters in [
        &[("from", "bob"), ("per_page", "100")][..],
        &[("since", "2020-01-01T00:00:00Z"), ("per_page", "100")],
        &[("q", "yyy"), ("per_page", "100")],
        &[("q", "yyy"), ("per_page", "7"), ("unread", "true")],
        &[("q", "yyy"), ("per_page", "100"), ("box", "sent")],
    ] {
        let pages = follow(&service, &bob, ask(&bob, parameters).await).await;
        assert_eq!(pages.concat().len(), 150, "{parameters:?}");
        assert!(pages.concat().starts_with(&all[..50]), "{parameters:?}");
        assert!(pages.concat().is_sorted_by(|newer, older| newer > older));
        assert!(pages.iter().all(|page| page.len() <= 66), "4 MiB of text");
    }
}

#[tokio::test]
async fn constant_searches_of_one_user_do_not_starve_others() {
    let (service, [bob, carol]) = Service::with_users(["bob", "carol"]).await;
    fill(&service, &bob, 300, &"e\u{301}\u{323}".repeat(13_107)).await;
    let letter = carol.send(&carol, "a letter").await;
    let searches = (0..24).map(|_| {
        let bob = bob.clone();
        tokio::spawn(async move {
            let request = bob.request(Method::GET, "/messages");
            Answer::of(request.query(&[("q", "nothing like it")])).await
        })
    });
    let searches: Vec<_> = searches.collect();
    for _ in 0..10 {
        assert_eq!(found(&carol, &[("q", "letter")]).await, [letter]);
    }
    let mut refused = 0;
    for search in searches {
        let answer = search.await.expect("an answer");
        if answer.status == 429 {
            refused += 1;
            let document = problem(&answer, 429);
            assert!(
                document["detail"]
                    .as_str()
                    .is_some_and(|detail| detail.contains("searches"))
            );
            assert_eq!(answer.header("Retry-After"), "1");
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(answer.json["next"].is_string(), "it gets on");
        }
    }
    assert!(refused > 0, "eight of one account wait at most");
}

#[tokio::test]
async fn a_search_since_a_time_ends_at_older_messages() {
    let (service, _, bob, _) = three().await;
    many(&service, &bob, 2_500, 1).await;
    // The newest message is 2,500 minutes after the beginning of May.
    let since = "2026-05-02T17:30:00Z";
    let recent = ask(&bob, &[("since", since), ("per_page", "100")]).await;
    assert_eq!(ids(&recent).len(), 11);
    assert_eq!(recent.json["next"], Value::Null);
    let pages = [("since", since), ("per_page", "5")];
    let pages = follow(&service, &bob, ask(&bob, &pages).await).await;
    let lengths: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [5, 5, 1]);
}

#[tokio::test]
async fn an_invalid_search_names_its_parameter() {
    let (_service, alice, ..) = three().await;
    let long = "x".repeat(101);
    for (name, value) in [
        ("from", ""),
        ("from", "~17"),
        ("from", "no such name"),
        ("since", ""),
        ("since", "yesterday"),
        ("since", "2026-11-22"),
        ("since", "2026-11-22T12:00:00"),
        ("since", "2026-13-01T00:00:00Z"),
        ("q", ""),
        ("q", " "),
        ("q", "1 2 3 4 5 6"),
        ("q", &long),
    ] {
        let request = alice.request(Method::GET, "/messages");
        let answer = Answer::of(request.query(&[(name, value)])).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [format!("?{name}")], "{value}");
    }
    for name in [
        "box", "unread", "from", "since", "q", "per_page", "page", "before",
    ] {
        // Latin-1, which would otherwise become a search for a replacement character.
        let answer = alice.get(&format!("/messages?{name}=caf%E9")).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [format!("?{name}")]);
        assert!(answer.text.contains("UTF-8"), "{}", answer.text);
    }
    let twice = alice.get("/messages?q=a&q=b").await;
    assert_eq!(twice.pointers(), ["?q"]);
    let sent = alice.get("/messages?box=sent&from=bob").await;
    problem(&sent, 422);
    assert_eq!(sent.pointers(), ["?from"]);
}

#[tokio::test]
async fn a_time_may_stand_in_every_form_that_clients_write() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "now").await;
    service
        .database
        .execute("UPDATE messages SET created_at = '2016-12-31 23:59:59.500'".to_owned())
        .await;
    for (since, is_found) in [
        ("2016-12-31T23:59:59Z", true),
        ("2016-12-31t23:59:59.5z", true),
        ("2016-12-31%2023:59:59,500Z", true),
        ("2016-12-31T23:59:59.5%2B0000", true),
        ("2016-12-31T23:59:59.5%2B00", true),
        ("2017-01-01T00:59:59.5%2B01:00", true),
        // A space that results from an unescaped plus.
        ("2017-01-01T00:59:59.5+0100", true),
        ("2016-12-31T23:59Z", true),
        ("2016-12-31T23:59:59.5000000000001Z", false),
        ("2016-12-31T23:59:60Z", false),
        ("2016-12-31T15:59:60-0800", false),
    ] {
        let found = alice.inbox(&format!("?since={since}")).await;
        assert_eq!(found, if is_found { vec![id] } else { vec![] }, "{since}");
    }
    let refused = alice.get("/messages?since=2016-12-31T23:59:59").await;
    problem(&refused, 422);
    assert_eq!(refused.pointers(), ["?since"]);
}

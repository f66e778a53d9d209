//! Rate limits of clients and accounts for logins, sign-ups and sends.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, NewMessage, Service, User, problem, until};

/// The header with the client's address in these tests.
const ADDRESS: &str = "X-Real-Ip";
const OWNER: &str = "192.0.2.1";
const ATTACKER: &str = "203.0.113.1";

/// A service that trusts the header, with these limits of logins, sign-ups and sends per minute.
async fn limited(logins: u32, sign_ups: u32, sends: u32) -> Service {
    Service::start_with(|config| {
        config.limit_logins = logins;
        config.limit_sign_ups = sign_ups;
        config.limit_sends = sends;
        ADDRESS.clone_into(&mut config.client_address_header);
    })
    .await
}

async fn log_in(service: &Service, client: &str, name: &str, password: &str) -> Answer {
    let request = service.request(Method::POST, &format!("/users/{name}/token"));
    let request = request.header(ADDRESS, client);
    Answer::of(request.json(&json!({"password": password}))).await
}

async fn sign_up(service: &Service, client: &str, name: &str) -> Answer {
    let new =
        json!({"username": name, "email": format!("{name}@example.com"), "password": "a long one"});
    let request = service.request(Method::POST, "/users").json(&new);
    Answer::of(request.header(ADDRESS, client)).await
}

async fn send(user: &User) -> Answer {
    let new = NewMessage::to(&user.name).json();
    user.post("/messages", &new).await
}

/// Asserts that the response is a 429 of this limit with this `Retry-After`.
#[track_caller]
fn too_many(answer: &Answer, name: &str, seconds: u64) {
    let document = problem(answer, 429);
    assert_eq!(document["type"], "urn:problem-type:herolo:too-many");
    let wait: u64 = answer.header("Retry-After").parse().expect("seconds");
    assert!((1..=seconds + 1).contains(&wait), "{wait} s");
    let left = format!("\"{name}\";r=0;t=60");
    assert!(answer.header("RateLimit").ends_with(&left), "{answer:?}");
}

#[tokio::test]
async fn sends_of_an_account_are_limited_and_headers_say_what_remains() {
    let service = limited(0, 0, 4).await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let policy = "\"sends\";q=4;w=60, \"sends-client\";q=40;w=60";
    for (left, seconds) in [(3, 15), (2, 30), (1, 45), (0, 60)] {
        let answer = send(&alice).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.header("RateLimit-Policy"), policy);
        let item = format!("\"sends\";r={left};t={seconds}, \"sends-client\";r=");
        assert!(answer.header("RateLimit").starts_with(&item), "{answer:?}");
    }
    let refused = send(&alice).await;
    too_many(&refused, "sends", 15);
    assert_eq!(refused.header("RateLimit-Policy"), policy);
    assert_eq!(send(&bob).await.status, 201);
    assert_eq!(
        alice.inbox("").await.len(),
        4,
        "what is refused is not sent"
    );
    assert_eq!(alice.get("/messages").await.header("RateLimit"), "");
}

#[tokio::test]
async fn searches_of_an_account_are_limited_and_reads_are_not() {
    let service = Service::start_with(|config| config.limit_searches = 3).await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let policy = "\"searches\";q=3;w=60, \"searches-client\";q=30;w=60";
    let queries = [
        "?q=word",
        "?from=bob&per_page=0",
        "?since=2026-11-22T12:00:00Z&box=sent",
    ];
    for (query, left) in queries.iter().zip([2, 1, 0]) {
        let answer = alice.get(&format!("/messages{query}")).await;
        assert_eq!(answer.header("RateLimit-Policy"), policy, "{query}");
        let item = format!("\"searches\";r={left};t={}", 60 - 20 * left);
        assert!(answer.header("RateLimit").starts_with(&item), "{answer:?}");
    }
    too_many(&alice.get("/messages?q=word").await, "searches", 20);
    for query in ["", "?unread=true", "?before=5", "?box=sent", "?query=q"] {
        let answer = alice.get(&format!("/messages{query}")).await;
        assert_eq!(
            (answer.status, answer.header("RateLimit")),
            (200, ""),
            "{query}"
        );
    }
    assert_eq!(bob.get("/messages?q=word").await.status, 200);
    let as_alice = User::new(&service.url, "alice", bob.token.clone());
    problem(&as_alice.get("/messages?q=word").await, 403);
}

#[tokio::test]
async fn a_used_quota_is_replenished() {
    let service = limited(0, 0, 30).await;
    let alice = service.user("alice").await;
    let mut answer = send(&alice).await;
    while answer.status == 201 {
        answer = send(&alice).await;
    }
    too_many(&answer, "sends", 2);
    until("she may send again", async || {
        send(&alice).await.status == 201
    })
    .await;
}

#[tokio::test]
async fn a_client_sends_ten_times_as_many_from_all_its_accounts() {
    let service = limited(0, 0, 1).await;
    let mut users = Vec::new();
    for number in 0..11 {
        users.push(service.user(&format!("user{number}")).await);
    }
    for user in &users[..10] {
        assert_eq!(send(user).await.status, 201);
    }
    too_many(&send(&users[10]).await, "sends-client", 6);
    let new = NewMessage::to("user0").json();
    let elsewhere = service.user("elsewhere").await;
    let request = elsewhere.request(Method::POST, "/messages").json(&new);
    let answer = Answer::of(request.header(ADDRESS, OWNER)).await;
    assert_eq!(answer.status, 201, "another client's quota is its own");
}

#[tokio::test]
async fn a_guessing_client_is_stopped_and_the_owner_is_not() {
    let service = limited(3, 0, 0).await;
    service.user("alice").await;
    for _ in 0..3 {
        let wrong = log_in(&service, ATTACKER, "alice", "a wrong one").await;
        problem(&wrong, 401);
    }
    too_many(
        &log_in(&service, ATTACKER, "alice", "a wrong one").await,
        "logins",
        20,
    );
    let right = log_in(&service, ATTACKER, "Alice", "password of alice").await;
    too_many(&right, "logins", 20);
    let owner = log_in(&service, OWNER, "alice", "password of alice").await;
    assert_eq!(owner.status, 201, "{}", owner.text);
}

#[tokio::test]
async fn clients_are_told_apart_by_addresses_with_ports() {
    let service = limited(1, 0, 0).await;
    service.user("alice").await;
    for client in [
        "192.0.2.7:40000",
        "203.0.113.7:40000",
        "[2001:db8::7]:443",
        "fe80::7%eth0",
    ] {
        let wrong = log_in(&service, client, "alice", "a wrong one").await;
        assert_eq!(wrong.status, 401, "{client}");
    }
    for same in [
        "192.0.2.7:40001",
        "::ffff:192.0.2.7",
        "[::ffff:203.0.113.7]:1",
        "2001:db8::8",
        "[fe80::7]",
    ] {
        let again = log_in(&service, same, "alice", "a wrong one").await;
        assert_eq!(again.status, 429, "{same}");
    }
}

#[tokio::test]
async fn a_refused_login_does_not_tell_whether_there_is_such_a_user() {
    let service = limited(2, 0, 0).await;
    service.user("alice").await;
    let mut told = Vec::new();
    for (name, client) in [("alice", OWNER), ("nobody", ATTACKER)] {
        let mut answers = Vec::new();
        for _ in 0..4 {
            let answer = log_in(&service, client, name, "a wrong one").await;
            // Some seconds pass in the meantime: the wait is shorter, and part of the client's quota is restored.
            let limit = answer.header("RateLimit").split(',').next();
            let limit = limit.unwrap_or_default().to_owned();
            let detail = answer.json["detail"].to_string();
            let detail = detail.replace(|one: char| one.is_ascii_digit(), "");
            answers.push((answer.status, detail, limit));
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    let statuses: Vec<_> = told[0].iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses, [401, 401, 429, 429]);
}

#[tokio::test]
async fn logins_with_the_correct_password_are_not_limited() {
    let service = limited(3, 0, 0).await;
    service.user("alice").await;
    for _ in 0..3 {
        for (password, status) in [
            ("a wrong one", 401),
            ("another wrong one", 401),
            ("password of alice", 201),
        ] {
            let answer = log_in(&service, OWNER, "alice", password).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_client_that_tries_many_accounts_is_stopped_too() {
    let service = limited(1, 0, 0).await;
    // One request is restored every six seconds, which ten hashes may take on a busy machine.
    for number in 0..100 {
        let name = format!("user{number}");
        let tried = log_in(&service, ATTACKER, &name, "password of alice").await;
        if tried.status == 429 {
            too_many(&tried, "logins-client", 6);
            assert!(number >= 10, "refused after {number}");
            return;
        }
        problem(&tried, 401);
    }
    panic!("nobody is refused");
}

#[tokio::test]
async fn a_token_does_not_help_to_guess_the_password() {
    let service = limited(2, 0, 0).await;
    let alice = service.user("alice").await;
    let guess = json!({"password": "a guess of it", "new_password": "a new password"});
    for _ in 0..2 {
        let request = alice.request(Method::PUT, "/password").json(&guess);
        problem(&Answer::of(request).await, 403);
    }
    let request = alice.request(Method::PUT, "/password").json(&guess);
    too_many(&Answer::of(request).await, "logins", 30);
    let deletion = json!({"password": "password of alice"});
    too_many(&alice.post("/deletion", &deletion).await, "logins", 30);
    // Requests without her token do not use her quota.
    let other = service.user("bob").await;
    let as_other = User::new(&service.url, "carol", other.token);
    problem(&as_other.post("/deletion", &deletion).await, 403);
}

#[tokio::test]
async fn a_client_signs_up_so_many_accounts_a_minute() {
    let service = limited(0, 2, 0).await;
    for (name, left) in [("one", 1), ("two", 0)] {
        let answer = sign_up(&service, ATTACKER, name).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let item = format!("\"sign-ups\";r={left};t={}", 30 * (2 - left));
        assert_eq!(answer.header("RateLimit"), item);
    }
    too_many(&sign_up(&service, ATTACKER, "three").await, "sign-ups", 30);
    assert_eq!(sign_up(&service, OWNER, "three").await.status, 201);
}

#[tokio::test]
async fn an_ipv6_network_is_one_client() {
    let service = limited(0, 1, 0).await;
    for (client, status) in [
        ("2001:db8::1", 201),
        ("2001:db8::ffff:2", 429),
        ("2001:db8:0:1::1", 201),
        ("::ffff:192.0.2.9", 201),
        ("192.0.2.9", 429),
    ] {
        let name = format!("user-{}", client.replace(':', "-"));
        let answer = sign_up(&service, client, &name).await;
        assert_eq!(answer.status, status, "{client}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_client_cannot_choose_its_address_without_a_trusted_header() {
    let unset = Service::start_with(|config| config.limit_sign_ups = 1).await;
    assert_eq!(sign_up(&unset, OWNER, "alice").await.status, 201);
    let again = sign_up(&unset, ATTACKER, "bob").await;
    too_many(&again, "sign-ups", 60);

    let set = limited(0, 1, 0).await;
    // As from the address of the connection.
    assert_eq!(sign_up(&set, "127.0.0.1", "alice").await.status, 201);
    for odd in ["", "unknown", "192.0.2.1, 192.0.2.2"] {
        too_many(&sign_up(&set, odd, "bob").await, "sign-ups", 60);
    }
    let new = json!({"username": "bob", "email": "bob@example.com", "password": "a long one"});
    let twice = set.request(Method::POST, "/users").json(&new);
    let twice = twice
        .header(ADDRESS, "192.0.2.1")
        .header(ADDRESS, "192.0.2.2");
    too_many(&Answer::of(twice).await, "sign-ups", 60);
}

#[tokio::test]
async fn an_unlimited_answer_has_no_rate_limit_headers() {
    let (_service, [alice]) = Service::with_users(["alice"]).await;
    for _ in 0..30 {
        let answer = send(&alice).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("RateLimit"), "");
        assert_eq!(answer.header("RateLimit-Policy"), "");
    }
}

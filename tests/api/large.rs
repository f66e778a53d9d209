//! Large responses: the limits of pages and exports, and their effect on other clients.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::Value;

use crate::support::raw::Connection;
use crate::support::{
    Answer, Herolo, Process, Service, TestDatabase, User, all, ask_all, at_once, problem, until,
};

/// The maximum size of a page in bytes.
const PAGE: usize = 4 * 1024 * 1024;
/// A message whose JSON is six times as long.
pub(crate) const CONTROL: &str = "REPEAT(CHAR(1), 65535)";
const TEXT: &str = "REPEAT('x', 65535)";

/// Inserts so many messages of this length from one user to another.
pub(crate) async fn fill(
    database: &TestDatabase,
    sender: &User,
    receiver: &User,
    count: u32,
    body: &str,
) {
    let id = |user: &User| format!("(SELECT id FROM users WHERE username = '{}')", user.name);
    database
        .execute(format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) \
             WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
             SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */ {}, 'lunch', {body}, NOW(3) FROM n",
            id(sender)
        ))
        .await;
    database
        .execute(format!(
            "INSERT IGNORE INTO receipts (receiver_id, message_id) SELECT {}, id FROM messages WHERE sender_id = {}",
            id(receiver),
            id(sender)
        ))
        .await;
}

fn ids(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("messages");
    let id = |message: &Value| message["id"].as_u64().expect("an id");
    messages.iter().map(id).collect()
}

/// A conditional request with this tag.
async fn poll(user: &User, path: &str, tag: &str) -> Answer {
    let request = user.request(Method::GET, path);
    Answer::of(request.header("If-None-Match", tag)).await
}

/// Follows `next` from a page. Each page is bounded, and has the same tag at both replicas.
async fn follow(user: &User, other: &User, first: &str, per_page: usize) -> Vec<Vec<u64>> {
    let (mut pages, mut path) = (Vec::new(), format!("/messages{first}"));
    loop {
        let answer = user.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.len() <= PAGE, "{path}: {}", answer.text.len());
        let page = ids(&answer.json);
        let tag = answer.header("ETag");
        assert_eq!(poll(user, &path, tag).await.status, 304, "{path}");
        assert_eq!(poll(other, &path, tag).await.status, 304, "{path}");
        assert!(page.len() <= per_page);
        pages.push(page);
        let Some(next) = answer.json["next"].as_str() else {
            return pages;
        };
        assert!(answer.header("Link").contains(next));
        let user = format!("/users/{}", user.name);
        next.strip_prefix(&user)
            .expect("the user's own")
            .clone_into(&mut path);
    }
}

#[tokio::test]
async fn a_page_ends_at_four_mebibytes_and_next_continues_there() {
    let service = Service::start().await;
    let replica = service.replica(|_| ()).await;
    let alice = service.user("alice").await;
    let other = User::new(&replica.url, "alice", alice.token.clone());
    for (count, body) in [(13, "'short'"), (11, CONTROL), (5, "'short'")] {
        fill(&service.database, &alice, &alice, count, body).await;
    }
    let mut everything = follow(&alice, &other, "?per_page=8", 8).await.concat();
    assert_eq!(everything.len(), 29);
    for (query, per_page) in [
        ("", 20),
        ("?per_page=100", 100),
        ("?per_page=100&unread=true", 100),
        ("?per_page=100&before=1000000", 100),
        ("?per_page=7&page=1", 7),
        ("?box=sent", 20),
        ("?box=sent&per_page=100", 100),
        ("?per_page=100&from=alice", 100),
        ("?q=lunch", 20),
        ("?box=sent&per_page=100&q=lunch", 100),
    ] {
        let pages = follow(&alice, &other, query, per_page).await;
        assert_eq!(pages.concat(), everything, "{query}");
        let least = everything.len().div_ceil(per_page);
        let is_cut = pages.iter().rev().skip(1).any(|page| page.len() < per_page);
        assert_eq!(is_cut, per_page > 17, "{query}: {} pages", pages.len());
        assert!(pages.len() >= least);
    }
    // The offset of a page by number is a number of messages, regardless of bytes.
    everything.drain(..20);
    let second = alice.get("/messages?page=2").await;
    let shown = ids(&second.json);
    assert_eq!(shown, everything[..shown.len()]);
}

/// The responses to sixteen requests that wait for one batch. On a busy machine the database may time out; the requests
/// are then repeated.
async fn read_together(service: &Service, users: &[User]) -> Vec<Answer> {
    for _ in 0..20 {
        let everybody = users.iter().cycle().take(16);
        let requests = everybody.map(|user| user.request(Method::GET, "/messages"));
        let together = at_once(&service.database, "receipts", requests).await;
        if together.iter().all(|answer| answer.status != 503) {
            return together;
        }
    }
    panic!("no batch without a 503");
}

#[tokio::test]
async fn large_pages_read_in_one_batch_equal_pages_read_alone() {
    let service = Service::start().await;
    let mut users = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        users.push(service.user(name).await);
    }
    for (user, body) in users.iter().zip([CONTROL, "'short'", TEXT]) {
        fill(&service.database, user, user, 21, body).await;
    }
    let mut alone = Vec::new();
    for user in &users {
        alone.push(read(user, "/messages").await.text);
    }
    let together = read_together(&service, &users).await;
    for (answer, expected) in together.iter().zip(alone.iter().cycle()) {
        // The account's other responses may occupy its share for longer than a request waits.
        assert!([200, 429].contains(&answer.status), "{}", answer.text);
        assert!(answer.status == 429 || answer.text == *expected);
    }
    for (answer, user) in together.iter().zip(users.iter().cycle()) {
        assert!(answer.status == 200 || ["alice", "carol"].contains(&&*user.name));
    }
}

/// A request on a separate connection, whose response is not read.
async fn unread(process: &Process, user: &User, path: &str) -> Connection {
    let mut connection = Connection::open(process.url()).await;
    let (name, token) = (&user.name, &user.token);
    let request = format!(
        "GET /users/{name}{path} HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.send(request.as_bytes()).await;
    connection
}

/// A metric of the process.
async fn metric(process: &Process, name: &str) -> u64 {
    let metrics = process.get("/metrics").await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let value = line.expect("the metric is there").trim();
    value.parse().expect("a whole number")
}

async fn resident(process: &Process) -> u64 {
    metric(process, "process_resident_memory_bytes ").await
}

/// The open files: connections of clients, and a few others.
async fn connections(process: &Process) -> u64 {
    let all = metric(process, "process_open_fds ").await;
    all.saturating_sub(metric(process, "herolo_database_connections ").await)
}

/// A process on a database with its schema.
async fn process(service: &Service) -> Process {
    let process = Herolo::on(&service.database.url()).serve().await;
    process.until_ready().await;
    process
}

/// A page, requested again if the database timed out, as it may on a busy machine.
async fn read(user: &User, path: &str) -> Answer {
    let mut answer = user.get(path).await;
    for _ in 0..20 {
        if answer.status != 503 {
            break;
        }
        answer = user.get(path).await;
    }
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// Reads pages until the others are done: the successful reads, and those that failed. The only failure is that the
/// database timed out, as it may on a busy machine.
async fn read_meanwhile(process: &Process, user: &User, is_over: &AtomicBool) -> (u32, u32) {
    let (mut successful, mut failed) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        for path in [
            "/messages",
            "/messages?per_page=100",
            "/messages?box=sent",
            "",
        ] {
            match user.get(path).await.status {
                200 => successful += 1,
                503 => failed += 1,
                other => panic!("{other}: {}", process.log()),
            }
        }
    }
    (successful, failed)
}

/// The limit of a replica's memory is 256 MiB.
const MOST_RESIDENT: u64 = 160 * 1024 * 1024;

/// Connections that may still be open when the unread answers count as ended: those of other clients, and of answers
/// that began late on a busy machine.
const STILL_OPEN: u64 = 10;

/// Requests everything that is large and reads nothing, until the service has closed the connections.
async fn attack(process: &Process, mallory: &User, id: u64) {
    let before = connections(process).await;
    let mut unread_answers = Vec::new();
    for number in 0..60 {
        let path = match number % 12 {
            0 => "/export".to_owned(),
            1 => format!("/messages/{id}"),
            2 => "/messages?box=sent&per_page=100".to_owned(),
            3 => "/messages?per_page=100&from=mallory".to_owned(),
            4 => "/messages".to_owned(),
            _ => "/messages?per_page=100".to_owned(),
        };
        unread_answers.push(unread(process, mallory, &path).await);
    }
    let pages = (0..8).map(|_| mallory.request(Method::GET, "/messages?per_page=100"));
    for answer in all(ask_all(pages)).await {
        // Clients that requested too much may also time out waiting for the database.
        if ![200, 503].contains(&answer.status) {
            let refused = problem(&answer, 429);
            assert_eq!(refused["type"], "urn:problem-type:herolo:answers-unread");
            assert!(!answer.header("Retry-After").is_empty());
        }
    }
    until("unread answers have ended", async || {
        assert!(resident(process).await < MOST_RESIDENT);
        connections(process).await < before + STILL_OPEN
    })
    .await;
    let mut whole = 0;
    for connection in unread_answers {
        let received = connection.finish().await;
        let is_whole = received.text.ends_with('}') && received.status() == Some(200);
        whole += u64::from(is_whole);
    }
    assert!(whole < STILL_OPEN, "{whole} were not cut off");
}

#[tokio::test]
async fn unread_answers_cost_other_users_nothing() {
    let service = Service::start().await;
    let process = process(&service).await;
    let (mallory, bob) = (process.user("mallory").await, process.user("bob").await);
    fill(&service.database, &mallory, &mallory, 120, CONTROL).await;
    for subject in ["one", "two"] {
        bob.send(&bob, subject).await;
    }
    let id = mallory.inbox("?per_page=1").await[0];
    let idle = resident(&process).await;
    let is_over = AtomicBool::new(false);
    let ((), (successful, failed)) = tokio::join!(
        async {
            attack(&process, &mallory, id).await;
            is_over.store(true, Ordering::Relaxed);
        },
        read_meanwhile(&process, &bob, &is_over)
    );
    // Connections that unread responses held would be missing for as long as those last.
    assert!(
        successful > 20 && failed * 4 < successful,
        "{successful} successful, {failed} failed"
    );
    until("all is given back", async || {
        let answer = mallory.get("/messages?per_page=100").await;
        answer.status == 200
    })
    .await;
    let after = resident(&process).await;
    assert!(
        after < idle + 100 * 1024 * 1024,
        "{idle} before, {after} after"
    );
    if let Some(peak) = process.memory_peak_kib() {
        assert!(peak * 1024 < MOST_RESIDENT, "{peak} KiB");
    }
}

#[tokio::test]
async fn an_export_of_a_hundred_megabytes_takes_little_memory() {
    let service = Service::start().await;
    let process = process(&service).await;
    let alice = process.user("alice").await;
    fill(&service.database, &alice, &alice, 800, TEXT).await;
    let before = process.memory_peak_kib();
    let mut export = alice
        .request(Method::GET, "/export")
        .send()
        .await
        .expect("an answer");
    assert_eq!(export.status(), 200);
    let (mut bytes, mut end) = (0, Vec::new());
    while let Some(chunk) = export.chunk().await.expect("it goes on") {
        bytes += chunk.len();
        end.extend_from_slice(&chunk);
        end.drain(..end.len().saturating_sub(8));
    }
    assert!(bytes > 100_000_000, "{bytes}");
    assert!(String::from_utf8_lossy(&end).ends_with("]}\n"), "{end:?}");
    if let (Some(before), Some(after)) = (before, process.memory_peak_kib()) {
        assert!(
            after < before + 24 * 1024,
            "{before} KiB before, {after} KiB after"
        );
    }
}

/// The rest of an export after its beginning was read and an event occurred.
async fn cut_export(service: &Service, user: &User, happens: impl AsyncFnOnce()) -> usize {
    fill(&service.database, user, user, 300, TEXT).await;
    let mut export = user
        .request(Method::GET, "/export")
        .send()
        .await
        .expect("an answer");
    let mut read = export
        .chunk()
        .await
        .expect("it begins")
        .expect("some")
        .len();
    happens().await;
    while let Ok(Some(chunk)) = export.chunk().await {
        read += chunk.len();
    }
    read
}

#[tokio::test]
async fn an_export_ends_when_the_token_is_revoked_or_the_account_is_gone() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let read = cut_export(&service, &alice, async || {
        let revoked = Answer::of(alice.request(Method::DELETE, "/tokens")).await;
        assert_eq!(revoked.status, 204);
    });
    let read = read.await;
    assert!(read < 8_000_000, "{read}");
    let read = cut_export(&service, &bob, async || {
        let password = serde_json::json!({"password": "password of bob"});
        assert_eq!(bob.post("/deletion", &password).await.status, 204);
    });
    let read = read.await;
    assert!(read < 8_000_000, "{read}");
}

#[tokio::test]
async fn a_slow_reader_is_served() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    fill(&service.database, &alice, &alice, 20, CONTROL).await;
    let request = alice.request(Method::GET, "/messages?per_page=100");
    let mut answer = request.send().await.expect("an answer");
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("it goes on") {
        read.extend_from_slice(&chunk);
        // Longer in total than the timeout of an unread response.
        if read.len() / 400_000 != (read.len() - chunk.len()) / 400_000 {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        }
    }
    assert_eq!(
        ids(&serde_json::from_slice(&read).expect("whole")).len(),
        10
    );
}

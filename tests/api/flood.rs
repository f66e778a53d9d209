//! A flood of logins is rejected without an effect on other requests, and memory stays bounded.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use reqwest::Client;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, Herolo, Process, TestDatabase, User, problem, unavailable, until};

const LOGINS: usize = 150;
/// The memory of one hash (argon2id with OWASP's minimum).
const HASH_KIB: u64 = 19 * 1024;
/// For 150 connections and the rest of the process.
const MARGIN_KIB: u64 = 64 * 1024;

/// A name and a password, and whether they are correct.
type Claim = (&'static str, &'static str, bool);

const CLAIMS: [Claim; 3] = [
    ("alice", "password of alice", true),
    ("alice", "password of another", false),
    ("nobody", "password of alice", false),
];

async fn log_in(url: String, client: Client, (name, password, _): Claim) -> Answer {
    let request = client.post(format!("{url}/users/{name}/token"));
    Answer::of(request.json(&json!({"password": password}))).await
}

/// Sends all logins concurrently; returns each response with its login.
async fn flood(process: &Process) -> Vec<(Claim, Answer)> {
    let client = Client::new();
    let mut logins = JoinSet::new();
    for claim in CLAIMS.into_iter().cycle().take(LOGINS) {
        let (url, client) = (process.url().to_owned(), client.clone());
        logins.spawn(async move { (claim, log_in(url, client, claim).await) });
    }
    logins.join_all().await
}

/// Reads until the flood has ended, and returns the statuses of all responses.
async fn read_meanwhile(reader: &User, is_over: &AtomicBool) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        statuses.push(reader.get("/messages").await.status);
    }
    statuses
}

#[tokio::test]
async fn a_flood_of_logins_is_shed_within_bounded_memory() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    let process = herolo.serve().await;
    process.until_ready().await;
    let (_alice, reader) = (process.user("alice").await, process.user("reader").await);
    let idle = process.memory_peak_kib();

    let is_over = AtomicBool::new(false);
    let (logins, reads) = tokio::join!(
        async {
            let logins = flood(&process).await;
            is_over.store(true, Ordering::Relaxed);
            logins
        },
        read_meanwhile(&reader, &is_over)
    );

    assert_shed(&logins);
    assert!(reads.iter().all(|status| *status == 200), "{reads:?}");
    assert_bounded(idle, process.memory_peak_kib());
    until("logins work again", async || {
        let (url, client) = (process.url().to_owned(), Client::new());
        log_in(url, client, CLAIMS[0]).await.status == 201
    })
    .await;
}

fn assert_shed(logins: &[(Claim, Answer)]) {
    let count = |status| {
        let with_it = logins.iter().filter(|(_, login)| login.status == status);
        with_it.count()
    };
    assert!(count(201) > 0, "no login succeeded");
    assert!(count(503) > 0, "nothing was shed");
    for ((_, _, is_right), login) in logins {
        match login.status {
            201 => assert!(is_right, "a wrong password got in"),
            503 => unavailable(login),
            _ => {
                problem(login, 401);
                assert!(!is_right, "a right password was refused");
            }
        }
    }
}

/// On systems that report it.
fn assert_bounded(idle: Option<u64>, peak: Option<u64>) {
    if let (Some(idle), Some(peak)) = (idle, peak) {
        let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
        let limit = idle + threads * HASH_KIB + MARGIN_KIB;
        assert!(peak <= limit, "{peak} KiB, of at most {limit}");
    }
}

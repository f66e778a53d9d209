//! The life of a process: it starts, waits for its database, drains and exits.

use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::task::JoinSet;

use crate::support::raw::Connection;
use crate::support::{
    Account, Answer, Herolo, NewMessage, Process, Proxy, SIGNING_KEY, TestDatabase, User, problem,
    token_keys, unavailable, until,
};

/// A ready process with a database of its own.
async fn ready(adjust: impl FnOnce(Herolo) -> Herolo) -> (Process, TestDatabase) {
    let database = TestDatabase::create().await;
    let herolo = adjust(Herolo::on(&database.url()));
    let migrated = herolo.run(&["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    let process = herolo.serve().await;
    process.until_ready().await;
    (process, database)
}

/// A request that needs the database.
async fn log_in(process: &Process) -> Answer {
    process
        .post("/users/nobody/token", &json!({"password": "password"}))
        .await
}

#[tokio::test]
async fn a_service_whose_database_is_away_starts_says_so_and_waits() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;

    let process = Herolo::on(&proxy.url(&database)).serve().await;

    let live = process.get("/livez").await;
    assert_eq!((live.status, &live.json["started"]), (200, &json!(false)));
    assert_eq!(process.get("/drainz").await.status, 200);
    unavailable(&process.get("/readyz").await);
    unavailable(&log_in(&process).await);
    let health = process.healthcheck().await;
    assert_eq!(health.code, Some(1));
    assert_eq!(
        health.stderr,
        "herolo: the service has not reached its database yet\n"
    );
    process.until_log_says("waiting for the database").await;
}

#[tokio::test]
async fn a_service_becomes_ready_once_its_database_is_migrated() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;
    let herolo = Herolo::on(&proxy.url(&database));
    let process = herolo.serve().await;
    unavailable(&process.get("/readyz").await);

    proxy.pass().await;
    process.until_log_says("run `herolo migrate`").await;
    unavailable(&log_in(&process).await);
    let migrated = herolo.run(&["migrate"]).await;
    process.until_ready().await;

    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    assert_eq!(process.get("/livez").await.json["started"], true);
    let health = process.healthcheck().await;
    assert_eq!((health.code, health.stderr.as_str()), (Some(0), ""));
    process.user("alice").await;
}

#[tokio::test]
async fn an_older_schema_is_alive_but_not_ready_and_logged_with_the_fix() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    database
        .execute("DELETE FROM _sqlx_migrations ORDER BY version DESC LIMIT 1")
        .await;

    let process = herolo.serve().await;

    process.until_log_says("run `herolo migrate`").await;
    unavailable(&process.get("/readyz").await);
    let live = process.get("/livez").await;
    assert_eq!((live.status, &live.json["started"]), (200, &json!(false)));
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    process.until_ready().await;
}

#[tokio::test]
async fn the_health_check_reports_that_no_service_answers() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    drop(taken);
    // It reads no secret, so one that is missing does not matter.
    let herolo = Herolo::on("mysql://nobody@127.0.0.1:1/nothing")
        .set("HEROLO_PORT", &port)
        .unset("HEROLO_TOKEN_KEYS")
        .set("HEROLO_TOKEN_KEYS_FILE", "/nowhere/keys");

    let health = herolo.run(&["healthcheck"]).await;

    assert_eq!(health.code, Some(1));
    assert!(
        health
            .stderr
            .starts_with(&format!("herolo: no response from 127.0.0.1:{port}: ")),
        "{health:?}"
    );
}

#[tokio::test]
async fn sigterm_drains_while_serving_and_a_second_one_stops() {
    let (process, _database) = ready(|herolo| herolo.set("HEROLO_DRAIN_SECONDS", "600")).await;
    let (alice, bob) = (process.user("alice").await, process.user("bob").await);
    assert_eq!(process.get("/drainz").await.status, 200);

    process.signal(Signal::TERM);
    until("the drain begins", async || {
        process.get("/drainz").await.status == 503
    })
    .await;

    let probes = [process.get("/drainz").await, process.get("/readyz").await];
    probes.iter().for_each(unavailable);
    let id = alice.send(&bob, "while draining").await;
    let read = bob.read(id).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("Connection"), "close");
    assert_eq!(bob.get("/none").await.header("Connection"), "close");
    assert_eq!(process.get("/livez").await.status, 200);
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
}

#[tokio::test]
async fn a_drain_ends_by_itself() {
    let (process, _database) = ready(|herolo| herolo.set("HEROLO_DRAIN_SECONDS", "1")).await;

    process.signal(Signal::TERM);

    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
    assert!(process.log().contains("draining for 1 s"));
}

#[tokio::test]
async fn sigint_ends_the_service_without_a_drain() {
    let (process, _database) = ready(|herolo| herolo.set("HEROLO_DRAIN_SECONDS", "600")).await;

    process.signal(Signal::INT);

    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
    assert!(!process.log().contains("draining"), "{}", process.log());
}

/// Begins to send a message. The service has requested the body, so the request is in progress.
async fn begin_send(process: &Process, sender: &User, body: &str) -> Connection {
    let mut connection = Connection::open(process.url()).await;
    let head = format!(
        "POST /users/{}/messages HTTP/1.1\r\nHost: herolo\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        sender.name,
        sender.token,
        body.len()
    );
    connection.send(head.as_bytes()).await;
    connection.read_until("100 Continue").await;
    connection
}

#[tokio::test]
async fn a_request_under_way_at_the_end_of_the_drain_is_finished() {
    let (process, _database) = ready(|herolo| herolo.set("HEROLO_DRAIN_SECONDS", "0")).await;
    let alice = process.user("alice").await;
    let body = NewMessage::to("alice")
        .subject("late")
        .text("in time")
        .json()
        .to_string();
    let mut connection = begin_send(&process, &alice, &body).await;

    process.signal(Signal::TERM);
    process.until_log_says("stopping").await;
    connection.send(body.as_bytes()).await;

    let received = connection.finish().await;
    assert_eq!(received.statuses(), [100, 201], "{received:?}");
    assert!(received.text.contains("in time"));
    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
}

#[tokio::test]
async fn a_stop_under_load_fails_no_request_under_way() {
    // Ten for each connection; a busy machine cannot answer many more within the deadline of each.
    const REQUESTS: usize = 40;
    let (process, _database) = ready(|herolo| {
        herolo
            .set("HEROLO_DRAIN_SECONDS", "0")
            .set("HEROLO_DATABASE_MAX_CONNECTIONS", "4")
            .set("RUST_LOG", "herolo=debug")
    })
    .await;
    let alice = process.user("alice").await;
    process.user("bob").await;
    // A send to several receivers is a separate transaction, so these requests wait for four connections.
    let body = json!({"receivers": ["alice", "bob"], "subject": "late", "message": "in time"});
    let body: Arc<str> = body.to_string().into();
    let mut begun = Vec::new();
    for _ in 0..REQUESTS {
        begun.push(begin_send(&process, &alice, &body).await);
    }

    process.signal(Signal::TERM);
    process.until_log_says("the pool stays open").await;
    let mut answers = JoinSet::new();
    for mut connection in begun {
        let body = Arc::clone(&body);
        answers.spawn(async move {
            connection.send(body.as_bytes()).await;
            connection.answer().await
        });
    }
    let answers = answers.join_all().await;

    let failures = answers.iter().filter(|got| got.statuses() != [100, 201]);
    let failures: Vec<_> = failures.map(|got| &got.text).collect();
    assert_eq!(failures.len(), 0, "{failures:#?}");
    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let herolo = Herolo::on("mysql://nobody@127.0.0.1:1/nothing")
        .set("HEROLO_PORT", &address.port().to_string());

    let ended = herolo.run(&["serve"]).await;

    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    let start = format!("herolo: cannot listen on {address}: ");
    assert!(ended.stderr.starts_with(&start), "{ended:?}");
    assert!(ended.stderr.contains("HEROLO_PORT"), "{ended:?}");
}

#[tokio::test]
async fn the_database_is_spoken_to_by_tls_unless_the_url_says_otherwise() {
    for mode in ["", "?ssl-mode=PREFERRED", "?ssl-mode=REQUIRED"] {
        let database = TestDatabase::create().await;
        let account = Account::create(&database, "").await;
        let herolo = Herolo::on(&format!("{}{mode}", account.url()));
        assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));

        let process = herolo.serve().await;
        process.until_ready().await;

        let mut connection = database.connect().await;
        let kinds = sqlx::query(
            "SELECT DISTINCT connection_type FROM performance_schema.threads WHERE processlist_user = ?",
        )
        .bind(database.name())
        .fetch_all(&mut connection)
        .await
        .expect("the administrator may look");
        let kinds: Vec<String> = kinds.iter().map(|row| row.get(0)).collect();
        assert_eq!(kinds, ["SSL/TLS"], "with '{mode}'");
        account.remove().await;
    }
}

#[tokio::test]
async fn no_secret_ever_gets_into_the_log() {
    let database = TestDatabase::create().await;
    let account = Account::create(&database, "").await;
    let proxy = Proxy::start().await;
    let herolo = Herolo::on(&account.of(&proxy.url(&database))).set("RUST_LOG", "debug");
    let migrated = herolo.run(&["migrate"]).await;
    let process = herolo.serve().await;
    process.until_ready().await;

    let token = a_session_with_all_kinds_of_faults(&process, &proxy).await;
    account.remove().await;
    process.signal(Signal::INT);
    process.exit().await;

    let log = migrated.stderr + &process.log();
    assert!(log.contains(r#""route":"/users/<_>/messages""#), "{log}");
    let ring = token_keys(&[("test", SIGNING_KEY)]);
    let (_, key) = ring.split_once(':').expect("kid:key");
    let signature = token.rsplit('.').next().expect("a signature");
    let secrets = [
        &token,
        signature,
        key,
        &account.password,
        "password of",
        "a wrong one",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "'{secret}' is in the log:\n{log}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

/// Returns the token that was used.
async fn a_session_with_all_kinds_of_faults(process: &Process, proxy: &Proxy) -> String {
    let alice = process.user("alice").await;
    let wrong = json!({"password": "a wrong one"});
    problem(&process.post("/users/alice/token", &wrong).await, 401);
    problem(
        &process
            .post("/users", &json!({"password": "a wrong one", "name": 1}))
            .await,
        422,
    );
    let sent = NewMessage::to("nobody").text("password of the bank").json();
    problem(&alice.post("/messages", &sent).await, 422);
    alice.send(&alice, "password of the bank").await;
    problem(&process.get("/users/alice/messages").await, 401);
    problem(&process.get("/none\r\n").await, 404);
    proxy.refuse().await;
    unavailable(&alice.get("/messages").await);
    unavailable(&process.post("/users/alice/token", &wrong).await);
    alice.token
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn running_out_of_file_descriptors_is_logged_and_recovers() {
    let (process, _database) = ready(|herolo| herolo).await;
    process.leave_room_for_files(3);

    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(Connection::open(process.url()).await);
    }
    process.until_log_says("Too many open files").await;
    drop(connections);

    assert_eq!(process.get("/livez").await.status, 200);
}

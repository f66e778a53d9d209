//! Failures of the database while the service runs: each is a 503 with a `Retry-After`, and the service recovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{
    Account, Answer, NewMessage, Proxy, Replica, Service, TestDatabase, User, problem, unavailable,
    until,
};

/// The maximum number of database connections in the settings of the tests.
const POOL: usize = 8;
/// A page that is not read in batches, so each request needs a connection.
const PAGE: &str = "/messages?per_page=5";

async fn behind(proxy: &Proxy) -> Service {
    Service::start_with(|config| proxy.redirect(config)).await
}

/// Reads the inbox with more concurrent requests than there are connections.
async fn crowd(user: &User) -> Vec<Answer> {
    let mut reads = JoinSet::new();
    for _ in 0..3 * POOL {
        let user = user.clone();
        reads.spawn(async move { user.get(PAGE).await });
    }
    reads.join_all().await
}

/// Waits until all requests of a crowd are served, and then until every open connection is idle in the pool: a lost
/// connection would only be noticed by the next crowd.
async fn healed(service: &Service, user: &User) {
    until("everybody is served again", async || {
        crowd(user).await.iter().all(|answer| answer.status == 200)
    })
    .await;
    until("every connection is back in the pool", async || {
        let (open, idle) = connections(service).await;
        assert!((1..=POOL).contains(&open), "{open}");
        open == idle
    })
    .await;
}

/// The numbers of open and of idle connections, from the metrics.
pub(crate) async fn connections(service: &Service) -> (usize, usize) {
    let metrics = service.get("/metrics").await.text;
    let metric = |name: &str| {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name));
        value
            .and_then(|value| value.trim().parse().ok())
            .expect("the metric is there")
    };
    (
        metric("herolo_database_connections "),
        metric("herolo_database_idle_connections "),
    )
}

#[track_caller]
fn served_or_unavailable(answer: &Answer) {
    if answer.status != 200 {
        unavailable(answer);
    }
}

#[tokio::test]
async fn connections_that_are_cut_are_replaced() {
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let alice = service.user("alice").await;
    let before = crowd(&alice).await;

    proxy.cut();
    let after = crowd(&alice).await;

    assert!(before.iter().all(|answer| answer.status == 200));
    after.iter().for_each(served_or_unavailable);
    healed(&service, &alice).await;
}

#[tokio::test]
async fn connections_that_are_cut_under_way_are_replaced() {
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let alice = service.user("alice").await;

    let (answers, ()) = tokio::join!(crowd(&alice), async {
        for _ in 0..10 {
            proxy.cut();
            tokio::task::yield_now().await;
        }
    });

    answers.iter().for_each(served_or_unavailable);
    healed(&service, &alice).await;
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503_until_it_is_back() {
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let [alice, bob] = service.users(["alice", "bob"]).await;

    proxy.refuse().await;
    let new = NewMessage::to("bob").json();
    let (read, sent, ready) = tokio::join!(
        alice.get("/messages"),
        alice.post("/messages", &new),
        service.get("/readyz")
    );
    let live = service.get("/livez").await;
    let drain = service.get("/drainz").await;
    proxy.pass().await;

    [read, sent, ready].iter().for_each(unavailable);
    assert_eq!((live.status, &live.json["started"]), (200, &json!(true)));
    assert_eq!(drain.status, 200);
    healed(&service, &alice).await;
    let id = alice.send(&bob, "after the fault").await;
    assert_eq!(bob.inbox("").await, [id]);
}

#[tokio::test]
async fn a_database_that_never_answers_is_a_503_and_frees_connections() {
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let alice = service.user("alice").await;
    crowd(&alice).await;

    proxy.swallow();
    let first = crowd(&alice).await;
    let live = service.get("/livez").await;
    let ready = service.get("/readyz").await;
    let second = crowd(&alice).await;
    proxy.pass().await;

    first.iter().chain(&second).for_each(unavailable);
    assert_eq!((live.status, &live.json["started"]), (200, &json!(true)));
    unavailable(&ready);
    healed(&service, &alice).await;
}

#[tokio::test]
async fn a_request_does_not_wait_for_a_slow_database_once_for_each_statement() {
    // The lookup of the user ends in time, and so would the ping and the statement that follow, but not both.
    const DELAY: Duration = Duration::from_millis(1_100);
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let alice = service.user("alice").await;
    // Afterwards the connection that is used next has prepared both statements.
    assert_eq!(alice.get("/blocks").await.status, 200);

    proxy.slow_down(DELAY);
    let blocks = alice.get("/blocks").await;
    proxy.pass().await;

    unavailable(&blocks);
    healed(&service, &alice).await;
}

/// Reads continuously, with more tasks than there are connections, until the flag is cleared.
fn load(user: &User, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut hands = JoinSet::new();
    for _ in 0..3 * POOL {
        let (user, over) = (user.clone(), Arc::clone(over));
        hands.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                served_or_unavailable(&user.get(PAGE).await);
            }
        });
    }
    hands
}

/// The network fails at any time, also between a response and the release of its connection.
#[tokio::test]
async fn a_hole_that_opens_under_load_leaves_no_connection_stuck() {
    let proxy = Proxy::start().await;
    let service = behind(&proxy).await;
    let alice = service.user("alice").await;
    for _ in 0..3 {
        let over = Arc::default();
        let hands = load(&alice, &over);
        until("the load is on", async || {
            connections(&service).await.0 == POOL
        })
        .await;
        proxy.swallow();
        let swallowed = alice.get("/messages").await;
        over.store(true, Ordering::Relaxed);
        hands.join_all().await;
        proxy.pass().await;

        served_or_unavailable(&swallowed);
        healed(&service, &alice).await;
    }
}

/// Locks the only receipt, like a concurrent statement.
async fn lock_receipts(database: &TestDatabase) -> MySqlConnection {
    let mut session = database.connect().await;
    for statement in ["BEGIN", "SELECT * FROM receipts FOR UPDATE"] {
        sqlx::raw_sql(statement)
            .execute(&mut session)
            .await
            .expect("nobody else holds a lock");
    }
    session
}

/// The number of statements that wait for a lock in this database.
async fn waiting(database: &TestDatabase) -> i64 {
    let mut session = database.connect().await;
    sqlx::query(
        "SELECT COUNT(*) FROM performance_schema.data_locks \
         WHERE object_schema = ? AND lock_status = 'WAITING'",
    )
    .bind(database.name())
    .fetch_one(&mut session)
    .await
    .expect("the administrator may look")
    .get(0)
}

/// Starts the request, and waits until it waits for a lock or has ended.
async fn start_and_meet<F>(database: &TestDatabase, request: F) -> JoinHandle<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let started = tokio::spawn(request);
    until("the statement waits, or gave up", async || {
        started.is_finished() || waiting(database).await > 0
    })
    .await;
    started
}

/// The response with this status. If the machine stalls while a lock is held, the wait times out and the response is a
/// 503; then the request is repeated.
async fn in_the_end(status: u16, mut attempt: impl AsyncFnMut() -> Answer) -> Answer {
    for _ in 0..10 {
        let answer = attempt().await;
        if answer.status == status {
            return answer;
        }
        unavailable(&answer);
    }
    panic!("every attempt was a 503");
}

#[tokio::test]
async fn a_lock_is_waited_for() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "to be read").await;

    let marked = in_the_end(200, async || {
        let session = lock_receipts(&service.database).await;
        let alice = alice.clone();
        let marking = async move { alice.mark(id, true).await };
        let marking = start_and_meet(&service.database, marking).await;
        session.close().await.expect("the session ends");
        marking.await.expect("an answer")
    })
    .await;

    assert_eq!(marked.json["read"], true);
}

#[tokio::test]
async fn a_statement_that_loses_a_deadlock_is_done_again() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "to be deleted").await;
    for _ in 0..20 {
        alice
            .send(&alice, "makes the other session's work the greater one")
            .await;
    }

    in_the_end(204, async || {
        let mut session = lock_receipts(&service.database).await;
        change_messages(&mut session, &format!("id > {id}")).await;
        let alice = alice.clone();
        let deleting = async move { alice.delete(id).await };
        let deleting = start_and_meet(&service.database, deleting).await;
        // The service has locked this message and waits for its receipt, which the session has locked: MySQL rolls back
        // the smaller transaction.
        change_messages(&mut session, &format!("id = {id}")).await;
        session.close().await.expect("the session ends");
        deleting.await.expect("an answer")
    })
    .await;

    problem(&alice.read(id).await, 404);
}

async fn change_messages(session: &mut MySqlConnection, which: &str) {
    let statement = format!("UPDATE messages SET subject = 'changed' WHERE {which}");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(session)
        .await
        .expect("MySQL ends the other one");
}

#[tokio::test]
async fn a_lock_that_is_not_released_is_a_503_and_changes_nothing() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "to be read").await;
    let before = alice.read(id).await;

    let session = lock_receipts(&service.database).await;
    let (marked, deleted) = tokio::join!(alice.mark(id, true), alice.delete(id));
    // The server notices the closed connection after a moment.
    until("nothing waits for the lock any more", async || {
        waiting(&service.database).await == 0
    })
    .await;
    session.close().await.expect("the session ends");

    unavailable(&marked);
    unavailable(&deleted);
    assert_eq!(alice.read(id).await.json, before.json);
    assert_eq!(alice.mark(id, true).await.json["read"], true);
    healed(&service, &alice).await;
}

/// Both users delete each message while it is marked, with as many concurrent requests as there are connections.
async fn fight(alice: &User, bob: &User, ids: &[u64]) -> Vec<Answer> {
    let mut changes = JoinSet::new();
    for id in ids.iter().copied() {
        for change in 0..6 {
            let (alice, bob) = (alice.clone(), bob.clone());
            changes.spawn(async move {
                match change {
                    2 => alice.delete(id).await,
                    3 => bob.delete(id).await,
                    _ => bob.mark(id, change % 2 == 0).await,
                }
            });
        }
    }
    changes.join_all().await
}

#[tokio::test]
async fn sender_and_receiver_change_one_message_at_once_without_error() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;

    for _ in 0..10 {
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(alice.send(&bob, &number.to_string()).await);
        }
        for answer in fight(&alice, &bob, &ids).await {
            let is_right = matches!(answer.status, 200 | 204 | 404);
            assert!(is_right, "{} {}", answer.status, answer.text);
        }
    }

    assert_eq!(bob.inbox("").await, Vec::<u64>::new());
    healed(&service, &alice).await;
}

/// The user at another replica, which has a database account of its own.
async fn by_way_of(account: &Account<'_>, service: &Service, user: &User) -> (Replica, User) {
    let replica = service
        .replica(|config| config.database_url = account.url().into())
        .await;
    let user = User::new(&replica.url, &user.name, user.token.clone());
    (replica, user)
}

#[tokio::test]
async fn fewer_connections_than_the_pool_wants_serve_everybody_in_turn() {
    for limit in [1, 3] {
        let (service, [alice]) = Service::with_users(["alice"]).await;
        let account =
            Account::create(&service.database, &format!("MAX_USER_CONNECTIONS {limit}")).await;
        let (_replica, alice) = by_way_of(&account, &service, &alice).await;

        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.extend(crowd(&alice).await);
        }
        account.remove().await;

        for answer in answers {
            assert_eq!(answer.status, 200, "of {limit}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn no_connection_at_all_is_a_503() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let account = Account::create(&service.database, "MAX_USER_CONNECTIONS 1").await;
    let others: MySqlConnectOptions = account.url().parse().expect("a URL");
    let mut others = others.connect().await.expect("the first one");
    let (_replica, alice) = by_way_of(&account, &service, &alice).await;

    unavailable(&alice.get(PAGE).await);
    others.ping().await.expect("it is still there");
    others.close().await.expect("it ends");
    until("there is a connection", async || {
        alice.get(PAGE).await.status == 200
    })
    .await;
    account.remove().await;
}

/// Kills the statement that waits for a lock in this database, like an operator.
async fn kill_waiting(database: &TestDatabase) {
    until("a statement waits", async || waiting(database).await > 0).await;
    let mut session = database.connect().await;
    let thread: u64 = sqlx::query_scalar(
        "SELECT processlist_id FROM performance_schema.data_locks JOIN performance_schema.threads USING (thread_id) \
         WHERE object_schema = ? AND lock_status = 'WAITING' LIMIT 1",
    )
    .bind(database.name())
    .fetch_one(&mut session)
    .await
    .expect("one waits");
    database.execute(format!("KILL QUERY {thread}")).await;
}

#[tokio::test]
async fn a_killed_statement_is_a_503_and_costs_no_connection() {
    let service = Service::start_with(|config| config.database_max_connections = 1).await;
    let alice = service.user("alice").await;
    let id = alice.send(&alice, "to be read").await;
    let session = lock_receipts(&service.database).await;
    let marking = {
        let alice = alice.clone();
        tokio::spawn(async move { alice.mark(id, true).await })
    };
    kill_waiting(&service.database).await;
    let marked = marking.await.expect("an answer");
    session.close().await.expect("the session ends");

    unavailable(&marked);
    assert_eq!(alice.read(id).await.json["read"], false);
    assert_eq!(alice.mark(id, true).await.status, 200);
}

#[tokio::test]
async fn a_refused_password_is_a_503() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let account = Account::create(&service.database, "").await;
    account.remove().await;
    let (replica, alice) = by_way_of(&account, &service, &alice).await;

    let read = alice.get("/messages").await;
    let ready = replica.get_as("", "/readyz").await;
    let live = replica.get_as("", "/livez").await;

    unavailable(&read);
    unavailable(&ready);
    assert_eq!(live.status, 200);
}

#[tokio::test]
async fn a_missing_database_privilege_is_a_500_without_details() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let account = Account::create(&service.database, "").await;
    account.revoke("INSERT").await;
    let (_replica, alice) = by_way_of(&account, &service, &alice).await;

    let new = NewMessage::to("alice").json();
    let sent = alice.post("/messages", &new).await;
    let read = alice.get("/messages").await;
    account.remove().await;

    problem(&sent, 500);
    for part in ["INSERT", "denied", service.database.name(), "1142"] {
        assert!(!sent.text.contains(part), "{}", sent.text);
    }
    assert_eq!(read.status, 200);
}

//! `herolo migrate` can be repeated, also concurrently, and its errors include the fix.

use sqlx::Row as _;

use crate::support::{Account, Finished, Herolo, Process, Proxy, TestDatabase};

async fn applied(database: &TestDatabase) -> Vec<i64> {
    let mut connection = database.connect().await;
    sqlx::query("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version")
        .fetch_all(&mut connection)
        .await
        .expect("the table is there")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Asserts that it failed, and returns the last line of its output.
#[track_caller]
fn last_word(ended: &Finished) -> &str {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.stderr.lines().next_back().unwrap_or_default()
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());

    let first = herolo.run(&["migrate"]).await;
    let versions = applied(&database).await;
    let second = herolo.run(&["migrate"]).await;

    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{second:?}");
    assert!(!versions.is_empty());
    assert_eq!(applied(&database).await, versions);
}

#[tokio::test]
async fn several_at_once_on_an_empty_database_all_succeed() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());

    let run = async || herolo.run(&["migrate"]).await;
    let ended = tokio::join!(run(), run(), run(), run());

    for ended in [ended.0, ended.1, ended.2, ended.3] {
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_still_starting_is_waited_for() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;
    let migrate = Process::start(Herolo::on(&proxy.url(&database)), &["migrate"]);
    migrate.until_log_says("waiting for the database").await;

    proxy.pass().await;

    assert_eq!(migrate.exit().await.code(), Some(0), "{}", migrate.log());
}

#[tokio::test]
async fn a_database_that_never_comes_is_a_clear_failure() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;

    let herolo = Herolo::on(&proxy.url(&database));
    let ended = herolo.run(&["migrate", "--wait", "1"]).await;

    let line = last_word(&ended);
    assert!(
        line.starts_with("herolo: no database at 127.0.0.1:"),
        "{line}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_a_clear_failure_at_once() {
    let database = TestDatabase::create().await;
    let account = Account::create(&database, "").await;
    let url = account.url().replace("canary", "wrong-canary");

    let ended = Herolo::on(&url).run(&["migrate"]).await;

    let line = last_word(&ended);
    assert!(
        line.starts_with("herolo: the database refuses the connection: "),
        "{line}"
    );
    assert!(!ended.stderr.contains("canary"), "{ended:?}");
    account.remove().await;
}

#[tokio::test]
async fn a_migration_that_was_cut_off_is_repaired_as_the_message_says() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    let versions = applied(&database).await;
    let cut_off = versions.last().expect("there are migrations");
    database
        .execute("UPDATE _sqlx_migrations SET success = FALSE ORDER BY version DESC LIMIT 1")
        .await;

    let ended = herolo.run(&["migrate"]).await;
    let line = last_word(&ended);
    let repair = line.split(['(', ')']).nth(1).unwrap_or_default();
    assert!(
        line.contains(&format!("migration {cut_off} was interrupted")),
        "{line}"
    );
    database.execute(repair).await;
    let repaired = herolo.run(&["migrate"]).await;

    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    assert_eq!(applied(&database).await, versions);
}

#[tokio::test]
async fn a_newer_schema_is_tolerated_so_that_a_rollback_works() {
    let database = TestDatabase::create().await;
    let herolo = Herolo::on(&database.url());
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999999, 'of the future', TRUE, '', 0)",
        )
        .await;

    let migrated = herolo.run(&["migrate"]).await;
    let process = herolo.serve().await;

    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    process.until_ready().await;
}

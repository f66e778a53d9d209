//! The operator's commands, `herolo user ...`, and suspensions.

use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::io::AsyncWriteExt as _;

use herolo::config::SignUpPolicy;

use crate::support::{Answer, Finished, Herolo, Listener, Replica, Service, User, problem, until};

/// Runs `herolo user` with these arguments on the database of the service.
async fn user(service: &Service, arguments: &[&str]) -> Finished {
    let herolo = Herolo::on(&service.database.url());
    herolo.run(&[&["user"], arguments].concat()).await
}

/// The same with a text on its standard input.
async fn user_with_input(service: &Service, arguments: &[&str], input: &str) -> Finished {
    let herolo = Herolo::on(&service.database.url());
    let mut command = herolo.command(&[&["user"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).await.expect("it reads");
    drop(pipe);
    let output = child.wait_with_output().await.expect("it ends");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The JSON that a successful command prints.
async fn document(service: &Service, arguments: &[&str]) -> Value {
    let ended = user(service, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

async fn succeed(service: &Service, arguments: &[&str]) {
    let ended = user(service, arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Asserts that a command failed, and that its last line says this.
#[track_caller]
fn failed(ended: &Finished, text: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.lines().next_back().unwrap_or_default();
    assert!(last.contains(text), "{ended:?}");
}

async fn log_in(service: &Service, name: &str, password: &str) -> Answer {
    let body = json!({"password": password});
    service.post(&format!("/users/{name}/token"), &body).await
}

#[track_caller]
fn suspended(answer: &Answer) {
    let document = problem(answer, 403);
    assert_eq!(
        document["type"], "urn:problem-type:herolo:account-suspended",
        "{}",
        answer.text
    );
}

fn at(replica: &Replica, user: &User) -> User {
    User::new(&replica.url, &user.name, user.token.clone())
}

#[tokio::test]
async fn a_suspended_accounts_requests_are_refused_on_every_replica() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let replica = service.replica(|_| ()).await;
    let elsewhere = at(&replica, &alice);
    assert_eq!(elsewhere.get("/messages").await.status, 200);
    let password = json!({"password": "password of alice"});

    succeed(&service, &["suspend", "Alice"]).await;

    for user in [&alice, &elsewhere] {
        suspended(&user.get("/messages").await);
        suspended(&user.get("/events").await);
        suspended(&user.post("/messages", &json!({})).await);
        suspended(&user.post("/deletion", &password).await);
    }
    assert_eq!(bob.get("/messages").await.status, 200);
    assert_eq!(bob.send(&alice, "to a suspended account").await, 1);
}

#[tokio::test]
async fn only_the_right_password_reveals_a_suspension() {
    let (service, _) = Service::with_users(["alice"]).await;
    succeed(&service, &["suspend", "alice"]).await;

    let right = log_in(&service, "alice", "password of alice").await;
    let wrong = log_in(&service, "alice", "password of bob").await;
    let unknown = log_in(&service, "nobod", "password of bob").await;

    suspended(&right);
    problem(&wrong, 401);
    assert_eq!(wrong.text.replace("alice", "nobod"), unknown.text);
}

#[tokio::test]
async fn a_suspension_ends_the_accounts_event_streams() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let replica = service.replica(|_| ()).await;
    let mut listener = Listener::of(&at(&replica, &alice)).await;

    succeed(&service, &["suspend", "alice"]).await;

    let mut last = String::new();
    while let Some(event) = listener.next().await {
        last = event.name;
    }
    assert_eq!(last, "goodbye");
}

#[tokio::test]
async fn a_resumed_account_signs_in_again() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    for _ in 0..2 {
        succeed(&service, &["suspend", "alice"]).await;
    }
    suspended(&alice.get("").await);

    succeed(&service, &["resume", "alice"]).await;

    problem(&alice.get("").await, 401);
    let login = log_in(&service, "alice", "password of alice").await;
    assert_eq!(login.status, 201);
}

#[tokio::test]
async fn a_suspended_accounts_invitations_are_void() {
    let service = Service::start_with(|config| config.user_invitations = 1).await;
    let alice = service.user("alice").await;
    let invitation = Answer::of(alice.request(Method::POST, "/invitations")).await;
    succeed(&service, &["suspend", "alice"]).await;

    let bob = json!({"username": "bob", "email": "bob@example.com", "password": "correct horse",
        "invitation": invitation.json["code"]});

    problem(&service.post("/users", &bob).await, 403);
}

#[tokio::test]
async fn a_suspended_account_is_told_of_no_unread_messages_when_it_is_resumed() {
    let (service, [_, bob]) = Service::with_users(["alice", "bob"]).await;
    let tell_both = "INSERT INTO unread_notices (user_id, after_minutes, told_until, due_at) \
                     SELECT id, 60, 0, UTC_TIMESTAMP(3) FROM users";
    assert_eq!(service.database.execute(tell_both).await, 2);
    succeed(&service, &["suspend", "alice"]).await;
    succeed(&service, &["resume", "alice"]).await;
    let told = "UPDATE unread_notices SET after_minutes = 61";
    assert_eq!(service.database.execute(told).await, 1);
    assert_ne!(bob.get("").await.json.get("unread_notices"), None);
}

#[tokio::test]
async fn accounts_are_listed_as_a_table_and_as_json() {
    let (service, [alice, _, carol]) = Service::with_users(["alice", "bob", "carol"]).await;
    let deletion = json!({"password": "password of carol"});
    assert_eq!(carol.post("/deletion", &deletion).await.status, 204);
    succeed(&service, &["suspend", "bob"]).await;

    let table = user(&service, &["list"]).await;
    let lines: Vec<_> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{table:?}");
    assert!(lines[0].starts_with("USERNAME  E-MAIL             VERIFIED  CREATED"));
    assert!(lines[1].starts_with("alice     alice@example.com  no        20"));
    assert!(lines[1].ends_with("  -"));
    // A date and a time of day, as when it was created.
    let [created, suspended] = [3, 5].map(|word| lines[2].split_whitespace().nth(word));
    assert_eq!(created, suspended);
    let cut = user(&service, &["list", "--limit", "1"]).await.stdout;
    assert!(cut.ends_with("There may be more accounts: continue with --after alice\n"));

    assert_listed_as_json(&service, &alice).await;
}

async fn assert_listed_as_json(service: &Service, alice: &User) {
    let all = document(service, &["list"]).await;
    let created_at = alice.get("").await.json["created_at"].clone();
    assert_eq!(
        all["users"][0],
        json!({
            "username": "alice",
            "email": "alice@example.com",
            "email_verified": false,
            "pending_email": null,
            "created_at": created_at,
            "suspended_at": null,
        })
    );
    let names = async |arguments: &[&str]| {
        let listed = document(service, arguments).await;
        let users = listed["users"].as_array().expect("users").iter();
        let names = users.map(|user| user["username"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&["list"]).await, ["alice", "bob"]);
    assert_eq!(names(&["list", "--limit", "1"]).await, ["alice"]);
    let next =
        async |limit| document(service, &["list", "--limit", limit]).await["next_after"].clone();
    assert_eq!(
        [next("1").await, next("3").await],
        [json!("alice"), json!(null)]
    );
    assert_eq!(names(&["list", "--after", "ALICE"]).await, ["bob"]);
    assert_eq!(names(&["list", "--suspended"]).await, ["bob"]);
    assert_eq!(document(service, &["show", "alice"]).await, all["users"][0]);
    let pending = "INSERT INTO account_emails (user_id, pending_email) \
                   SELECT id, 'new@example.com' FROM users WHERE username = 'alice'";
    assert_eq!(service.database.execute(pending).await, 1);
    let shown = user(service, &["show", "alice"]).await.stdout;
    assert!(
        shown.ends_with("\nTo be verified: new@example.com\n"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_list_begins_after_a_username_or_its_beginning() {
    let service = Service::start().await;
    service.users(["alice", "bob"]).await;
    let listed = document(&service, &["list", "--after", "B"]).await;
    assert_eq!(listed["users"][0]["username"], "bob");
    let refused = user(&service, &["list", "--after", "\u{e9}"]).await;
    failed(
        &refused,
        "'\u{e9}' has a character that usernames cannot have",
    );
}

#[tokio::test]
async fn an_account_is_created_with_a_generated_password_or_one_from_standard_input() {
    let service = Service::start_with(|config| config.sign_ups = SignUpPolicy::Closed).await;

    let created = document(&service, &["create", "Admin", "admin@example.com"]).await;
    let arguments = ["create", "bob", "bob@example.com", "--password-stdin"];
    let bob = user_with_input(&service, &arguments, "correct horse\n").await;

    assert_eq!(created["username"], "admin", "a reserved name");
    let password = created["password"].as_str().expect("a password");
    assert_eq!(log_in(&service, "admin", password).await.status, 201);
    assert_eq!(bob.code, Some(0), "{bob:?}");
    assert!(!format!("{bob:?}").contains("correct horse"));
    assert_eq!(log_in(&service, "bob", "correct horse").await.status, 201);
    let taken = user(&service, &["create", "bob", "b@example.com"]).await;
    failed(&taken, "another account has this username");
    let taken = user(&service, &["create", "carol", "BOB@example.com"]).await;
    failed(&taken, "another account has this e-mail address");
    let weak = ["create", "carol", "c@example.com", "--password-stdin"];
    let weak = user_with_input(&service, &weak, "carol_7Q").await;
    failed(&weak, "the password must be more than the username");
}

#[tokio::test]
async fn a_password_is_never_an_argument() {
    let service = Service::start().await;
    let create = ["create", "bob", "bob@example.com"];
    for more in [&["--password", "canary"][..], &["canary"]] {
        let ended = user(&service, &[&create[..], more].concat()).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

#[tokio::test]
async fn a_reset_password_replaces_the_old_one_and_revokes_tokens() {
    let (service, [alice]) = Service::with_users(["alice"]).await;

    let reset = document(&service, &["reset-password", "alice"]).await;

    problem(&alice.get("").await, 401);
    problem(&log_in(&service, "alice", "password of alice").await, 401);
    let password = reset["password"].as_str().expect("a password");
    assert_eq!(log_in(&service, "alice", password).await.status, 201);
    let arguments = ["reset-password", "alice", "--password-stdin"];
    let given = user_with_input(&service, &arguments, "the operator's choice").await;
    assert_eq!(given.code, Some(0), "{given:?}");
    problem(&log_in(&service, "alice", password).await, 401);
    let login = log_in(&service, "alice", "the operator's choice").await;
    assert_eq!(login.status, 201);
}

#[tokio::test]
async fn tokens_are_revoked_and_new_ones_are_issued() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    succeed(&service, &["revoke-tokens", "alice"]).await;
    problem(&alice.get("").await, 401);
    let login = log_in(&service, "alice", "password of alice").await;
    assert_eq!(login.status, 201);
}

#[tokio::test]
async fn an_account_is_deleted_once_that_is_confirmed() {
    let (service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    alice.send(&bob, "to be deleted").await;
    succeed(&service, &["suspend", "alice"]).await;

    let unconfirmed = user(&service, &["delete", "alice"]).await;
    assert_eq!(unconfirmed.code, Some(2), "{unconfirmed:?}");
    suspended(&alice.get("").await);
    succeed(&service, &["delete", "alice", "--yes"]).await;

    problem(&alice.get("").await, 401);
    problem(&log_in(&service, "alice", "password of alice").await, 401);
    failed(
        &user(&service, &["show", "alice"]).await,
        "there is no user 'alice'",
    );
    assert_eq!(service.database.execute("DELETE FROM suspensions").await, 0);
    // The next round of the jobs is a minute away, unless another deletion begins it.
    let carol = service.user("carol").await;
    let deletion = json!({"password": "password of carol"});
    assert_eq!(carol.post("/deletion", &deletion).await.status, 204);
    until("the messages are deleted", async || {
        bob.inbox("").await.is_empty()
    })
    .await;
    service.user("alice").await;
}

#[tokio::test]
async fn the_operator_invites() {
    let service = Service::start_with(|config| config.sign_ups = SignUpPolicy::Invited).await;
    let invitation = document(&service, &["invite", "--days", "1"]).await;

    let bob = json!({"username": "bob", "email": "bob@example.com", "password": "correct horse",
        "invitation": invitation["code"]});

    assert_eq!(service.post("/users", &bob).await.status, 201);
    problem(&service.post("/users", &bob).await, 403);
    let text = user(&service, &["invite"]).await;
    assert!(text.stdout.contains("/#/invitation/"), "{text:?}");
}

#[tokio::test]
async fn a_user_who_does_not_exist_is_named() {
    let service = Service::start().await;
    for arguments in [
        &["show", "bob"][..],
        &["suspend", "bob"],
        &["resume", "bob"],
        &["reset-password", "bob"],
        &["revoke-tokens", "bob"],
        &["delete", "bob", "--yes"],
    ] {
        let ended = user(&service, arguments).await;
        failed(&ended, "herolo: there is no user 'bob'");
        assert_eq!(ended.stdout, "");
    }
    let malformed = user(&service, &["show", "b b"]).await;
    failed(&malformed, "the username 'b b' must contain only");
}

#[tokio::test]
async fn what_the_operator_does_is_logged_without_secrets() {
    let (service, _) = Service::with_users(["alice"]).await;
    for (command, more) in [
        ("suspend", &["alice"][..]),
        ("reset-password", &["alice"]),
        ("invite", &[]),
        ("create", &["bob", "bob@example.com"]),
        ("show", &["nobody"]),
    ] {
        let arguments = [&[command, "--json", "--operator", "eve@laptop"], more].concat();
        let ended = user(&service, &arguments).await;
        let lines = ended
            .stderr
            .lines()
            .filter(|line| line.contains("\"command\""));
        let lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 1, "{ended:?}");
        assert_eq!(lines[0]["command"], command);
        assert_eq!(lines[0]["username"], more.first().copied().unwrap_or(""));
        assert_eq!(lines[0]["operator"], "eve@laptop");
        let printed: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        for secret in ["password", "code"] {
            if let Some(secret) = printed[secret].as_str() {
                assert!(!ended.stderr.contains(secret), "{ended:?}");
            }
        }
    }
}

/// The connections of a command end with it, so its statements cannot be explained afterwards; MySQL's own statistics
/// tell which of them read a whole table.
#[tokio::test]
async fn the_operators_statements_walk_keys() {
    let service = Service::start().await;
    for number in 0..30 {
        service
            .database
            .execute(format!(
                "INSERT INTO users (username, email, normalized_email, password_hash, created_at) \
                 VALUES ('user{number}', '', '{number}', '', NOW(3))"
            ))
            .await;
    }
    for arguments in [
        &["suspend", "user7"][..],
        &["list", "--after", "user2", "--limit", "5"],
        &["show", "user7"],
        &["resume", "user7"],
        &["revoke-tokens", "user7"],
        &["invite"],
        &["delete", "user7", "--yes"],
    ] {
        succeed(&service, arguments).await;
    }
    document(&service, &["reset-password", "user8"]).await;
    let mut connection = service.database.connect().await;
    let rows = sqlx::query(
        "SELECT digest_text, sum_no_index_used FROM performance_schema.events_statements_summary_by_digest \
         WHERE schema_name = ? AND (digest_text LIKE '%suspen%' OR digest_text LIKE '%`users`%') \
         AND digest_text NOT LIKE 'CREATE%'",
    )
    .bind(service.database.name())
    .fetch_all(&mut connection)
    .await
    .expect("the performance schema is on");
    assert!(rows.len() >= 8, "{}", rows.len());
    for row in rows {
        let text: String = row.get(0);
        assert_eq!(row.get::<u64, _>(1), 0, "{text}");
    }
}

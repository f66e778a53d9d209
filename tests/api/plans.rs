//! The query plans of all statements of the service: no scans, no sorts, no cost that grows with the data.

use std::collections::BTreeSet;

use argon2::{Argon2, Params, PasswordHasher as _};
use herolo::Config;
use reqwest::Method;
use serde_json::json;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::support::{
    AHEAD, Answer, DIGITS, Listener, NewMessage, Service, SmtpServer, User, at_once,
    at_once_or_later, until,
};

/// Enough rows that the optimizer could choose a wrong plan.
const MESSAGES: u32 = 4_000;

/// Rows of other users.
const OF_OTHERS: [&str; 8] = [
    "INSERT INTO blocks (blocker_id, blocked_id, created_at) \
         SELECT 1000 + id DIV 4, 2000 + id, NOW(3) FROM messages",
    "INSERT INTO replies (message_id, user_id, in_reply_to, root_id) \
         SELECT id, 1000 + id DIV 4, id - 1, id DIV 8 FROM messages WHERE id > 8",
    "INSERT INTO invitations (code_hash, inviter_id, created_at, expires_at) \
         SELECT UNHEX(SHA2(id, 256)), 1000 + id DIV 4, NOW(3), NOW(3) + INTERVAL 1 + id % 7 DAY FROM messages",
    "INSERT INTO mails (kind, user_id, mailbox_hash, message_id, created_at, sent_at) \
         SELECT 'password-reset', 1000 + id DIV 4, UNHEX(SHA2(id DIV 4, 256)), UNHEX(LEFT(SHA2(id, 256), 32)), \
         UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM messages",
    "INSERT INTO mail_codes (code_hash, user_id, kind, mailbox_hash, expires_at) \
         SELECT UNHEX(SHA2(id, 256)), 1000 + id DIV 4, 'password-reset', UNHEX(SHA2(id DIV 4, 256)), \
         UTC_TIMESTAMP(3) + INTERVAL 10 + id % 20 MINUTE FROM messages",
    "INSERT INTO message_changes (user_id, kind, message_ids, created_at) \
         SELECT 1000 + id DIV 4, 'read', id, UTC_TIMESTAMP(3) FROM messages",
    "INSERT INTO account_emails (user_id, verified_hash, pending_email) \
         SELECT 1000 + id, UNHEX(SHA2(id, 256)), IF(id % 9, NULL, 'new@example.com') FROM messages",
    "INSERT INTO unread_notices (user_id, after_minutes, told_until, due_at) \
         SELECT 1000 + id, 60, id, UTC_TIMESTAMP(3) + INTERVAL 1 + id % 60 MINUTE FROM messages",
];

/// Two users, of whom one received many messages, most of which are read.
async fn big_inbox() -> (Service, User, User) {
    big_inbox_with(|_| ()).await
}

/// The same with other settings.
async fn big_inbox_with(adjust: impl FnOnce(&mut Config)) -> (Service, User, User) {
    // One connection, so that each statement is prepared once, before statements are counted.
    let service = Service::start_with(|config| {
        adjust(config);
        config.database_max_connections = 1;
        config.user_invitations = 10;
    })
    .await;
    let [alice, bob] = service.users(["alice", "bob"]).await;
    let database = &service.database;
    let numbers = format!("{DIGITS} AS a, {DIGITS} AS b, {DIGITS} AS c, {DIGITS} AS d");
    database
        .execute(format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) \
             SELECT (SELECT id FROM users WHERE username = 'alice'), 's', REPEAT('x', 500), NOW(3) \
             FROM {numbers} LIMIT {MESSAGES}"
        ))
        .await;
    database
        .execute(
            "INSERT INTO receipts (receiver_id, message_id, is_read, is_deleted) \
             SELECT (SELECT id FROM users WHERE username = 'bob'), id, id % 1000 <> 1, id % 7 = 3 FROM messages",
        )
        .await;
    for statement in OF_OTHERS {
        database.execute(statement).await;
    }
    database
        .execute(
            "ANALYZE TABLE users, messages, receipts, invitations, blocks, replies, mails, mail_codes, \
             message_changes, account_emails, unread_notices",
        )
        .await;
    (service, alice, bob)
}

/// A sign-up with a taken name, and a login whose hash has outdated parameters.
async fn use_accounts(service: &Service) {
    let again =
        json!({"username": "bob", "email": "bob@example.com", "password": "password of bob"});
    assert_eq!(service.post("/users", &again).await.status, 409);
    let weak = Argon2::from(Params::new(1_024, 1, 1, None).expect("valid"));
    let weak = weak.hash_password(b"password of bob").expect("hashed");
    service
        .database
        .execute(format!(
            "UPDATE users SET password_hash = '{weak}' WHERE username = 'bob'"
        ))
        .await;
    assert_eq!(
        service
            .post("/users/bob/token", &json!({"password": "password of bob"}))
            .await
            .status,
        201
    );
}

/// A message to several users, and one to a missing user.
async fn use_several_receivers(alice: &User) {
    for (receivers, status) in [(["alice", "bob"], 201), (["alice", "nobody"], 422)] {
        let new = json!({"receivers": receivers, "subject": "s", "message": "m"});
        assert_eq!(alice.post("/messages", &new).await.status, status);
    }
}

/// All operations on invitations, with sign-ups that use one up and fail.
async fn use_invitations(service: &Service, alice: &User) {
    let invite = || Answer::of(alice.request(Method::POST, "/invitations"));
    let mut new =
        json!({"username": "dave", "email": "dave@example.com", "password": "password of dave"});
    for status in [201, 409] {
        new["invitation"] = invite().await.json["code"].clone();
        assert_eq!(service.post("/users", &new).await.status, status);
    }
    let listed = alice.get("/invitations").await.json;
    let path = format!("/invitations/{}", listed["invitations"][0]["id"]);
    let deleted = Answer::of(alice.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 204);
}

/// All operations on blocks, with a block of another user that stays.
async fn use_blocks(service: &Service, alice: &User, bob: &User) {
    service.user("mallory").await;
    for (user, method, name, status) in [
        (bob, Method::PUT, "mallory", 204),
        (bob, Method::PUT, "alice", 204),
        (bob, Method::DELETE, "alice", 204),
        (alice, Method::PUT, "nobody", 404),
    ] {
        let path = format!("/blocks/{name}");
        let answer = Answer::of(user.request(method, &path)).await;
        assert_eq!(answer.status, status, "{name}");
    }
    let listed = bob.get("/blocks").await.json;
    assert_eq!(listed["blocks"][0]["username"], "mallory");
}

/// Replies to one and to several users, a reply that is refused, and the conversation on several pages.
async fn use_replies(alice: &User, bob: &User) {
    let original = alice.send(bob, "answered").await;
    for receivers in [&["bob"][..], &["alice", "bob"]] {
        for (id, status) in [(original, 201), (i64::MAX.unsigned_abs(), 422)] {
            let new = NewMessage::to_several(receivers).with("in_reply_to", id);
            let answer = alice.post("/messages", &new.json()).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
    }
    for user in [alice, bob] {
        for query in ["", "&per_page=1", "&per_page=100&page=2"] {
            let path = format!("/messages?conversation={original}{query}");
            assert_eq!(user.get(&path).await.status, 200, "{path}");
        }
    }
}

/// All operations on an account, up to its deletion.
async fn use_an_account_up(service: &Service) {
    let carol = service.user("carol").await;
    carol.send(&carol, "to be cleared away").await;
    let (old, new) = ("password of carol", "carol's new password");
    for (path, body) in [
        (
            "/email",
            json!({"password": old, "email": "carol@example.org"}),
        ),
        ("/password", json!({"password": old, "new_password": new})),
    ] {
        let answer = Answer::of(carol.request(Method::PUT, path).json(&body)).await;
        assert!(answer.status < 300, "{}", answer.text);
    }
    for last in ["/tokens", "/deletion"] {
        let login = service
            .post("/users/carol/token", &json!({"password": new}))
            .await;
        let token = login.json["access_token"].as_str().expect("a token");
        let carol = User::new(&service.url, "carol", token.to_owned());
        let request = match last {
            "/tokens" => carol.request(Method::DELETE, last),
            _ => carol.request(Method::POST, last),
        };
        let answer = Answer::of(request.json(&json!({"password": new}))).await;
        assert_eq!(answer.status, 204, "{last}");
    }
    let count = "UPDATE messages SET subject = subject WHERE subject = 'to be cleared away'";
    until("the chores are done", async || {
        service.database.execute(count).await == 0
    })
    .await;
}

/// A password is replaced with a code, after mails that are refused, postponed and not sent at all.
async fn use_mails(service: &Service, smtp: &SmtpServer) {
    service.user("erin").await;
    until("all sign-ups have had a mail", async || {
        smtp.mails().len() == 3
    })
    .await;
    let verification = smtp.mails()[2].code();
    smtp.forget();
    let forget = async |account: &str| {
        let body = json!({"account": account});
        let answer = service.post("/password-resets", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    };
    smtp.refuse(&[550, 451]);
    for (account, offered) in [("erin", 1), ("erin@example.com", 2)] {
        forget("nobody").await;
        forget(account).await;
        until("a mail is offered", async || smtp.offered() == offered).await;
    }
    let later = "UPDATE mails SET due_at = UTC_TIMESTAMP(3) WHERE due_at > UTC_TIMESTAMP(3)";
    until("it is postponed and sent", async || {
        service.database.execute(later).await;
        !smtp.mails().is_empty()
    })
    .await;
    let code = smtp.mails()[0].code();
    let body = json!({"code": code, "new_password": "erin's new password"});
    let done = service.post("/password-resets/completion", &body).await;
    assert_eq!(done.status, 200, "{}", done.text);
    until("the owner is told", async || smtp.mails().len() > 1).await;
    use_verifications(service, smtp, &verification).await;
}

/// An address is verified, and replaced.
async fn use_verifications(service: &Service, smtp: &SmtpServer, code: &str) {
    let verify = async |code: &str| {
        let path = "/email-verifications/completion";
        let answer = service.post(path, &json!({"code": code})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    verify(code).await;
    let password = "erin's new password";
    let login = json!({"password": password});
    let login = service.post("/users/erin/token", &login).await;
    let token = login.json["access_token"].as_str().expect("a token");
    let erin = User::new(&service.url, "erin", token.to_owned());
    smtp.forget();
    let body = json!({"password": password, "email": "erin@example.org"});
    let change = Answer::of(erin.request(Method::PUT, "/email").json(&body)).await;
    assert_eq!(change.status, 200, "{}", change.text);
    let again = Answer::of(erin.request(Method::POST, "/email-verifications")).await;
    assert_eq!(again.status, 202, "{}", again.text);
    let is_code = |mail: &&crate::support::Mail| mail.to == ["erin@example.org"];
    until("the new address has a code", async || {
        smtp.mails().iter().any(|mail| is_code(&mail))
    })
    .await;
    let mails = smtp.mails();
    verify(&mails.iter().find(is_code).expect("the code").code()).await;
    use_notices(service, smtp, &erin).await;
}

/// A user is told of an unread message, another one not yet, and a third one has none.
async fn use_notices(service: &Service, smtp: &SmtpServer, erin: &User) {
    let [frank, grace] = service.users(["frank", "grace"]).await;
    let verify = "INSERT INTO account_emails (user_id, verified_hash) SELECT id, \
                  UNHEX(SHA2(normalized_email, 256)) FROM users WHERE username IN ('frank', 'grace')";
    service.database.execute(verify).await;
    for user in [erin, &frank, &grace] {
        let body = json!({"after_minutes": 60});
        let on = Answer::of(user.request(Method::PUT, "/unread-notices").json(&body)).await;
        assert_eq!(on.status, 204, "{}", on.text);
    }
    erin.send(erin, "old").await;
    let age = "UPDATE messages SET created_at = created_at - INTERVAL 2 HOUR WHERE subject = 'old'";
    service.database.execute(age).await;
    frank.send(&frank, "new").await;
    let due = "UPDATE unread_notices SET due_at = UTC_TIMESTAMP(3) WHERE user_id < 1000";
    assert_eq!(service.database.execute(due).await, 3);
    service
        .user("heidi")
        .await
        .post("/deletion", &json!({"password": "password of heidi"}))
        .await;
    let is_notice = |mail: &crate::support::Mail| mail.subject.starts_with("You have unread");
    until("erin is told", async || smtp.mails().iter().any(is_notice)).await;
    look_again_at_those_told(service).await;
    let mails = smtp.mails();
    let notice = mails
        .iter()
        .find(|mail| is_notice(mail))
        .expect("the notice");
    let link = notice.header("List-Unsubscribe");
    let path = link.trim_start_matches("<https://herolo.example.com");
    let stopped = service.post(path.trim_end_matches('>'), &json!({})).await;
    assert_eq!(stopped.status, 204, "{}", stopped.text);
    leave_a_notice_unsent(service).await;
}

/// Has an owner who was told returned?
async fn look_again_at_those_told(service: &Service) {
    let due = "UPDATE unread_notices SET due_at = UTC_TIMESTAMP(3) WHERE is_told";
    assert_eq!(service.database.execute(due).await, 1);
    service
        .user("ivan")
        .await
        .post("/deletion", &json!({"password": "password of ivan"}))
        .await;
    let later =
        "UPDATE unread_notices SET due_at = due_at WHERE is_told AND due_at > UTC_TIMESTAMP(3)";
    until("there was a look", async || {
        service.database.execute(later).await == 1
    })
    .await;
}

/// A mail about unread messages is discarded, because its recipient has none.
async fn leave_a_notice_unsent(service: &Service) {
    let to_grace = "INSERT INTO mails (kind, user_id, message_id, created_at, due_at) SELECT 'unread-messages', id, \
                    RANDOM_BYTES(16), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM users WHERE username = 'grace'";
    assert_eq!(service.database.execute(to_grace).await, 1);
    let unsent =
        "UPDATE mails SET attempts = attempts WHERE kind = 'unread-messages' AND sent_at IS NULL";
    until("it is discarded", async || {
        service.database.execute(unsent).await == 0
    })
    .await;
}

/// A change that is assigned an id and is not committed.
async fn roll_back_a_change(service: &Service) {
    let mut session = service.database.connect().await;
    for statement in [
        "START TRANSACTION",
        "INSERT INTO message_changes (user_id, kind, message_ids, created_at) VALUES (1, 'read', '1', NOW(3))",
        "ROLLBACK",
    ] {
        session.execute(statement).await.expect("it is right");
    }
}

/// A client that reconnects, receives messages and changes, and skips ids that are abandoned.
async fn listen(service: &Service, alice: &User, bob: &User) {
    let mut listener = Listener::after(bob, Some("1")).await;
    for _ in 0..150 {
        listener.next().await.expect("what was missed");
    }
    alice.delete(alice.send(bob, "passed over").await).await;
    drop(listener);
    let mut listener = Listener::of(bob).await;
    let last_id = listener.last_id.clone();
    for change in [true, false] {
        bob.mark(1, change).await;
        roll_back_a_change(service).await;
    }
    drop(Listener::after(bob, Some(&last_id)).await.next().await);
    alice.delete(alice.send(alice, "passed over").await).await;
    let heard = alice.send(bob, "heard").await;
    let reply = NewMessage::to("bob").with("in_reply_to", heard).json();
    assert_eq!(alice.post("/messages", &reply).await.status, 201);
    loop {
        alice.send(bob, "heard").await;
        let event = listener.next().await.expect("an event");
        // No id is missing between messages, or between changes.
        if event.name == "message" && !event.id.contains('_') {
            break;
        }
    }
}

/// A tailer that starts when more ids are missing than its smaller statements look for, and no row after them is old.
async fn look_for_many(service: &Service, bob: &User) {
    for table in ["messages", "message_changes"] {
        let delete = format!("DELETE FROM {table} WHERE id BETWEEN 3000 AND 3200");
        assert_eq!(service.database.execute(delete).await, 201);
        let renew = format!("UPDATE {table} SET created_at = UTC_TIMESTAMP(3) WHERE id > 3200");
        service.database.execute(renew).await;
    }
    let _listener = Listener::of(bob).await;
    let many = format!("IN ({}?)", "?,".repeat(399));
    for (statement, after) in [
        (
            "FROM receipts FORCE INDEX (receipts_message) WHERE message_id",
            "",
        ),
        (
            "FROM messages FORCE INDEX (PRIMARY) WHERE id",
            " FOR SHARE NOWAIT",
        ),
        ("FROM message_changes FORCE INDEX (PRIMARY) WHERE id", ""),
        (
            "FROM message_changes FORCE INDEX (PRIMARY) WHERE id",
            " FOR SHARE NOWAIT",
        ),
    ] {
        let expected = format!("{statement} {many}{after}");
        until(&expected, async || {
            let mut connection = service.database.connect().await;
            let prepared = prepared(service, &mut connection).await;
            prepared.iter().any(|one| one.ends_with(&expected))
        })
        .await;
    }
}

/// Sends with a key to one and to several users, and retries.
async fn use_a_key(alice: &User) {
    for number in 0..4 {
        let (key, new) = match number % 2 {
            0 => ("one", NewMessage::to("bob").json()),
            _ => ("several", NewMessage::to_several(&["alice", "bob"]).json()),
        };
        let request = alice.request(Method::POST, "/messages").json(&new);
        let sent = Answer::of(request.header("Idempotency-Key", key)).await;
        assert_eq!(sent.status, 201);
    }
}

/// Concurrent sends to missing users.
async fn use_unknown_receivers_together(service: &Service, alice: &User) {
    for count in [6, 20] {
        let sends = (0..count + AHEAD).map(|number| {
            let new = NewMessage::to(&format!("nobody{number}")).json();
            alice.request(Method::POST, "/messages").json(&new)
        });
        for answer in at_once(&service.database, "users", sends).await {
            assert_eq!(answer.status, 422, "{}", answer.text);
        }
    }
}

/// Concurrent changes of each kind, and pages, in numbers that use statements of all sizes.
async fn use_everything_together(service: &Service, alice: &User, bob: &User) {
    let path = |id: &u64| format!("/messages/{id}");
    for count in [64, 33, 18, 9, 5, 3].map(|count| count + AHEAD) {
        let new = NewMessage::to("bob").json();
        let sends = (0..count).map(|number| {
            let request = alice.request(Method::POST, "/messages").json(&new);
            request.header("Idempotency-Key", format!("{number}-of-{count}"))
        });
        let answers = at_once_or_later(&service.database, "messages", sends).await;
        let ids: Vec<_> = answers
            .iter()
            .map(|answer| answer.json["id"].as_u64().expect("it is sent"))
            .collect();
        let marks = ids.iter().map(|id| {
            let request = bob.request(Method::PATCH, &path(id));
            request.json(&json!({"read": true}))
        });
        for answer in at_once_or_later(&service.database, "receipts", marks).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let reads = ids.iter().map(|id| bob.request(Method::GET, &path(id)));
        for answer in at_once_or_later(&service.database, "receipts", reads).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let pages = (0..count).map(|_| bob.request(Method::GET, "/messages"));
        for answer in at_once_or_later(&service.database, "receipts", pages).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let deletions = ids.iter().map(|id| match id % 3 {
            0 => alice.request(Method::DELETE, &path(id)),
            1 => bob.request(Method::DELETE, &path(id)),
            _ => bob.request(Method::DELETE, &path(&(id + 1_000_000))),
        });
        for answer in at_once_or_later(&service.database, "messages", deletions).await {
            assert!([204, 404].contains(&answer.status), "{}", answer.text);
        }
    }
}

/// A conditional request for a list with this tag.
async fn poll(user: &User, query: &str, tag: &str) -> Answer {
    let request = user.request(Method::GET, &format!("/messages{query}"));
    Answer::of(request.header("If-None-Match", tag)).await
}

/// Marks several messages, in numbers that use statements of all sizes.
async fn use_several_marks(bob: &User, last: u64) {
    let (few, many): (Vec<u64>, Vec<u64>) = ((1..=10).collect(), (1..=100).collect());
    for body in [
        json!({"read": true, "ids": few}),
        json!({"read": false, "ids": many}),
        json!({"read": true, "ids": many}),
        json!({"read": true, "until": last}),
    ] {
        assert_eq!(bob.patch("/messages", &body).await.status, 200, "{body}");
    }
}

/// The feed with all parameters.
async fn use_the_feed(bob: &User) {
    for query in [
        "",
        "?per_page=10",
        "?unread=true",
        "?unread=false",
        "?page=3",
        "?unread=true&page=2&per_page=1",
        "?unread=false&page=5",
        "?before=2000",
        "?unread=false&before=2000",
        "?from=alice&page=2",
        "?since=2026-11-22T12:00:00Z&unread=true",
        "?q=word",
        "?q=word&unread=false&before=2000",
    ] {
        assert_eq!(poll(bob, query, "\"none\"").await.status, 200, "{query}");
    }
}

/// Uses every route once successfully, and the feed with all parameters.
async fn use_everything(service: &Service, alice: &User, bob: &User) {
    use_accounts(service).await;
    use_blocks(service, alice, bob).await;
    use_replies(alice, bob).await;
    let id = alice.send(bob, "new").await;
    use_the_feed(bob).await;
    assert_eq!(alice.get("").await.status, 200);
    use_several_receivers(alice).await;
    use_unknown_receivers_together(service, alice).await;
    use_everything_together(service, alice, bob).await;
    use_a_key(alice).await;
    use_an_account_up(service).await;
    use_invitations(service, alice).await;
    assert_eq!(alice.get("/export").await.status, 200);
    for query in [
        "?box=sent",
        "?box=sent&before=2000",
        "?box=sent&page=3",
        "?box=sent&q=word",
        "?box=sent&since=2026-11-22T12:00:00Z",
    ] {
        assert_eq!(alice.get(&format!("/messages{query}")).await.status, 200);
    }
    assert_eq!(bob.read(id).await.status, 200);
    assert_eq!(alice.read(id).await.status, 200);
    assert_eq!(bob.mark(id, true).await.status, 200);
    use_several_marks(bob, id).await;
    assert_eq!(bob.delete(id).await.status, 204);
    assert_eq!(alice.delete(id).await.status, 204);
}

/// The prepared statements of all connections to this database.
async fn prepared(service: &Service, connection: &mut MySqlConnection) -> BTreeSet<String> {
    let rows = sqlx::query(
        "SELECT DISTINCT CAST(statement.sql_text AS CHAR) \
         FROM performance_schema.prepared_statements_instances AS statement \
         JOIN performance_schema.threads AS thread ON thread.thread_id = statement.owner_thread_id \
         WHERE thread.processlist_db = ? AND statement.sql_text NOT LIKE '%performance_schema%'",
    )
    .bind(service.database.name())
    .fetch_all(connection)
    .await;
    rows.expect("the performance schema is on")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// A statement with plausible values instead of its parameters.
fn filled(statement: &str) -> String {
    statement
        .replace("LIMIT ?", "LIMIT 21")
        .replace("OFFSET ?", "OFFSET 40")
        .replace("_at < ?", "_at < '2026-11-22 12:00:00'")
        .replace("_at > ?", "_at > '2026-11-22 12:00:00'")
        .replace("_at = ?", "_at = '2026-11-22 12:00:00'")
        .replace("_at >= ?", "_at >= '2026-11-22 12:00:00'")
        .replace('?', "'1'")
}

/// The problem of one line of a plan, if any.
fn fault(line: &MySqlRow) -> Option<String> {
    let text = |column: &str| line.get::<Option<String>, _>(column).unwrap_or_default();
    let (kind, access, extra) = (text("select_type"), text("type"), text("Extra"));
    // The result of a derived table is read completely: a page of each inbox.
    let is_found = text("table").starts_with("<derived");
    let scans = matches!(access.as_str(), "ALL" | "index") && kind != "INSERT" && !is_found;
    // An update that moves rows first collects their keys.
    let notes = extra.contains("temporary") && kind != "UPDATE";
    let sorts = extra.contains("filesort") || notes;
    (scans || sorts).then(|| format!("{kind} on {}: {access}, {extra}", text("table")))
}

async fn plan(connection: &mut MySqlConnection, statement: &str) -> Vec<MySqlRow> {
    let explain = format!("EXPLAIN FORMAT=TRADITIONAL {}", filled(statement));
    let rows = connection.fetch_all(AssertSqlSafe(explain)).await;
    rows.unwrap_or_else(|fault| panic!("{fault} in the plan of: {statement}"))
}

/// The number of prepared statements that a connection caches.
const MOST_STATEMENTS: usize = 300;

/// All kinds of statements, and no more than a connection caches.
fn assert_all_kinds(of_the_api: &[String]) {
    let count = |start: &str| {
        of_the_api
            .iter()
            .filter(|statement| statement.starts_with(start))
            .count()
    };
    assert!(
        count("SELECT") >= 8
            && count("INSERT") >= 3
            && count("UPDATE") >= 3
            && count("DELETE") >= 1
    );
    for together in [
        "FOR SHARE SKIP LOCKED",
        "FORCE INDEX (users_username)",
        "is_read = ? WHERE is_read = ? AND (receiver_id, is_deleted, message_id) IN (",
        "is_deleted = TRUE WHERE (receiver_id, is_deleted, message_id) IN (",
        "DELETE FROM messages WHERE (sender_id, id) IN (",
        "LEFT JOIN LATERAL (",
        "FROM (VALUES ROW(?,?),ROW(?,?)",
        "UPDATE mails SET due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND",
        "DELETE FROM mails WHERE id = ?",
        "UPDATE unread_notices SET is_told = FALSE, told_until = LEAST(",
        "FROM (VALUES ROW(?,?,?),ROW(?,?,?)",
        "JOIN idempotency_keys AS used FORCE INDEX (PRIMARY)",
        "UPDATE unread_notices SET change_id = ?",
        "created_at) VALUES (?,?,?,?,?),(?,?,?,?,?)",
    ] {
        assert!(
            of_the_api.iter().any(|one| one.contains(together)),
            "{together}: it was done together"
        );
    }
    assert!(
        of_the_api.len() < MOST_STATEMENTS - 10,
        "{} statements: some may be prepared again and again",
        of_the_api.len()
    );
}

#[tokio::test]
async fn every_statement_walks_a_key() {
    let smtp = SmtpServer::start();
    let (service, alice, bob) = big_inbox_with(|config| smtp.serve(config)).await;
    use_mails(&service, &smtp).await;
    use_everything(&service, &alice, &bob).await;
    look_for_many(&service, &bob).await;
    listen(&service, &alice, &bob).await;
    let mut connection = service.database.connect().await;
    // Only /readyz reads a whole table: that of the few applied migrations.
    let of_the_api: Vec<_> = prepared(&service, &mut connection)
        .await
        .into_iter()
        .filter(|statement| !statement.contains("_sqlx_migrations"))
        .collect();
    assert_all_kinds(&of_the_api);
    for statement in of_the_api {
        let faults: Vec<_> = plan(&mut connection, &statement)
            .await
            .iter()
            .filter_map(fault)
            .collect();
        assert!(faults.is_empty(), "{statement}\n{faults:?}");
    }
}

/// The rows that MySQL examined for the statements of one request.
async fn rows_examined(service: &Service, user: &User, path: &str) -> u64 {
    let before = examined(service).await;
    assert_eq!(user.get(path).await.status, 200);
    examined(service).await - before
}

/// In the statements on receipts, and for the messages that a search of the sent box found (`f`).
async fn examined(service: &Service) -> u64 {
    counter(
        service,
        "SELECT CAST(COALESCE(SUM(sum_rows_examined), 0) AS UNSIGNED) \
         FROM performance_schema.events_statements_summary_by_digest \
         WHERE schema_name = ? AND (digest_text LIKE '%receipts%' OR digest_text LIKE '%) AS `f`%') \
         AND digest_text NOT LIKE '%performance_schema%'",
    )
    .await
}

/// One of MySQL's own counters for this database, by a statement whose parameter is the database's name.
async fn counter(service: &Service, statement: &'static str) -> u64 {
    let mut connection = service.database.connect().await;
    let row = sqlx::query(statement)
        .bind(service.database.name())
        .fetch_one(&mut connection)
        .await;
    row.expect("the performance schema is on").get(0)
}

/// A page of 20 needs 21 receipts, their messages and the messages' senders.
const ROWS_OF_A_PAGE: u64 = 3 * 21;

#[tokio::test]
async fn a_page_costs_the_same_in_a_big_inbox_and_deep_in_it() {
    let (service, _, bob) = big_inbox().await;
    let newest = rows_examined(&service, &bob, "/messages").await;
    assert!(
        (21..=ROWS_OF_A_PAGE).contains(&newest),
        "{newest} rows for the first page"
    );
    for path in [
        "/messages?before=300",
        "/messages?page=170&before=300",
        "/messages?unread=true",
        "/messages?unread=false",
        "/messages?unread=false&before=300",
    ] {
        let rows = rows_examined(&service, &bob, path).await;
        assert!(rows <= ROWS_OF_A_PAGE, "{rows} rows for {path}");
    }
}

#[tokio::test]
async fn an_unchanged_list_reads_receipts_only() {
    /// The rows of a page, and the one that shows that a page follows.
    const RECEIPTS: u64 = 21;
    let (service, _, bob) = big_inbox().await;
    for query in ["", "?unread=false", "?unread=false&before=3000"] {
        let before = examined(&service).await;
        assert_eq!(poll(&bob, query, "*").await.status, 304);
        let rows = examined(&service).await - before;
        assert_eq!(rows, RECEIPTS, "{query}");
    }
}

#[tokio::test]
async fn marking_all_examines_only_what_it_changes() {
    /// The messages 1, 1001, 2001 and 3001.
    const UNREAD: u64 = 4;
    let (service, _, bob) = big_inbox().await;
    for (changed, most) in [(UNREAD, 3 * UNREAD), (0, 0)] {
        let before = examined(&service).await;
        let all = json!({"read": true, "until": MESSAGES});
        let answer = bob.patch("/messages", &all).await;
        assert_eq!(answer.json, json!({"changed": changed, "has_more": false}));
        let rows = examined(&service).await - before;
        // Entries of changed receipts stay in the index until MySQL purges them, but are not counted.
        assert!((changed..=most).contains(&rows), "{rows} rows");
    }
}

#[tokio::test]
async fn the_sent_box_costs_the_same_however_much_was_sent() {
    let (service, alice, _) = big_inbox().await;
    for path in ["/messages?box=sent", "/messages?box=sent&before=300"] {
        let rows = rows_examined(&service, &alice, path).await;
        assert!(
            (20..=ROWS_OF_A_PAGE).contains(&rows),
            "{rows} rows for {path}"
        );
    }
}

#[tokio::test]
async fn a_numbered_page_passes_over_receipts_only() {
    let (service, _, bob) = big_inbox().await;
    let passed_over = 50 * 20;
    let rows = rows_examined(&service, &bob, "/messages?page=51").await;
    assert!(rows > passed_over, "{rows}: the counter counts");
    // Each receipt is read once, and no message before the page.
    assert!(
        rows <= passed_over + ROWS_OF_A_PAGE,
        "{rows} rows for {passed_over} receipts"
    );
}

#[tokio::test]
async fn a_search_looks_through_a_thousand_messages_at_most() {
    const SCAN_LIMIT: u64 = 1_000;
    let (service, alice, bob) = big_inbox().await;
    for (user, path) in [
        (&bob, "/messages?q=nothing"),
        (&bob, "/messages?from=nobody"),
        (&bob, "/messages?q=nothing&unread=false&before=3000"),
        (&bob, "/messages?since=9999-01-01T00:00:00Z"),
        (&alice, "/messages?box=sent&q=nothing"),
    ] {
        let rows = rows_examined(&service, user, path).await;
        assert!(
            rows >= SCAN_LIMIT,
            "{rows} rows for {path}: the counter counts"
        );
        // The receipts up to the end of the scan; then each receipt with its message; and then, for those whose texts
        // are read, the row of the derived table, the message and its sender.
        assert!(
            rows <= 6 * SCAN_LIMIT + ROWS_OF_A_PAGE,
            "{rows} rows for {path}"
        );
    }
    // A full first batch ends the search.
    let rows = rows_examined(&service, &bob, "/messages?q=xxx").await;
    assert!(rows <= SCAN_LIMIT + 2 * ROWS_OF_A_PAGE, "{rows} rows");
}

/// The commands that the service sent to MySQL, each of which takes one round trip.
#[derive(Clone, Copy)]
pub(crate) struct RoundTrips {
    /// Statements and other commands except pings, such as preparing a statement.
    pub(crate) statements: u64,
    /// Pings of connections that were idle for more than a second.
    pings: u64,
}

/// From MySQL's counters for the open connections of the service.
pub(crate) async fn round_trips(service: &Service) -> RoundTrips {
    let mut connection = service.database.connect().await;
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(IF(event.event_name = 'statement/com/Ping', 0, event.count_star)), 0) AS UNSIGNED), \
                CAST(COALESCE(SUM(IF(event.event_name = 'statement/com/Ping', event.count_star, 0)), 0) AS UNSIGNED) \
         FROM performance_schema.events_statements_summary_by_thread_by_event_name AS event \
         JOIN performance_schema.threads AS thread ON thread.thread_id = event.thread_id \
         WHERE thread.processlist_db = ? AND thread.thread_id <> PS_CURRENT_THREAD_ID()",
    )
    .bind(service.database.name())
    .fetch_one(&mut connection)
    .await
    .expect("the performance schema is on");
    RoundTrips {
        statements: row.get(0),
        pings: row.get(1),
    }
}

/// The round trips of one request, without pings.
async fn statements_of(service: &Service, request: impl AsyncFn() -> u16) -> u64 {
    let before = round_trips(service).await;
    assert!(request().await < 500);
    round_trips(service).await.statements - before.statements
}

/// The lookup of the caller's token.
const CHECK: u64 = 1;
/// A transaction that locks what it changes, changes it, and records that by one insert, however many messages it
/// changes.
const CHANGE: u64 = 5;

#[tokio::test]
async fn no_read_makes_more_round_trips_than_it_needs() {
    let (service, alice, bob) = big_inbox().await;
    use_everything(&service, &alice, &bob).await;
    let id = alice.send(&bob, "counted").await;
    for (path, expected) in [
        // The page with its caller; and the names of its senders, which change while an account is being deleted.
        ("/messages".to_owned(), 2),
        ("/messages?per_page=10".to_owned(), CHECK + 1),
        // The ids of the messages, and their texts.
        ("/messages?page=9".to_owned(), CHECK + 2),
        ("/messages?before=2000".to_owned(), CHECK + 2),
        ("/messages?q=x&from=alice&before=3000".to_owned(), CHECK + 2),
        // A search that does not fill its page from the newest messages reads a second batch.
        ("/messages?q=xx&from=alice".to_owned(), CHECK + 3),
        (format!("/messages/{id}"), 1),
        ("/blocks".to_owned(), CHECK + 1),
        ("/messages/999999".to_owned(), 1),
        ("/messages/none".to_owned(), CHECK),
    ] {
        let read = async || bob.get(&path).await.status;
        assert_eq!(statements_of(&service, read).await, expected, "{path}");
    }
    // While an account is being deleted, lists are read completely.
    service
        .database
        .execute("DELETE FROM account_deletions")
        .await;
    let newest = async || bob.get("/messages").await.status;
    assert_eq!(statements_of(&service, newest).await, 1, "the newest page");
    for (tag, status, expected) in [("*", 304, CHECK + 1), ("\"none\"", 200, CHECK + 2)] {
        let ask = async || {
            let answer = poll(&bob, "", tag).await;
            assert_eq!(answer.status, status);
            answer.status
        };
        assert_eq!(statements_of(&service, ask).await, expected, "{tag}");
    }
    let without_token = async || service.get("/users/bob/messages").await.status;
    assert_eq!(statements_of(&service, without_token).await, 0);
}

#[tokio::test]
async fn no_write_makes_more_round_trips_than_it_needs() {
    let (service, alice, bob) = big_inbox().await;
    use_everything(&service, &alice, &bob).await;
    let id = alice.send(&bob, "counted").await;

    // Two inserts between BEGIN and COMMIT, for several receivers as for one.
    for receivers in [
        NewMessage::to("bob").json(),
        NewMessage::to_several(&["alice", "bob"]).json(),
    ] {
        let send = async || alice.post("/messages", &receivers).await.status;
        assert_eq!(statements_of(&service, send).await, CHECK + 4, "sending");
    }
    assert_costs_of_changes(&service, &alice, &bob, id).await;

    let password = json!({"password": "password of bob"});
    let login = async || service.post("/users/bob/token", &password).await.status;
    assert_eq!(statements_of(&service, login).await, 1, "a login");
}

/// Those of marks and deletions of this message from Alice to Bob.
async fn assert_costs_of_changes(service: &Service, alice: &User, bob: &User, id: u64) {
    // The message is read, and if its status differs, an update and an insert follow between BEGIN and COMMIT.
    let mark = async || bob.mark(id, true).await.status;
    assert_eq!(statements_of(service, mark).await, CHECK + 5, "marking");
    assert_eq!(statements_of(service, mark).await, CHECK + 1, "repeating");
    let mark = async || {
        let ids = json!({"read": false, "ids": [id, 9]});
        bob.patch("/messages", &ids).await.status
    };
    assert_eq!(statements_of(service, mark).await, CHECK + CHANGE, "by ids");
    // The search for messages to change, and a change in portions of a hundred.
    for (until, read, portions) in [(0, true, 0), (250, false, 3), (9, true, 1)] {
        let mark = async || {
            let all = json!({"read": read, "until": until + 1});
            bob.patch("/messages", &all).await.status
        };
        let expected = CHECK + 1 + portions * CHANGE;
        assert_eq!(statements_of(service, mark).await, expected, "to {until}");
    }
    let delete = async || bob.delete(id).await.status;
    assert_eq!(
        statements_of(service, delete).await,
        CHECK + CHANGE,
        "as receiver"
    );
    let delete = async || alice.delete(id).await.status;
    assert_eq!(
        statements_of(service, delete).await,
        CHECK + CHANGE,
        "as sender"
    );
    let delete = async || alice.delete(id).await.status;
    assert_eq!(
        statements_of(service, delete).await,
        CHECK + CHANGE - 1,
        "again"
    );
}

#[tokio::test]
async fn a_send_makes_as_many_round_trips_if_a_receiver_blocks_its_sender() {
    let (service, alice, bob) = big_inbox().await;
    use_everything(&service, &alice, &bob).await;
    let on_block = async |method: Method| {
        let request = bob.request(method, "/blocks/alice");
        Answer::of(request).await.status
    };
    let block = async || on_block(Method::PUT).await;
    assert_eq!(statements_of(&service, block).await, CHECK + 5);

    for receivers in [
        NewMessage::to("bob").json(),
        NewMessage::to_several(&["alice", "bob"]).json(),
    ] {
        let send = async || alice.post("/messages", &receivers).await.status;
        assert_eq!(statements_of(&service, send).await, CHECK + 4);
    }

    let unblock = async || on_block(Method::DELETE).await;
    assert_eq!(statements_of(&service, unblock).await, CHECK + 1);
}

/// Bob answers a message of alice; returns the id of the message.
async fn answered(alice: &User, bob: &User) -> u64 {
    let original = alice.send(bob, "counted").await;
    let new = NewMessage::to("alice").with("in_reply_to", original);
    assert_eq!(bob.post("/messages", &new.json()).await.status, 201);
    original
}

#[tokio::test]
async fn only_replies_pay_for_replies() {
    let (service, alice, bob) = big_inbox().await;
    use_everything(&service, &alice, &bob).await;
    let original = answered(&alice, &bob).await;
    let foreign = alice.send(&alice, "not for bob").await;
    for receivers in [&["alice"][..], &["alice", "bob"]] {
        let cost = async |new: NewMessage| {
            let new = new.json();
            let send = async || bob.post("/messages", &new).await.status;
            statements_of(&service, send).await
        };
        let new = || NewMessage::to_several(receivers);
        assert_eq!(cost(new()).await, CHECK + 4);
        // The users who see that it is a reply are looked up, and stored.
        let reply = new().with("in_reply_to", original);
        assert_eq!(cost(reply).await, CHECK + 6);
        let [unseen, unknown] = [foreign, i64::MAX.unsigned_abs()];
        let refused = cost(new().with("in_reply_to", unseen)).await;
        assert_eq!(cost(new().with("in_reply_to", unknown)).await, refused);
    }
}

#[tokio::test]
async fn a_conversation_costs_the_same_however_much_of_it_the_user_cannot_see() {
    /// The page's replies in three tables, their contents, and their receivers.
    const ROWS: u64 = 10;
    let (service, alice, bob) = big_inbox().await;
    use_everything(&service, &alice, &bob).await;
    let original = answered(&alice, &bob).await;
    let path = format!("/messages?conversation={original}");
    // The root, the replies, whether the root is visible, the contents, and the receivers of what was sent.
    for (user, lookups) in [(&alice, 5), (&bob, 5)] {
        let read = async || user.get(&path).await.status;
        assert_eq!(statements_of(&service, read).await, CHECK + lookups);
    }
    let before = rows_examined(&service, &bob, &path).await;
    let replies_of_others = format!(
        "INSERT INTO replies (message_id, user_id, in_reply_to, root_id) \
         SELECT id, 999999, {original}, {original} FROM messages WHERE id < {original} \
         AND id NOT IN (SELECT message_id FROM replies)"
    );
    assert!(service.database.execute(replies_of_others).await > 0);
    let rows = rows_examined(&service, &bob, &path).await;
    assert_eq!(rows, before);
    assert!((2..=2 * ROWS).contains(&rows), "{rows} rows");
    let nothing = async || bob.get("/messages?conversation=999999999").await.status;
    let foreign = format!(
        "/messages?conversation={}",
        alice.send(&alice, "not for bob").await
    );
    let foreign = async || bob.get(&foreign).await.status;
    let costs = [
        statements_of(&service, nothing).await,
        statements_of(&service, foreign).await,
    ];
    assert_eq!(costs, [CHECK + 3; 2]);
}

#[tokio::test]
async fn a_connection_in_use_is_not_asked_whether_it_is_still_there() {
    const REQUESTS: u64 = 50;
    let (service, _, bob) = big_inbox().await;
    let before = round_trips(&service).await;
    for _ in 0..REQUESTS {
        assert_eq!(bob.get("/messages").await.status, 200);
    }
    let after = round_trips(&service).await;
    assert!(after.statements - before.statements >= REQUESTS);
    // Only on a machine that stalls for a second is a connection idle for so long.
    let pings = after.pings - before.pings;
    assert!(pings < REQUESTS / 2, "{pings} pings for {REQUESTS} pages");
}

/// Requests the inbox of each user concurrently, with pages that are not read in batches.
async fn inboxes_at_once(users: &[User]) -> Vec<Vec<u64>> {
    let asked: Vec<_> = users
        .iter()
        .cloned()
        .map(|user| tokio::spawn(async move { user.inbox("?per_page=5").await }))
        .collect();
    let mut inboxes = Vec::new();
    for inbox in asked {
        inboxes.push(inbox.await.expect("an answer"));
    }
    inboxes
}

#[tokio::test]
async fn concurrent_requests_share_a_token_lookup_and_keep_their_users() {
    const USERS: u64 = 40;
    let service = Service::start_with(|config| config.database_max_connections = 1).await;
    let (mut users, mut expected) = (Vec::new(), Vec::new());
    for number in 0..USERS {
        let user = service.user(&format!("user{number}")).await;
        expected.push(vec![user.send(&user, "to myself").await]);
        users.push(user);
    }
    let before = round_trips(&service).await;

    // The first lookup waits for the lock, and the others queue up behind it.
    let mut session = service.database.connect().await;
    session
        .execute("LOCK TABLES users WRITE")
        .await
        .expect("nobody else holds a lock");
    let (inboxes, ()) = tokio::join!(inboxes_at_once(&users), async {
        for statement in ["DO SLEEP(0.3)", "UNLOCK TABLES"] {
            session
                .execute(statement)
                .await
                .expect("it is the lock's owner");
        }
    });

    assert_eq!(inboxes, expected);
    let statements = round_trips(&service).await.statements - before.statements;
    let (pages, checks) = (USERS, statements - USERS);
    assert!(checks < pages, "{checks} checks for {pages} pages");
}

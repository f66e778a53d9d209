//! Forgotten passwords.

use reqwest::Method;
use serde_json::json;

use super::{
    delay, early_user, early_users, forget, login, reset, service, unsent, until_offered,
    until_sent,
};
use crate::support::{Answer, Mail, Service, SmtpServer, problem, statuses_at_once, until};

const NEW: &str = "a new pass phrase";

/// The type of the problem of a code that cannot be used.
#[track_caller]
fn invalid(answer: &Answer) {
    let document = problem(answer, 403);
    assert_eq!(document["type"], "urn:problem-type:herolo:code-invalid");
}

/// Lets the time pass in which a mailbox gets no second mail.
async fn let_time_pass(service: &Service) {
    service
        .database
        .execute("UPDATE mails SET sent_at = sent_at - INTERVAL 11 MINUTE")
        .await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_the_code_from_the_mail() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;

    let answer = forget(&service, "Alice").await;

    assert_eq!(answer.text, "");
    let mail = &smtp.wait_for(1).await[0];
    assert_eq!(mail.to, ["alice@example.com"]);
    assert_eq!(mail.subject, "Your password at herolo.example.com");
    assert!(
        mail.plain
            .contains("account alice at https://herolo.example.com")
    );
    let done = reset(&service, &mail.code().to_uppercase(), NEW).await;
    assert_eq!(
        (done.status, done.json),
        (200, json!({"username": "alice"}))
    );
    assert_eq!(login(&service, "alice", NEW).await, 201);
    assert_eq!(login(&service, "alice", "password of alice").await, 401);
    problem(&alice.get("").await, 401);
    let mails = smtp.wait_for(2).await;
    assert_eq!(mails[1].to, ["alice@example.com"]);
    assert_eq!(
        mails[1].subject,
        "Your password was changed at herolo.example.com"
    );
}

#[tokio::test]
async fn an_account_is_found_by_each_spelling_of_its_address() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, " ALICE@EXAMPLE.COM ").await;
    let code = smtp.wait_for(1).await[0].code();
    assert_eq!(reset(&service, &code, NEW).await.status, 200);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_half_an_hour() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    let used = smtp.wait_for(1).await[0].code();
    assert_eq!(reset(&service, &used, NEW).await.status, 200);
    smtp.wait_for(2).await;
    forget(&service, "alice").await;
    let expired = smtp.wait_for(3).await[2].code();
    let last = "UPDATE mail_codes SET expires_at = expires_at - INTERVAL 29 MINUTE";
    assert_eq!(service.database.execute(last).await, 1);
    // It would be good for another minute.
    problem(&reset(&service, &expired, "alice").await, 422);
    let over = "UPDATE mail_codes SET expires_at = expires_at - INTERVAL 1 MINUTE";
    assert_eq!(service.database.execute(over).await, 1);

    let mut answers = Vec::new();
    for code in [used.as_str(), &expired, "", "wrong", "\u{1F511}"] {
        let answer = reset(&service, code, "another pass phrase").await;
        invalid(&answer);
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(login(&service, "alice", NEW).await, 201);
}

#[tokio::test]
async fn of_concurrent_uses_of_a_code_one_succeeds() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    let code = smtp.wait_for(1).await[0].code();
    let uses = (0..6).map(|number| {
        let body = json!({"code": code, "new_password": format!("a new pass phrase {number}")});
        let request = service.request(Method::POST, "/password-resets/completion");
        request.json(&body)
    });
    let statuses = statuses_at_once(uses).await;
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn an_unknown_account_gets_the_same_answer_and_no_mail() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    let known = forget(&service, "alice").await;
    smtp.wait_for(1).await;

    for unknown in [
        "nobody",
        "nobody@example.com",
        "no@body@",
        "",
        "~1",
        "two words",
    ] {
        let answer = forget(&service, unknown).await;
        assert_eq!(answer.text, known.text);
        let names = |answer: &Answer| {
            let names = answer.headers.keys().map(ToString::to_string);
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&answer), names(&known));
    }

    until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 1);
    let rows = "UPDATE mails SET attempts = attempts + 1";
    assert_eq!(
        service.database.execute(rows).await,
        1,
        "nothing is kept of the others"
    );
}

/// So the time of a request does not tell whether there is such an account.
#[tokio::test]
async fn a_request_looks_no_account_up() {
    let (service, _smtp) = service().await;
    early_user(&service, "alice").await;
    let mut connection = service.database.connect().await;
    // Whoever reads the table waits.
    sqlx::raw_sql("LOCK TABLES users WRITE")
        .execute(&mut connection)
        .await
        .expect("locked");
    for account in ["alice", "nobody", "alice@example.com"] {
        forget(&service, account).await;
    }
}

#[tokio::test]
async fn a_mailbox_gets_one_mail_in_ten_minutes_however_often_one_is_requested() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    for _ in 0..8 {
        let requests = ["alice", "alice@example.com"].map(|account| {
            let body = json!({"account": account});
            let request = service.request(reqwest::Method::POST, "/password-resets");
            tokio::spawn(Answer::of(request.json(&body)))
        });
        for request in requests {
            assert_eq!(request.await.expect("no panic").status, 202);
        }
    }
    until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 1);

    let_time_pass(&service).await;
    forget(&service, "alice").await;

    let mails = smtp.wait_for(2).await;
    let codes: Vec<_> = mails.iter().map(Mail::code).collect();
    assert_ne!(codes[0], codes[1]);
    assert_eq!(
        reset(&service, &codes[0], NEW).await.status,
        200,
        "both are valid"
    );
    invalid(&reset(&service, &codes[1], NEW).await);
}

/// As if two replicas had claimed them at the same time, and the second one were faster.
#[tokio::test]
async fn of_two_mails_that_are_claimed_at_once_one_is_sent_in_whichever_order() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    let first = "INSERT INTO mails (kind, requested_for, message_id, created_at, due_at) VALUES ('password-reset', \
                 'alice', RANDOM_BYTES(16), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 2 HOUR)";
    assert_eq!(service.database.execute(first).await, 1);
    smtp.be_busy();
    forget(&service, "alice").await;
    until_offered(&smtp).await;
    delay(&service).await;
    smtp.recover();

    for (mail, left) in [("ASC", 1), ("DESC", 0)] {
        let due = format!("UPDATE mails SET due_at = UTC_TIMESTAMP(3) ORDER BY id {mail} LIMIT 1");
        assert_eq!(service.database.execute(due).await, 1);
        until("it is sent or discarded", async || {
            unsent(&service).await == left
        })
        .await;
        assert_eq!(
            smtp.mails().len(),
            1 - usize::try_from(left).expect("0 or 1")
        );
    }
}

#[tokio::test]
async fn a_used_or_voided_code_frees_its_mailbox_eight_times_in_an_hour() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    let resets = async || {
        until_sent(&service).await;
        let mails = smtp.mails();
        let is_one = |mail: &&Mail| mail.subject.starts_with("Your password at");
        mails.iter().filter(is_one).cloned().collect::<Vec<_>>()
    };
    for number in 1..=8 {
        forget(&service, "alice").await;
        // In vain, because the code of the first one is valid.
        forget(&service, "alice").await;
        let mails = resets().await;
        assert_eq!(mails.len(), number);
        let code = mails[number - 1].code();
        let password = format!("a new pass phrase {number}");
        assert_eq!(reset(&service, &code, &password).await.status, 200);
    }

    forget(&service, "alice").await;

    assert_eq!(resets().await.len(), 8, "the ninth waits");
    service
        .database
        .execute("UPDATE mails SET sent_at = sent_at - INTERVAL 1 HOUR")
        .await;
    forget(&service, "alice").await;
    assert_eq!(resets().await.len(), 9);
}

#[tokio::test]
async fn a_new_password_keeps_the_rules_and_a_refused_one_leaves_the_code() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    let code = smtp.wait_for(1).await[0].code();

    for refused in ["short", "password", "alice123"] {
        let answer = reset(&service, &code, refused).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/new_password"], "{refused}");
    }

    assert_eq!(reset(&service, &code, NEW).await.status, 200);
}

#[tokio::test]
async fn a_changed_password_a_suspension_and_a_deletion_void_the_code() {
    let (service, smtp) = service().await;
    let [alice, bob, carol] = early_users(&service, ["alice", "bob", "carol"]).await;
    for name in ["alice", "bob", "carol"] {
        forget(&service, name).await;
    }
    let mails = smtp.wait_for(3).await;
    let change = json!({"password": "password of alice", "new_password": NEW});
    let request = alice
        .request(reqwest::Method::PUT, "/password")
        .json(&change);
    assert_eq!(Answer::of(request).await.status, 204);
    let deletion = json!({"password": "password of bob"});
    assert_eq!(bob.post("/deletion", &deletion).await.status, 204);
    service
        .database
        .execute(
            "INSERT INTO suspensions (user_id, suspended_at) SELECT id, NOW(3) FROM users WHERE username = 'carol'",
        )
        .await;
    drop(carol);

    for mail in &mails {
        invalid(&reset(&service, &mail.code(), "another pass phrase").await);
    }
    let told = &smtp.wait_for(4).await[3];
    assert_eq!(told.to, ["alice@example.com"]);
    forget(&service, "carol").await;
    forget(&service, "bob").await;
    until_sent(&service).await;
    assert_eq!(
        smtp.mails().len(),
        4,
        "neither a suspended nor a deleted account"
    );
}

#[tokio::test]
async fn the_database_has_neither_codes_nor_addresses_of_sent_mails() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    let code = smtp.wait_for(1).await[0].code();
    until_sent(&service).await;
    let mut connection = service.database.connect().await;
    let hashes: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM mail_codes WHERE code_hash = UNHEX(SHA2(?, 256))")
            .bind(&code)
            .fetch_one(&mut connection)
            .await
            .expect("the table is there");
    assert_eq!(hashes, 1);
    let forgotten = "UPDATE mails SET attempts = attempts + 1 WHERE requested_for IS NULL AND recipient IS NULL";
    assert_eq!(service.database.execute(forgotten).await, 1);
}

#[tokio::test]
async fn requests_and_codes_are_limited_like_logins() {
    let smtp = SmtpServer::start();
    let service = Service::start_with(|config| {
        smtp.serve(config);
        config.limit_logins = 3;
    })
    .await;
    for account in ["a", "b", "c"] {
        forget(&service, account).await;
    }
    let refused = service
        .post("/password-resets", &json!({"account": "d"}))
        .await;
    problem(&refused, 429);
    for _ in 0..3 {
        invalid(&reset(&service, "guess", NEW).await);
    }
    problem(&reset(&service, "guess", NEW).await, 429);
}

#[tokio::test]
async fn sent_mails_and_expired_codes_are_deleted_after_a_while() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    forget(&service, "alice").await;
    smtp.wait_for(1).await;
    until_sent(&service).await;
    for old in [
        "UPDATE mails SET sent_at = sent_at - INTERVAL 3 HOUR",
        "UPDATE mail_codes SET expires_at = expires_at - INTERVAL 1 HOUR",
    ] {
        assert_eq!(service.database.execute(old).await, 1);
    }
    // Starts the cleanup at once.
    let deletion = json!({"password": "password of alice"});
    assert_eq!(alice.post("/deletion", &deletion).await.status, 204);
    for rest in [
        "UPDATE mails SET attempts = attempts + 1",
        "UPDATE mail_codes SET user_id = user_id + 1",
    ] {
        until("it is deleted", async || {
            service.database.execute(rest).await == 0
        })
        .await;
    }
}

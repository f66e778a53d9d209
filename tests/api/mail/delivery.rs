//! Mails on their way: their headers, and failures of the SMTP server.

use serde_json::json;

use super::{early_user, early_users, forget, service};
use crate::support::{Herolo, Service, SmtpServer, TestDatabase, problem, set_smtp, until};

const DUE_NOW: &str = "UPDATE mails SET due_at = UTC_TIMESTAMP(3) WHERE due_at > UTC_TIMESTAMP(3)";

/// Makes the pause before the next attempt be over.
async fn skip_pause(service: &Service) {
    service.database.execute(DUE_NOW).await;
}

/// Waits until a statement that changes nothing finds so many rows.
async fn until_rows(service: &Service, condition: &str, count: u64) {
    let statement = format!("UPDATE mails SET attempts = attempts WHERE {condition}");
    until(condition, async || {
        service.database.execute(&statement).await == count
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_plain_text_and_html_without_anything_remote() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;

    let mail = &smtp.wait_for(1).await[0];

    assert_eq!(mail.header("From"), "Herolo <noreply@example.com>");
    assert_eq!(mail.header("To"), "alice@example.com");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(
        mail.header("Content-Type")
            .starts_with("multipart/alternative")
    );
    assert!(mail.header("Message-ID").ends_with("@example.com>"));
    assert!(mail.header("Date").ends_with("+0000"));
    assert!(mail.html.contains(&mail.code()) && mail.html.starts_with("<!DOCTYPE html>"));
    for remote in ["src=", "<link", "<img", "url("] {
        assert!(!mail.html.contains(remote), "{remote}: {}", mail.html);
    }
    let page = format!("https://herolo.example.com/#/forgotten/{}", mail.code());
    assert!(
        mail.plain.lines().any(|line| line == page),
        "{}",
        mail.plain
    );
    assert!(mail.html.contains(&format!("<a href=\"{page}\">")));
    assert_eq!(mail.html.matches("href=").count(), 1);
}

#[tokio::test]
async fn without_the_inbox_page_a_mail_has_the_code_alone() {
    let smtp = SmtpServer::start();
    let service = Service::start_with(|config| {
        smtp.serve(config);
        config.inbox_page = false;
    })
    .await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;

    let mail = &smtp.wait_for(1).await[0];

    assert_eq!(mail.code().len(), 26);
    assert!(!mail.plain.contains('#') && !mail.html.contains("href="));
}

#[tokio::test]
async fn a_server_that_is_away_delays_mails_and_nothing_else() {
    let port = SmtpServer::free_port();
    let service = Service::start_with(|config| {
        set_smtp(config, &format!("smtp://127.0.0.1:{port}?tls=none"));
    })
    .await;
    let alice = early_user(&service, "alice").await;
    forget(&service, "alice").await;
    until_rows(&service, "attempts > 0 AND due_at > UTC_TIMESTAMP(3)", 1).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    assert_eq!(alice.get("").await.status, 200);
    forget(&service, "nobody").await;

    let smtp = SmtpServer::on_port(port);
    skip_pause(&service).await;

    smtp.wait_for(1).await;
    until_rows(&service, "sent_at IS NOT NULL", 1).await;
    let metrics = service.get("/metrics").await.text;
    assert!(metrics.contains("herolo_mails_sent_total 1"), "{metrics}");
}

#[tokio::test]
async fn a_mail_that_is_discarded_does_not_tell_that_the_server_is_back() {
    let database = TestDatabase::create().await;
    let port = SmtpServer::free_port();
    let herolo = with_mail(&database, &format!("smtp://127.0.0.1:{port}?tls=none"));
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    let process = herolo.serve().await;
    process.until_ready().await;
    process.user("alice").await;
    process.until_log_says("mails are delayed").await;

    let nobody = json!({"account": "nobody"});
    let answer = process.post("/password-resets", &nobody).await;

    assert_eq!(answer.status, 202);

    until("it is discarded", async || {
        let of_nobody = "UPDATE mails SET attempts = attempts WHERE requested_for = 'nobody'";
        database.execute(of_nobody).await == 0
    })
    .await;
    let smtp = SmtpServer::on_port(port);
    assert!(!process.log().contains("usable again"), "{}", process.log());
    // Again and again, because an attempt that has just failed postpones the mail.
    until("the server is usable again", async || {
        database.execute(DUE_NOW).await;
        process.log().contains("the SMTP server is usable again")
    })
    .await;
    smtp.wait_for(1).await;
}

#[tokio::test]
async fn a_mail_that_is_postponed_is_sent_again_with_the_same_id() {
    let (service, smtp) = service().await;
    smtp.refuse(&[451, 450]);
    early_user(&service, "alice").await;
    forget(&service, "alice").await;

    for offered in [1, 2] {
        until("it is offered", async || smtp.offered() == offered).await;
        until_rows(&service, "due_at > UTC_TIMESTAMP(3) + INTERVAL 1 SECOND", 1).await;
        skip_pause(&service).await;
    }

    let code = smtp.wait_for(1).await[0].code();
    assert_eq!(
        super::reset(&service, &code, "a new pass phrase")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_replica_that_ends_between_sending_and_recording_sends_the_same_mail_again() {
    let (service, smtp) = service().await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    smtp.wait_for(1).await;
    until_rows(&service, "sent_at IS NOT NULL", 1).await;
    // As such a replica leaves it, once its lease is over.
    service
        .database
        .execute(
            "UPDATE mails SET sent_at = NULL, requested_for = 'alice', due_at = UTC_TIMESTAMP(3)",
        )
        .await;

    let mails = smtp.wait_for(2).await;

    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    // A mailbox may show either of them.
    let first = super::reset(&service, &mails[0].code(), "a new pass phrase").await;
    assert_eq!(first.status, 200, "{}", first.text);
}

#[tokio::test]
async fn a_mail_that_is_refused_is_given_up_and_the_log_has_no_address() {
    let database = TestDatabase::create().await;
    let smtp = SmtpServer::start();
    let herolo = with_mail(&database, &smtp.url());
    assert_eq!(herolo.run(&["migrate"]).await.code, Some(0));
    let process = herolo.serve().await;
    process.until_ready().await;
    process.user("alice").await;
    smtp.wait_for(1).await;
    smtp.forget();
    smtp.refuse(&[550]);

    let body = json!({"account": "alice"});
    assert_eq!(process.post("/password-resets", &body).await.status, 202);

    process.until_log_says("a mail is given up").await;
    until("it is deleted", async || {
        let resets = "UPDATE mails SET attempts = attempts + 1 WHERE kind = 'password-reset'";
        database.execute(resets).await == 0
    })
    .await;
    assert_eq!(smtp.offered(), 1);
    let log = process.log();
    assert!(
        log.contains("550") && log.contains("password-reset"),
        "{log}"
    );
    for secret in ["alice@", "refused for"] {
        assert!(!log.contains(secret), "{log}");
    }
    // Another mail is not affected.
    assert_eq!(process.post("/password-resets", &body).await.status, 202);
    let code = smtp.wait_for(1).await[0].code();
    assert!(!process.log().contains(&code));
}

fn with_mail(database: &TestDatabase, smtp_url: &str) -> Herolo {
    Herolo::on(&database.url())
        .set("HEROLO_SMTP_URL", smtp_url)
        .set("HEROLO_MAIL_FROM", "noreply@example.com")
        .set("HEROLO_PUBLIC_URL", "https://herolo.example.com")
        .set("RUST_LOG", "herolo=debug,lettre=trace")
}

#[tokio::test]
async fn a_mail_is_given_up_after_three_days() {
    let port = SmtpServer::free_port();
    let service = Service::start_with(|config| {
        set_smtp(config, &format!("smtp://127.0.0.1:{port}?tls=none"));
    })
    .await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    until_rows(&service, "attempts > 0 AND due_at > UTC_TIMESTAMP(3)", 1).await;
    service
        .database
        .execute(
            "UPDATE mails SET created_at = created_at - INTERVAL 3 DAY, due_at = UTC_TIMESTAMP(3)",
        )
        .await;
    until_rows(&service, "TRUE", 0).await;
    let metrics = service.get("/metrics").await.text;
    assert!(
        metrics.contains("herolo_mails_given_up_total 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn replicas_send_each_mail_once() {
    let (service, smtp) = service().await;
    let others = [
        service.replica(|config| smtp.serve(config)).await,
        service.replica(|config| smtp.serve(config)).await,
    ];
    for other in &others {
        until("the replica is ready", async || {
            let request = other.client.get(format!("{}/readyz", other.url));
            crate::support::Answer::of(request).await.status == 200
        })
        .await;
    }
    let names = [
        "ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jim", "kim", "lea",
    ];
    early_users(&service, names).await;
    for name in names {
        forget(&service, name).await;
    }

    let mails = smtp.wait_for(names.len()).await;

    until_rows(&service, "sent_at IS NULL", 0).await;
    let mut recipients: Vec<_> = mails.iter().map(|mail| mail.to[0].clone()).collect();
    recipients.sort_unstable();
    recipients.dedup();
    assert_eq!(recipients.len(), names.len());
    assert_eq!(smtp.mails().len(), names.len());
}

#[tokio::test]
async fn a_mail_waits_for_tls_that_the_settings_require() {
    let smtp = SmtpServer::start();
    let service = Service::start_with(|config| {
        set_smtp(config, smtp.url().trim_end_matches("?tls=none"));
    })
    .await;
    early_user(&service, "alice").await;
    forget(&service, "alice").await;
    until_rows(&service, "attempts > 0 AND due_at > UTC_TIMESTAMP(3)", 1).await;
    assert_eq!(smtp.offered(), 0);
}

/// Addresses that try to be more than one, or more than an address.
const ADDRESSES: [&str; 8] = [
    "a\r\nBcc: eve@example.com\r\n@example.com",
    "\"a\r\nBcc: eve@example.com\"@example.com",
    "\"a\nb\"@example.com",
    "a,eve@example.com",
    "\"a>, <eve@example.com\"@example.com",
    "\"a b\"@example.com",
    "<eve@example.com>",
    "m\u{fc}ller@example.com",
];

#[tokio::test]
async fn an_address_cannot_add_a_header_or_a_recipient() {
    let (service, smtp) = service().await;
    let mut accepted = 0;
    for (number, address) in ADDRESSES.iter().enumerate() {
        let name = format!("user{number}");
        let body = json!({"username": name, "email": address, "password": "correct horse"});
        let answer = service.post("/users", &body).await;
        if answer.status == 201 {
            accepted += 1;
            forget(&service, &name).await;
        } else {
            problem(&answer, 422);
        }
    }
    assert!(accepted > 0);
    until_rows(&service, "sent_at IS NULL", 0).await;
    for mail in smtp.mails() {
        assert_eq!(mail.to.len(), 1, "{mail:?}");
        assert!(!mail.raw.contains("\r\nBcc"), "{mail:?}");
        assert!(!mail.to[0].starts_with("eve@"), "{mail:?}");
        mail.header("To");
    }
}

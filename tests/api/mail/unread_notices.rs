//! Mails about messages that have been unread for a while.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{
    delay, early_user, early_users, login, reset, service, unsent, until_offered, until_sent,
};
use crate::support::{Answer, DIGITS, Mail, Service, SmtpServer, User, problem, until};

/// A service, its mail server, and two users, of whom Alice is told after an hour.
async fn told() -> (Service, SmtpServer, User, User) {
    let (service, smtp) = service().await;
    let [alice, bob] = early_users(&service, ["alice", "bob"]).await;
    service.database.execute(VERIFY_ALL).await;
    assert_eq!(turn_on(&alice, json!(60)).await.status, 204);
    (service, smtp, alice, bob)
}

/// Verifies the addresses of all accounts.
const VERIFY_ALL: &str = "INSERT INTO account_emails (user_id, verified_hash) \
                          SELECT id, UNHEX(SHA2(normalized_email, 256)) FROM users";

async fn turn_on(user: &User, after_minutes: Value) -> Answer {
    let body = json!({"after_minutes": after_minutes});
    Answer::of(user.request(Method::PUT, "/unread-notices").json(&body)).await
}

/// Uses the code of a mail as a mail program does.
async fn stop(service: &Service, code: &str) -> Answer {
    let path = format!("/unread-notices/{code}/stop");
    service.post(&path, &json!({})).await
}

/// The code in the address that stops the mails.
fn code_of(mail: &Mail) -> String {
    let header = mail.header("List-Unsubscribe");
    let code = header
        .strip_prefix("<https://herolo.example.com/unread-notices/")
        .and_then(|rest| rest.strip_suffix("/stop>"));
    code.unwrap_or_else(|| panic!("{header}")).to_owned()
}

/// Lets time pass for all messages.
async fn age_messages(service: &Service, minutes: u32) {
    let age = format!("UPDATE messages SET created_at = created_at - INTERVAL {minutes} MINUTE");
    service.database.execute(age).await;
}

/// Makes all inboxes due, and begins a round of jobs.
async fn begin_looking(service: &Service) {
    let due = "UPDATE unread_notices SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND";
    assert!(
        service.database.execute(due).await > 0,
        "a user wants mails"
    );
    // The end of an account begins a round at once.
    let visitor = early_user(service, "visitor").await;
    let body = json!({"password": "password of visitor"});
    assert_eq!(visitor.post("/deletion", &body).await.status, 204);
}

/// The same, and waits until they were looked at and the mails were sent.
async fn look(service: &Service) {
    begin_looking(service).await;
    until("all inboxes were looked at", async || {
        next_look(service).await > 0
    })
    .await;
    until_sent(service).await;
}

/// Lets so many days pass, and the pauses of all mails be over, until none is left.
async fn skip_pauses(service: &Service, days: u32) {
    let again = format!(
        "UPDATE mails SET created_at = created_at - INTERVAL {days} DAY, due_at = UTC_TIMESTAMP(3) \
         WHERE due_at > UTC_TIMESTAMP(3)"
    );
    until("no mail is left", async || {
        service.database.execute(&again).await;
        unsent(service).await == 0
    })
    .await;
}

/// The seconds until the next inbox is due.
async fn next_look(service: &Service) -> i64 {
    let mut connection = service.database.connect().await;
    let row = sqlx::query(
        "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), MIN(due_at)) AS seconds FROM unread_notices",
    )
    .fetch_one(&mut connection)
    .await
    .expect("the statement is right");
    row.get("seconds")
}

#[tokio::test]
async fn a_message_that_stays_unread_causes_one_mail() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "a secret").await;
    bob.send(&alice, "another one").await;
    age_messages(&service, 61).await;

    look(&service).await;

    let mail = &smtp.wait_for(1).await[0];
    assert_eq!(mail.to, ["alice@example.com"]);
    assert_eq!(
        mail.subject,
        "You have unread messages at herolo.example.com"
    );
    for said in ["bob", "secret"] {
        assert!(!mail.raw.contains(said), "{}", mail.raw);
    }
    let page = format!("https://herolo.example.com/#/stop/{}", code_of(mail));
    assert!(mail.plain.contains(&page), "{}", mail.plain);
    assert!(mail.html.contains(&page), "{}", mail.html);
    assert_eq!(
        mail.header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
}

#[tokio::test]
async fn there_is_no_second_mail_until_the_user_signs_in() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "first").await;
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(1).await;
    bob.send(&alice, "second").await;
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(1).await;

    assert_eq!(login(&service, "alice", "password of alice").await, 201);

    let seconds = next_look(&service).await;
    assert!((59 * 60..=60 * 60).contains(&seconds), "{seconds}");
    look(&service).await;
    smtp.wait_for(2).await;
}

#[tokio::test]
async fn any_mark_is_a_return_and_nothing_is_told_twice() {
    let (service, smtp, alice, bob) = told().await;
    let first = bob.send(&alice, "first").await;
    bob.send(&alice, "second").await;
    for (told, read) in [(1, true), (2, false)] {
        age_messages(&service, 61).await;
        look(&service).await;
        smtp.wait_for(told).await;
        assert_eq!(alice.mark(first, read).await.status, 200);
        look(&service).await;
        smtp.wait_for(told).await;
        bob.send(&alice, "another").await;
    }
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(3).await;
}

/// Otherwise a sender could have any number of mails sent.
#[tokio::test]
async fn a_message_that_its_sender_deletes_is_no_return() {
    let (service, smtp, alice, bob) = told().await;
    let mut last = bob.send(&alice, "first").await;
    for _ in 0..3 {
        age_messages(&service, 61).await;
        look(&service).await;
        smtp.wait_for(1).await;
        let next = bob.send(&alice, "next").await;
        assert_eq!(bob.delete(last).await.status, 204);
        last = next;
    }
}

/// Nor do they keep the job from a return that follows them, or from other inboxes: each look reads some of them.
#[tokio::test]
async fn a_return_after_any_number_of_deletions_is_found_by_several_looks() {
    let (service, smtp, alice, bob) = told().await;
    let first = bob.send(&alice, "first").await;
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(1).await;
    service
        .database
        .execute(format!(
            "INSERT INTO message_changes (user_id, kind, message_ids, created_at) \
             SELECT (SELECT id FROM users WHERE username = 'alice'), 'deleted', '1', \
             UTC_TIMESTAMP(3) - INTERVAL 2 MINUTE \
             FROM {DIGITS} AS a, {DIGITS} AS b, {DIGITS} AS c, {DIGITS} AS d"
        ))
        .await;
    assert_eq!(alice.mark(first, true).await.status, 200);
    bob.send(&alice, "second").await;
    age_messages(&service, 61).await;

    look(&service).await;
    let seconds = next_look(&service).await;
    assert!(seconds <= 60, "the next look goes on: {seconds}");
    smtp.wait_for(1).await;
    look(&service).await;
    smtp.wait_for(2).await;
}

/// And once it is verified, the next look is soon, however long the setting is.
#[tokio::test]
async fn an_owner_who_cannot_be_told_now_is_looked_at_within_an_hour() {
    let (service, _smtp, alice, bob) = told().await;
    assert_eq!(turn_on(&alice, json!(10_080)).await.status, 204);
    bob.send(&alice, "hello").await;
    let forget = "DELETE FROM account_emails";
    service.database.execute(forget).await;
    look(&service).await;
    let seconds = next_look(&service).await;
    assert!((1..=60 * 60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn the_same_setting_again_changes_nothing_and_another_one_begins_anew() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    assert_eq!(turn_on(&alice, json!(60)).await.status, 204);
    look(&service).await;
    smtp.wait_for(1).await;
    bob.send(&alice, "again").await;
    assert_eq!(turn_on(&alice, json!(61)).await.status, 204);
    age_messages(&service, 62).await;
    look(&service).await;
    smtp.wait_for(1).await;
}

#[tokio::test]
async fn a_message_is_looked_at_again_when_it_has_been_unread_for_long_enough() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 40).await;
    look(&service).await;
    let seconds = next_look(&service).await;
    assert!((1..=20 * 60).contains(&seconds), "{seconds}");
    smtp.wait_for(0).await;
}

#[tokio::test]
async fn messages_from_before_and_read_ones_cause_no_mail() {
    let (service, smtp, alice, bob) = told().await;
    let before = bob.send(&alice, "before").await;
    assert_eq!(alice.mark(before, true).await.status, 200);
    assert_eq!(turn_on(&alice, json!(10)).await.status, 204);
    assert_eq!(alice.mark(before, false).await.status, 200);
    let read = bob.send(&alice, "read").await;
    assert_eq!(alice.mark(read, true).await.status, 200);
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(0).await;
}

#[tokio::test]
async fn only_a_verified_address_of_an_account_that_is_not_suspended_is_told() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    // Not by the operator's command, which turns the mails off.
    let suspend = "INSERT INTO suspensions (user_id, suspended_at) SELECT id, NOW(3) FROM users";
    for (change, undo) in [
        ("DELETE FROM account_emails", VERIFY_ALL),
        (suspend, "DELETE FROM suspensions"),
    ] {
        service.database.execute(change).await;
        look(&service).await;
        smtp.wait_for(0).await;
        service.database.execute(undo).await;
    }
    look(&service).await;
    smtp.wait_for(1).await;
}

/// The same with two unread messages, and the id of the first. A mail about them was offered to a server that was busy.
async fn told_in_vain() -> (Service, SmtpServer, User, User, u64) {
    let (service, smtp, alice, bob) = told().await;
    let id = bob.send(&alice, "hello").await;
    bob.send(&alice, "another").await;
    age_messages(&service, 61).await;
    smtp.be_busy();
    begin_looking(&service).await;
    until_offered(&smtp).await;
    (service, smtp, alice, bob, id)
}

#[tokio::test]
async fn a_mail_that_was_delayed_is_not_sent_to_a_user_who_has_returned() {
    let (service, smtp, alice, _bob, id) = told_in_vain().await;
    assert_eq!(alice.mark(id, true).await.status, 200);
    skip_pauses(&service, 0).await;
    smtp.recover();
    look(&service).await;
    smtp.wait_for(0).await;
}

/// Of messages that were unread before a mark, and after it.
#[tokio::test]
async fn a_mail_that_was_delayed_until_after_a_return_is_the_only_one() {
    let (service, smtp, alice, bob, id) = told_in_vain().await;
    delay(&service).await;
    smtp.recover();

    assert_eq!(alice.mark(id, true).await.status, 200);
    bob.send(&alice, "a third one").await;
    age_messages(&service, 61).await;
    begin_looking(&service).await;
    until("the inbox was looked at", async || {
        next_look(&service).await > 0
    })
    .await;

    assert_eq!(unsent(&service).await, 1);
    skip_pauses(&service, 0).await;
    smtp.wait_for(1).await;
}

/// The next look makes up for it, although no message has arrived since.
#[tokio::test]
async fn a_mail_that_is_given_up_after_three_days_leaves_its_owner_to_the_next_one() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    smtp.be_busy();
    begin_looking(&service).await;
    until_offered(&smtp).await;
    skip_pauses(&service, 3).await;
    smtp.recover();
    smtp.wait_for(0).await;
    let seconds = next_look(&service).await;
    assert!((1..=60 * 60).contains(&seconds), "{seconds}");
    look(&service).await;
    smtp.wait_for(1).await;
    look(&service).await;
    smtp.wait_for(1).await;
}

#[tokio::test]
async fn a_mail_whose_messages_are_gone_leaves_its_owner_to_the_next_one() {
    let (service, smtp, alice, bob) = told().await;
    let id = bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    smtp.be_busy();
    begin_looking(&service).await;
    until_offered(&smtp).await;
    assert_eq!(bob.delete(id).await.status, 204);
    skip_pauses(&service, 0).await;
    smtp.recover();
    look(&service).await;
    smtp.wait_for(0).await;
    bob.send(&alice, "another").await;
    age_messages(&service, 61).await;
    look(&service).await;
    smtp.wait_for(1).await;
}

/// Otherwise a mailbox that is gone would be tried again and again.
#[tokio::test]
async fn after_a_mail_that_is_refused_there_is_none_until_the_user_returns() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    smtp.refuse(&[550]);
    for _ in 0..2 {
        look(&service).await;
        assert_eq!(smtp.offered(), 1);
        bob.send(&alice, "another").await;
        age_messages(&service, 61).await;
    }
    assert_eq!(login(&service, "alice", "password of alice").await, 201);
    look(&service).await;
    smtp.wait_for(1).await;
}

#[tokio::test]
async fn the_link_of_a_mail_stops_them_without_a_token_as_often_as_it_is_used() {
    let (service, smtp, alice, bob) = told().await;
    assert_eq!(
        alice.get("").await.json["unread_notices"],
        json!({"after_minutes": 60})
    );
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    look(&service).await;
    let code = code_of(&smtp.wait_for(1).await[0]);

    let client = reqwest::Client::new();
    let url = format!(
        "{}/unread-notices/{}/stop",
        service.url,
        code.to_uppercase()
    );
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    for (kind, body) in [
        (
            "application/x-www-form-urlencoded",
            "List-Unsubscribe=One-Click",
        ),
        ("multipart/form-data; boundary=x", multipart),
        ("application/json", ""),
    ] {
        for end in ["", "/"] {
            let request = client.post(format!("{url}{end}"));
            let request = request.header("Content-Type", kind).body(body);
            let answer = Answer::of(request).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{kind}");
            assert_eq!(alice.get("").await.json.get("unread_notices"), None);
        }
    }

    // It is good for nothing else.
    let refused = reset(&service, &code, "a new pass phrase").await;
    let document = problem(&refused, 403);
    assert_eq!(document["type"], "urn:problem-type:herolo:code-invalid");
}

/// As mail programs do that know nothing of one click.
#[tokio::test]
async fn a_browser_that_opens_the_link_is_led_to_the_page_and_stops_nothing() {
    let service = Service::start().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let open = async |code: &str| {
        let url = format!("{}/unread-notices/{code}/stop", service.url);
        Answer::of(client.get(url)).await
    };
    let opened = open("3k9V0c").await;
    assert_eq!(
        (opened.status, opened.header("Location")),
        (303, "/#/stop/3k9V0c")
    );
    problem(&open("%2F%2Fevil.example").await, 404);
}

#[tokio::test]
async fn a_wrong_and_an_expired_code_have_the_same_answer() {
    let (service, smtp, alice, bob) = told().await;
    bob.send(&alice, "hello").await;
    age_messages(&service, 61).await;
    look(&service).await;
    let code = code_of(&smtp.wait_for(1).await[0]);
    let expire = "UPDATE mail_codes SET expires_at = expires_at - INTERVAL 30 DAY";
    assert_eq!(service.database.execute(expire).await, 1);
    for code in [code.as_str(), "wrong", &"x".repeat(1_000)] {
        let refused = stop(&service, code).await;
        let document = problem(&refused, 403);
        assert_eq!(document["type"], "urn:problem-type:herolo:code-invalid");
    }
    assert_ne!(alice.get("").await.json.get("unread_notices"), None);
}

#[tokio::test]
async fn the_setting_is_a_number_of_minutes_and_is_changed_turned_off_and_forgotten() {
    let (service, _smtp, alice, _) = told().await;
    for wrong in [
        json!(9),
        json!(10_081),
        json!(-60),
        json!(60.5),
        json!("60"),
        json!(null),
    ] {
        let answer = turn_on(&alice, wrong).await;
        assert_eq!(
            (answer.status, answer.pointers()),
            (422, vec!["#/after_minutes"])
        );
    }
    for minutes in [10, 10_080] {
        assert_eq!(turn_on(&alice, json!(minutes)).await.status, 204);
        let exported = alice.get("/export").await.json;
        assert_eq!(
            exported["account"]["unread_notices"],
            json!({"after_minutes": minutes})
        );
    }
    for _ in 0..2 {
        let off = Answer::of(alice.request(Method::DELETE, "/unread-notices")).await;
        assert_eq!(off.status, 204);
        assert_eq!(alice.get("").await.json.get("unread_notices"), None);
    }
    assert_eq!(turn_on(&alice, json!(60)).await.status, 204);
    let body = json!({"password": "password of alice"});
    assert_eq!(alice.post("/deletion", &body).await.status, 204);
    let rows = "UPDATE unread_notices SET after_minutes = 99";
    assert_eq!(service.database.execute(rows).await, 0);
}

//! Addresses that are verified, and changed with a code.

use reqwest::Method;
use serde_json::{Value, json};

use super::{early_user, early_users, forget, login, reset, service, until_sent};
use crate::support::{Answer, Mail, Service, SmtpServer, User, problem};

/// Uses the code in a mail.
async fn verify(service: &Service, code: &str) -> Answer {
    let path = "/email-verifications/completion";
    service.post(path, &json!({"code": code})).await
}

/// Asks for the mail with the code again.
async fn ask_again(user: &User) -> Answer {
    Answer::of(user.request(Method::POST, "/email-verifications")).await
}

async fn change(user: &User, email: &str) -> Answer {
    let body = json!({"password": format!("password of {}", user.name), "email": email});
    Answer::of(user.request(Method::PUT, "/email").json(&body)).await
}

/// The address of the account, whether it is verified, and the pending one.
async fn addresses(user: &User) -> Value {
    let account = user.get("").await.json;
    json!([
        account["email"],
        account["email_verified"],
        account["pending_email"]
    ])
}

/// The mails to an address, once the outbox is empty.
async fn mails_to(service: &Service, smtp: &SmtpServer, address: &str) -> Vec<Mail> {
    until_sent(service).await;
    let mut mails = smtp.mails();
    mails.retain(|mail| mail.to == [address]);
    mails
}

/// The type of the problem of a code that cannot be used.
#[track_caller]
fn invalid(answer: &Answer) {
    let document = problem(answer, 403);
    assert_eq!(document["type"], "urn:problem-type:herolo:code-invalid");
}

#[tokio::test]
async fn a_sign_up_has_its_address_verified_with_the_code_from_a_mail() {
    let (service, smtp) = service().await;
    let alice = service.user("alice").await;
    let mail = &smtp.wait_for(1).await[0];
    assert_eq!(mail.to, ["alice@example.com"]);
    assert_eq!(
        mail.subject,
        "Confirm your e-mail address at herolo.example.com"
    );
    let page = format!("https://herolo.example.com/#/verify/{}", mail.code());
    assert!(mail.plain.contains(&page), "{}", mail.plain);
    assert_eq!(
        addresses(&alice).await,
        json!(["alice@example.com", false, null])
    );

    let done = verify(&service, &mail.code().to_uppercase()).await;

    assert_eq!(
        (done.status, done.json),
        (
            200,
            json!({"username": "alice", "email": "alice@example.com"})
        )
    );
    assert_eq!(
        addresses(&alice).await,
        json!(["alice@example.com", true, null])
    );
    let exported = alice.get("/export").await.json;
    assert_eq!(exported["account"]["email_verified"], true);
    // Once.
    invalid(&verify(&service, &mail.code()).await);
    assert_eq!(ask_again(&alice).await.status, 202);
    until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 1, "a verified address gets no mail");
}

#[tokio::test]
async fn a_wrong_and_an_expired_code_have_the_same_answer() {
    let (service, smtp) = service().await;
    let alice = service.user("alice").await;
    let code = smtp.wait_for(1).await[0].code();
    let expire = "UPDATE mail_codes SET expires_at = expires_at - INTERVAL 24 HOUR";
    assert_eq!(service.database.execute(expire).await, 1);
    let mut texts = Vec::new();
    for code in [code.as_str(), "wrong", ""] {
        let answer = verify(&service, code).await;
        invalid(&answer);
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(addresses(&alice).await[1], false);
}

#[tokio::test]
async fn a_code_of_one_kind_is_not_good_for_the_other() {
    let (service, smtp) = service().await;
    service.user("alice").await;
    let verification = smtp.wait_for(1).await[0].code();
    forget(&service, "alice").await;
    let password = smtp.wait_for(2).await[1].code();
    invalid(&verify(&service, &password).await);
    invalid(&reset(&service, &verification, "a new pass phrase").await);
}

#[tokio::test]
async fn an_account_from_before_is_not_verified_and_can_ask_for_it() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    assert_eq!(addresses(&alice).await[1], false);
    // Its forgotten password can be replaced all the same.
    forget(&service, "alice").await;
    smtp.wait_for(1).await;
    for _ in 0..3 {
        let answer = ask_again(&alice).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    }
    until_sent(&service).await;
    let mails = smtp.wait_for(2).await;
    assert_eq!(verify(&service, &mails[1].code()).await.status, 200);
    assert_eq!(addresses(&alice).await[1], true);
}

#[tokio::test]
async fn a_new_address_waits_for_its_code_and_the_old_one_is_told_twice() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;

    let asked = change(&alice, "Alice@new.example").await;

    assert_eq!(
        (asked.status, asked.json),
        (
            200,
            json!({"username": "alice", "email": "alice@example.com", "pending_email": "Alice@new.example"})
        )
    );
    assert_eq!(
        addresses(&alice).await,
        json!(["alice@example.com", false, "Alice@new.example"])
    );
    let told = mails_to(&service, &smtp, "alice@example.com").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].subject.starts_with("Your e-mail address is to be"));
    assert!(!told[0].raw.contains("new.example"));
    let code = mails_to(&service, &smtp, "Alice@new.example").await[0].code();
    let done = verify(&service, &code).await;
    assert_eq!(
        (done.status, done.json),
        (
            200,
            json!({"username": "alice", "email": "Alice@new.example"})
        )
    );
    assert_eq!(
        addresses(&alice).await,
        json!(["Alice@new.example", true, null])
    );
    let told = mails_to(&service, &smtp, "alice@example.com").await;
    assert_eq!(told.len(), 2);
    assert!(told[1].subject.starts_with("Your e-mail address was"));
    invalid(&verify(&service, &code).await);
}

#[tokio::test]
async fn a_change_voids_the_code_for_a_password_in_the_mail_to_the_former_address() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    forget(&service, "alice").await;
    let former = smtp.wait_for(1).await[0].code();
    change(&alice, "new@example.com").await;
    let code = mails_to(&service, &smtp, "new@example.com").await[0].code();
    assert_eq!(verify(&service, &code).await.status, 200);
    invalid(&reset(&service, &former, "a new pass phrase").await);
}

#[tokio::test]
async fn only_the_latest_new_address_counts_and_the_current_one_withdraws_it() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    change(&alice, "first@example.com").await;
    let first = mails_to(&service, &smtp, "first@example.com").await[0].code();
    change(&alice, "second@example.com").await;
    let second = mails_to(&service, &smtp, "second@example.com").await[0].code();
    invalid(&verify(&service, &first).await);

    let withdrawn = change(&alice, "ALICE@example.com").await;

    assert_eq!(
        withdrawn.json,
        json!({"username": "alice", "email": "ALICE@example.com"})
    );
    invalid(&verify(&service, &second).await);
    assert_eq!(
        addresses(&alice).await,
        json!(["ALICE@example.com", false, null])
    );
    change(&alice, "first@example.com").await;
    for withdrawn in [first, second] {
        invalid(&verify(&service, &withdrawn).await);
    }
}

#[tokio::test]
async fn the_same_new_address_again_is_no_news_to_the_current_one() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    for spelling in ["new@example.com", "New@Example.com"] {
        let asked = change(&alice, spelling).await;
        assert_eq!(asked.json["pending_email"], spelling);
        until_sent(&service).await;
    }
    let told = mails_to(&service, &smtp, "alice@example.com").await;
    assert_eq!(told.len(), 1);
    let code = mails_to(&service, &smtp, "new@example.com").await[0].code();
    assert_eq!(verify(&service, &code).await.status, 200);
    assert_eq!(addresses(&alice).await[0], "New@Example.com");
}

/// Otherwise, whoever knows a stolen password could still take the account over after its owner has replaced it.
#[tokio::test]
async fn a_new_password_withdraws_a_new_address() {
    let (service, smtp) = service().await;
    let [alice, bob] = early_users(&service, ["alice", "bob"]).await;
    change(&alice, "thief@example.com").await;
    change(&bob, "other@example.com").await;
    let codes = [
        mails_to(&service, &smtp, "thief@example.com").await[0].code(),
        mails_to(&service, &smtp, "other@example.com").await[0].code(),
    ];
    forget(&service, "alice").await;
    let of_alice = mails_to(&service, &smtp, "alice@example.com").await;
    let new = "a new pass phrase";
    let code = of_alice.last().expect("a code").code();
    assert_eq!(reset(&service, &code, new).await.status, 200);
    let body = json!({"password": "password of bob", "new_password": new});
    let changed = Answer::of(bob.request(Method::PUT, "/password").json(&body)).await;
    assert_eq!(changed.status, 204);
    for code in codes {
        invalid(&verify(&service, &code).await);
    }
    assert_eq!(login(&service, "alice", new).await, 201);
}

#[tokio::test]
async fn an_address_of_another_account_is_told_to_the_owner_of_the_mailbox_alone() {
    let (service, smtp) = service().await;
    let [alice, bob] = early_users(&service, ["alice", "bob"]).await;
    let free = change(&alice, "nobody@example.com").await;
    let taken = change(&alice, "BOB@example.com").await;
    assert_eq!(
        (taken.status, taken.text),
        (200, free.text.replace("nobody@", "BOB@"))
    );

    let code = mails_to(&service, &smtp, "BOB@example.com").await[0].code();
    let refused = verify(&service, &code).await;

    let document = problem(&refused, 409);
    assert_eq!(document["type"], "urn:problem-type:herolo:taken");
    assert_eq!(refused.pointers(), ["#/code"]);
    assert_eq!(addresses(&alice).await[0], "alice@example.com");
    assert_eq!(addresses(&bob).await[0], "bob@example.com");
}

#[tokio::test]
async fn an_account_can_have_mails_sent_to_eight_mailboxes_of_others_in_an_hour() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    for number in 1..=10 {
        let changed = change(&alice, &format!("stranger{number}@example.com")).await;
        assert_eq!(changed.status, 200);
        until_sent(&service).await;
    }

    let mails = smtp.mails();
    let to_strangers = mails
        .iter()
        .filter(|mail| mail.to[0].starts_with("stranger"));
    assert_eq!(to_strangers.count(), 8);
}

#[tokio::test]
async fn a_verified_address_is_returned_with_the_one_that_is_to_replace_it() {
    let (service, smtp) = service().await;
    let alice = service.user("alice").await;
    let code = smtp.wait_for(1).await[0].code();
    assert_eq!(change(&alice, "new@example.com").await.status, 200);

    let done = verify(&service, &code).await;

    let expected = json!({"username": "alice", "email": "alice@example.com", "pending_email": "new@example.com"});
    assert_eq!((done.status, done.json), (200, expected));
}

#[tokio::test]
async fn others_cannot_use_up_the_mails_of_a_mailbox_to_one_account() {
    let (service, smtp) = service().await;
    let [alice, bob] = early_users(&service, ["alice", "bob"]).await;
    change(&bob, "alice@example.com").await;
    let of_bob = mails_to(&service, &smtp, "alice@example.com").await;
    assert!(of_bob[0].plain.contains("your account bob"));

    assert_eq!(ask_again(&alice).await.status, 202);

    let mails = mails_to(&service, &smtp, "alice@example.com").await;
    assert!(mails[1].plain.contains("your account alice"));
    assert_eq!(verify(&service, &mails[1].code()).await.status, 200);
    assert_eq!(addresses(&alice).await[1], true);
}

#[tokio::test]
async fn a_version_that_does_not_know_of_it_ends_the_verification_with_a_change() {
    let (service, smtp) = service().await;
    let alice = service.user("alice").await;
    let code = smtp.wait_for(1).await[0].code();
    assert_eq!(verify(&service, &code).await.status, 200);
    let change = "UPDATE users SET email = 'a@example.org', normalized_email = 'a@example.org'";
    assert_eq!(service.database.execute(change).await, 1);
    assert_eq!(
        addresses(&alice).await,
        json!(["a@example.org", false, null])
    );
}

#[tokio::test]
async fn nothing_of_it_stays_of_a_deleted_account() {
    let (service, smtp) = service().await;
    let alice = early_user(&service, "alice").await;
    change(&alice, "new@example.com").await;
    let code = mails_to(&service, &smtp, "new@example.com").await[0].code();
    let deletion = json!({"password": "password of alice"});
    assert_eq!(alice.post("/deletion", &deletion).await.status, 204);
    invalid(&verify(&service, &code).await);
    let rows = "UPDATE account_emails SET user_id = user_id + 1";
    assert_eq!(service.database.execute(rows).await, 0);
}

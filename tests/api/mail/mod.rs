//! Mails, as they arrive at a real SMTP server.

mod delivery;
mod off;
mod resets;
mod unread_notices;
mod verification;

use serde_json::json;

use crate::support::{Answer, Service, SmtpServer, User, until};

/// A service that sends its mails to a server.
async fn service() -> (Service, SmtpServer) {
    let smtp = SmtpServer::start();
    let service = Service::start_with(|config| smtp.serve(config)).await;
    (service, smtp)
}

/// Accounts from the time before the service sent mails, so that none has got any.
async fn early_users<const N: usize>(service: &Service, names: [&str; N]) -> [User; N] {
    let replica = service.replica(|_| ()).await;
    until("the replica is ready", async || {
        replica.get_as("", "/readyz").await.status == 200
    })
    .await;
    let mut users = Vec::with_capacity(N);
    for name in names {
        let user = User::sign_up(&replica.url, name).await;
        users.push(User::new(&service.url, name, user.token));
    }
    users
        .try_into()
        .unwrap_or_else(|_| panic!("one user for each name"))
}

/// One of them.
async fn early_user(service: &Service, name: &str) -> User {
    let [user] = early_users(service, [name]).await;
    user
}

/// Waits until no mail is to be sent.
async fn until_sent(service: &Service) {
    until("the outbox is empty", async || unsent(service).await == 0).await;
}

/// The number of mails that are to be sent.
async fn unsent(service: &Service) -> i64 {
    service.database.count("mails WHERE sent_at IS NULL").await
}

/// Waits until a mail was offered to a server that is busy, however often.
async fn until_offered(smtp: &SmtpServer) {
    until("the mail is offered", async || smtp.offered() > 0).await;
}

/// Waits until such a mail is postponed, and postpones it by an hour more.
async fn delay(service: &Service) {
    let postpone = "UPDATE mails SET due_at = due_at + INTERVAL 1 HOUR \
                    WHERE due_at < UTC_TIMESTAMP(3) + INTERVAL 1 MINUTE";
    until("it is postponed", async || {
        service.database.execute(postpone).await == 1
    })
    .await;
}

/// Requests a new password for an account.
async fn forget(service: &Service, account: &str) -> Answer {
    let answer = service
        .post("/password-resets", &json!({"account": account}))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer
}

/// Sets a new password with a code.
async fn reset(service: &Service, code: &str, password: &str) -> Answer {
    let body = json!({"code": code, "new_password": password});
    service.post("/password-resets/completion", &body).await
}

/// The status of a login.
async fn login(service: &Service, name: &str, password: &str) -> u16 {
    let path = format!("/users/{name}/token");
    service
        .post(&path, &json!({"password": password}))
        .await
        .status
}

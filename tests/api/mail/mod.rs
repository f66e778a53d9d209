//! Mails, as they arrive at a real SMTP server.

mod delivery;
mod off;
mod resets;

use serde_json::json;

use crate::support::{Answer, Service, SmtpServer};

/// A service that sends its mails to a server.
async fn service() -> (Service, SmtpServer) {
    let smtp = SmtpServer::start();
    let service = Service::start_with(|config| smtp.serve(config)).await;
    (service, smtp)
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

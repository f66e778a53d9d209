//! The operations on addresses.

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Route, State, post, put, routes};
use utoipa::OpenApi;

use crate::auth::{Authenticator, Caller};
use crate::db::{Database, budgeted};
use crate::http::body::Body;
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::limits::{Logins, RateLimited};
use crate::mail::{Outbox, SendsMail};
use crate::users::emails::requests::{EmailChange, EmailVerification};
use crate::users::emails::service::Emails;
use crate::users::responses::User;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(change, request_verification, complete_verification))]
pub(crate) struct Docs;

/// Attaches the routes of addresses.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("emails", |rocket| async {
        let emails = Emails::new(managed::<Database>(&rocket), managed::<Outbox>(&rocket));
        rocket.manage(emails).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![change, request_verification, complete_verification]
}

/// Change your e-mail address.
///
/// If the service sends mails (see `getServiceInfo`), the account keeps its address until the code that is sent to the
/// new one is used (`completeEmailVerification`); until then, the new one is its `pending_email`. The former address is
/// told of the request and of the change. The response does not tell whether another account has the new address. A
/// request with the address that the account has withdraws the change.
///
/// If the service sends no mails, the address is changed at once, and one that another account has is a 409.
#[utoipa::path(tag = "users", operation_id = "changeEmail", security(("token" = [])), params(docs::Owner),
    request_body = EmailChange, responses(
    (status = 200, description = "The account.", body = User),
    docs::ReauthProblems,
    docs::Limited,
    docs::TakenOrInvalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[put("/users/<_>/email", data = "<body>")]
async fn change(
    caller: Caller,
    limit: RateLimited<'_, Logins>,
    body: Body<EmailChange>,
    authenticator: &State<Authenticator>,
    emails: &State<Emails>,
) -> Result<Json<User>, Problem> {
    let change = body.0;
    let owner = authenticator
        .reauthenticate(&caller, change.password)
        .await?;
    limit.refund();
    emails.change(&owner, change.email).await.map(Json)
}

/// Have a code sent to your e-mail address, to verify it.
///
/// The code is sent to the `pending_email` if there is one, else to the address of the account, unless it is verified.
/// It can be used once within 24 hours. No further code is sent to that address for ten minutes as long as the code can
/// be used, and at most eight in an hour for an account. Signing up and changing the address have a code sent as well.
/// Some services send no mails; see `getServiceInfo`.
#[utoipa::path(tag = "users", operation_id = "requestEmailVerification", security(("token" = [])), params(docs::Owner),
    responses(
    (status = 202, description = "The request is accepted."),
    docs::VerificationProblems,
    docs::Limited,
    docs::FormProblems,
    docs::Unavailable,
))]
#[post("/users/<_>/email-verifications")]
async fn request_verification(
    caller: Caller,
    _limit: RateLimited<'_, Logins>,
    _on: SendsMail,
    emails: &State<Emails>,
) -> Result<Status, Problem> {
    emails.request_verification(&caller).await?;
    Ok(Status::Accepted)
}

/// Verify an e-mail address with the code from the mail; a `pending_email` becomes the address of its account.
///
/// It takes no access token: the code may be used in another browser. A wrong, a used and an expired code have the same
/// response. An address that has become that of another account in the meantime is a 409.
#[utoipa::path(tag = "users", operation_id = "completeEmailVerification", request_body = EmailVerification, responses(
    (status = 200, description = "The address is verified.", body = User),
    docs::Limited,
    docs::CodeProblems,
    docs::TakenOrInvalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/email-verifications/completion", data = "<body>")]
async fn complete_verification(
    _limit: RateLimited<'_, Logins>,
    _on: SendsMail,
    body: Body<EmailVerification>,
    emails: &State<Emails>,
) -> Result<Json<User>, Problem> {
    emails.complete_verification(&body.0.code).await.map(Json)
}

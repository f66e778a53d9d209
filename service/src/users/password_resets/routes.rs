//! The operations on forgotten passwords.

use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::auth::PasswordHasher;
use crate::db::{Database, budgeted};
use crate::http::body::Body;
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::limits::{Logins, RateLimited};
use crate::mail::{Outbox, SendsResets};
use crate::model::user::Username;
use crate::users::password_resets::requests::{ForgottenPassword, PasswordReset};
use crate::users::password_resets::service::PasswordResets;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(request, complete))]
pub(crate) struct Docs;

/// Attaches the routes of forgotten passwords.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("password resets", |rocket| async {
        let resets = PasswordResets::new(
            managed::<Database>(&rocket),
            managed::<Arc<PasswordHasher>>(&rocket),
            managed::<Outbox>(&rocket),
        );
        rocket.manage(resets).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![request, complete]
}

/// The account whose password was reset.
#[derive(Serialize, ToSchema)]
struct ResetAccount {
    #[schema(inline)]
    username: Username,
}

/// Request a new password, if you forgot yours.
///
/// If there is such an account, a code is sent to its e-mail address, with which a new password can be set once within
/// 30 minutes. The response is the same if there is none. No further code is sent for ten minutes as long as the code
/// can be used, and at most eight in an hour. Some services send no mails; see `getServiceInfo`.
#[utoipa::path(tag = "users", operation_id = "requestPasswordReset", request_body = ForgottenPassword, responses(
    (status = 202, description = "The request is accepted."),
    docs::Limited,
    docs::MailOff,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/password-resets", data = "<body>")]
async fn request(
    _limit: RateLimited<'_, Logins>,
    _on: SendsResets,
    body: Body<ForgottenPassword>,
    resets: &State<PasswordResets>,
) -> Result<Status, Problem> {
    resets.request(&body.0.account.0).await?;
    Ok(Status::Accepted)
}

/// Set a new password with the code from the mail; all access tokens of the account are revoked.
///
/// A wrong, a used and an expired code have the same response. The owner is told by mail.
#[utoipa::path(tag = "users", operation_id = "completePasswordReset", request_body = PasswordReset, responses(
    (status = 200, description = "The password is changed.", body = ResetAccount),
    docs::Limited,
    docs::CodeProblems,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/password-resets/completion", data = "<body>")]
async fn complete(
    _limit: RateLimited<'_, Logins>,
    _on: SendsResets,
    body: Body<PasswordReset>,
    resets: &State<PasswordResets>,
) -> Result<Json<ResetAccount>, Problem> {
    let username = resets.complete(body.0).await?;
    Ok(Json(ResetAccount { username }))
}

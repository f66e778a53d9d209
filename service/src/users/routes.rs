//! The operations on accounts and access tokens.

use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::response::status::{Created, NoContent};
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, post, put, routes};
use utoipa::OpenApi;

use crate::auth::{Authenticator, Caller, PasswordHasher, TokenKeys};
use crate::config::{Config, ConfigError};
use crate::db::{Database, budgeted};
use crate::http::body::Body;
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::limits::{Logins, RateLimited, SignUps};
use crate::mail::Outbox;
use crate::model::account::Account;
use crate::model::reserved::ReservedUsernames;
use crate::model::user::Username;
use crate::users::cleanup;
use crate::users::requests::{NewUser, Password, PasswordChange};
use crate::users::responses::{AccessToken, IssuedToken, User};
use crate::users::service::Users;
use crate::users::sign_ups;
use crate::users::sign_ups::{AcceptsSignUps, ServiceInfo};
use crate::users::unread_notices::UnreadNotices;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    create,
    sign_ups::service_info,
    show,
    issue_token,
    revoke_tokens,
    change_password,
    delete_account
))]
pub(crate) struct Docs;

/// Attaches the routes of accounts and their cleanup.
///
/// # Errors
/// An invalid setting.
pub(crate) fn stage(config: &Config) -> Result<AdHoc, ConfigError> {
    let reserved = ReservedUsernames::with(config.reserved_usernames()?);
    let info = ServiceInfo::of(config)?;
    Ok(AdHoc::on_ignite("users", move |rocket| async move {
        managed::<Jobs>(&rocket).add(cleanup::revocations);
        let users = Users::new(
            managed::<Database>(&rocket),
            managed::<Arc<PasswordHasher>>(&rocket),
            managed::<Outbox>(&rocket),
            reserved,
        );
        rocket
            .manage(info)
            .manage(users)
            .mount("/", budgeted(routes()))
    }))
}

fn routes() -> Vec<Route> {
    routes![
        create,
        sign_ups::service_info,
        show,
        issue_token,
        revoke_tokens,
        change_password,
        delete_account
    ]
}

/// Create an account.
///
/// A username that is reserved for the operator of the service, such as `admin`, is a 422. Some services accept
/// sign-ups with an `invitation` only, or none. A wrong, a used and an expired code have the same response.
#[utoipa::path(tag = "users", operation_id = "createUser", request_body = NewUser, responses(
    (status = 201, description = "The account.", body = User, headers(
        ("Location" = String, description = "Its path."))),
    docs::Limited,
    docs::SignUpRefused,
    docs::TakenOrInvalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/users", data = "<body>")]
async fn create(
    _limit: RateLimited<'_, SignUps>,
    accepts: AcceptsSignUps,
    body: Body<NewUser>,
    users: &State<Users>,
) -> Result<Created<Json<User>>, Problem> {
    accepts.check_invitation(body.0.invitation.is_some())?;
    let user = users.create(body.0).await?;
    Ok(Created::new(format!("/users/{}", user.username)).body(Json(user)))
}

/// Get your account and the number of unread messages.
#[utoipa::path(tag = "users", operation_id = "getAccount", security(("token" = [])), params(docs::Owner), responses(
    (status = 200, description = "The account.", body = Account),
    docs::AuthProblems,
    docs::Unavailable,
))]
#[get("/users/<_>")]
async fn show(caller: Caller, users: &State<Users>) -> Result<Json<Account>, Problem> {
    users.account(&caller).await.map(Json)
}

/// Get an access token.
#[utoipa::path(tag = "users", operation_id = "issueToken",
    params(("username" = inline(Username), Path, description = "The user to issue a token for; case-insensitive.",
        example = "alice")),
    request_body = Password, responses(
    (status = 201, description = "The token.", body = AccessToken),
    docs::Limited,
    docs::LoginProblems,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/users/<username>/token", data = "<body>")]
async fn issue_token(
    username: &str,
    limit: RateLimited<'_, Logins>,
    body: Body<Password>,
    authenticator: &State<Authenticator>,
    tokens: &State<TokenKeys>,
    notices: &State<UnreadNotices>,
) -> Result<IssuedToken, Problem> {
    let claims = authenticator.log_in(username, body.0.password).await?;
    limit.refund();
    notices.record_return(claims.user).await;
    let token = tokens.issue(claims).map_err(Problem::internal)?;
    Ok(IssuedToken::new(token, tokens.lifetime_seconds()))
}

/// Revoke all your access tokens, including the one that is sent.
///
/// For use when a token may have been stolen. It takes no password, because a thief gains nothing by revoking it.
#[utoipa::path(tag = "users", operation_id = "revokeTokens", security(("token" = [])), params(docs::Owner), responses(
    (status = 204, description = "All tokens are revoked."),
    docs::AuthProblems,
    docs::Unavailable,
))]
#[delete("/users/<_>/tokens")]
async fn revoke_tokens(caller: Caller, users: &State<Users>) -> Result<NoContent, Problem> {
    users.revoke_tokens(&caller).await.map(|()| NoContent)
}

/// Change your password; all your access tokens are revoked.
#[utoipa::path(tag = "users", operation_id = "changePassword", security(("token" = [])), params(docs::Owner),
    request_body = PasswordChange, responses(
    (status = 204, description = "The password is changed; access tokens are issued for the new one only."),
    docs::ReauthProblems,
    docs::Limited,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[put("/users/<_>/password", data = "<body>")]
async fn change_password(
    caller: Caller,
    limit: RateLimited<'_, Logins>,
    body: Body<PasswordChange>,
    authenticator: &State<Authenticator>,
    users: &State<Users>,
) -> Result<NoContent, Problem> {
    let change = body.0.for_user(caller.username())?;
    let owner = authenticator
        .reauthenticate(&caller, change.password)
        .await?;
    limit.refund();
    users.change_password(&owner, change.new_password).await?;
    Ok(NoContent)
}

/// Delete your account and all messages that you sent, for all their receivers.
///
/// It takes the password and is therefore a POST: proxies and clients may drop the body of a DELETE.
#[utoipa::path(tag = "users", operation_id = "deleteAccount", security(("token" = [])), params(docs::Owner),
    request_body = Password, responses(
    (status = 204, description = "The account is deleted; its messages follow within moments."),
    docs::ReauthProblems,
    docs::Limited,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[post("/users/<_>/deletion", data = "<body>")]
async fn delete_account(
    caller: Caller,
    limit: RateLimited<'_, Logins>,
    body: Body<Password>,
    authenticator: &State<Authenticator>,
    users: &State<Users>,
    jobs: &State<Jobs>,
) -> Result<NoContent, Problem> {
    let owner = authenticator
        .reauthenticate(&caller, body.0.password)
        .await?;
    limit.refund();
    users.delete(&owner).await?;
    jobs.trigger();
    Ok(NoContent)
}

//! Signing up and getting a token.

use chrono::{DateTime, Utc};
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::response::status::{Created, NoContent};
use rocket::response::{Responder, status};
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, post, put, routes};
use serde::Serialize;
use utoipa::OpenApi;

use crate::auth::store::Credentials;
use crate::auth::{Caller, Claims, Confirmed, Passwords, TokenKeys, Verdict, store as auth_store};
use crate::db::{Database, Error};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::limits::{Logins, Permit, SignUps};
use crate::model::email::Email;
use crate::model::invalid::{FieldError, Invalid};
use crate::model::password::{ClaimedPassword, NewPassword};
use crate::model::user::Username;
use crate::users::cleanup;
use crate::users::store;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    create,
    show,
    issue_token,
    revoke_tokens,
    change_password,
    change_email,
    delete_account
))]
pub(crate) struct Docs;

/// Attaches the routes of accounts and their cleanup.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("users", |rocket| async {
        managed::<Jobs>(&rocket).add(cleanup::revocations);
        rocket.mount("/", routes())
    })
}

fn routes() -> Vec<Route> {
    routes![
        create,
        show,
        issue_token,
        revoke_tokens,
        change_password,
        change_email,
        delete_account
    ]
}

/// Somebody who wants an account.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// A letter or digit, then letters, digits, `.`, `_` and `-`. Case does not count: names are kept in lower case.
    #[schema(value_type = String, min_length = 3, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", example = "alice")]
    username: Username,
    /// Kept as it is typed. Belongs to one account only, however its mailbox is written: whatever its case, with its
    /// domain in letters or in A-labels (`xn--`), with or without needless quotes.
    #[schema(value_type = String, format = "idn-email", max_length = 254, example = "alice@example.com")]
    email: Email,
    /// Unicode's composed and decomposed letters are one, as are its blanks (RFC 8265 section 4.2); its length is that
    /// of the composed form. Refused where it is guessed first: of fewer than 4 different characters, one of the
    /// commonest, what programs write in a password's place, and hardly more than the username.
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "correct horse battery")]
    password: NewPassword,
}

impl FromFields for NewUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let username = fields.text("username", Username::parse);
        let email = fields.text("email", Email::parse);
        let password = fields.text("password", |password| {
            let password = NewPassword::parse(password)?;
            // One that is not valid is refused anyway.
            match &username {
                Some(username) => password.of(username),
                None => Ok(password),
            }
        });
        Some(Self {
            username: username?,
            email: email?,
            password: password?,
        })
    }
}

/// An account as its owner sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct User {
    #[schema(value_type = String, example = "alice")]
    username: Username,
    #[schema(value_type = String, example = "alice@example.com")]
    email: Email,
}

/// Create an account.
#[utoipa::path(tag = "users", operation_id = "createUser", request_body = NewUser, responses(
    (status = 201, description = "The account.", body = User, headers(("Location" = String, description = "Its path."))),
    crate::http::docs::Limited,
    crate::http::docs::TakenOrInvalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[post("/users", data = "<new>")]
pub(crate) async fn create(
    _permit: Permit<'_, SignUps>,
    new: Body<NewUser>,
    passwords: &State<Passwords>,
    database: &State<Database>,
) -> Result<Created<Json<User>>, Problem> {
    let NewUser {
        username,
        email,
        password,
    } = new.0;
    let hash = passwords.queue_up()?.hash(password.into_secret()).await?;
    match store::insert(database, &username, &email, &hash).await {
        Err(Error::Duplicate) => Err(conflict(store::taken(database, &username, &email).await?)),
        outcome => {
            outcome?;
            Ok(Created::new(format!("/users/{username}")).body(Json(User { username, email })))
        }
    }
}

fn conflict(taken: store::Taken) -> Problem {
    let is_taken = |name| FieldError::field(name, "is taken");
    let errors = [
        taken.username.then(|| is_taken("username")),
        taken.email.then(|| is_taken("email")),
    ];
    Problem::Conflict(errors.into_iter().flatten().collect())
}

/// An account with what its owner may want to know at a glance.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Account {
    #[schema(value_type = String, example = "alice")]
    username: Username,
    #[schema(value_type = String, example = "alice@example.com")]
    email: Email,
    /// RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "crate::model::moment::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    created_at: DateTime<Utc>,
    /// How many received messages are unread. Counting ends at 1000, which stands for 1000 or more.
    #[schema(maximum = 1000, example = 2)]
    unread: usize,
}

/// Look at your account and how much is unread.
#[utoipa::path(tag = "users", operation_id = "getAccount", security(("token" = [])), params(crate::http::docs::Owner), responses(
    (status = 200, description = "The account.", body = Account),
    crate::http::docs::NotTheCaller,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>")]
pub(crate) async fn show(
    caller: Caller,
    database: &State<Database>,
) -> Result<Json<Account>, Problem> {
    account(database, &caller).await.map(Json)
}

/// The caller's account.
pub(crate) async fn account(database: &Database, caller: &Caller) -> Result<Account, Problem> {
    let account = store::account(database, caller).await?;
    let store::Account {
        email,
        created_at,
        unread,
        // Deleted a moment ago, if there is none.
    } = account.ok_or(Problem::InvalidToken)?;
    Ok(Account {
        username: caller.username().clone(),
        email,
        created_at,
        unread,
    })
}

/// The password of the account in the path.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    /// Compared in its composed form, whatever keyboard it comes from.
    #[schema(value_type = String, max_length = 128, example = "correct horse battery")]
    password: ClaimedPassword,
}

impl FromFields for Password {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            password: fields.text("password", ClaimedPassword::parse)?,
        })
    }
}

/// An access token (RFC 6749 section 5.1).
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AccessToken {
    /// To be sent as `Authorization: Bearer <access_token>`. Its content is no part of the interface.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    token_type: &'static str,
    /// Seconds from now.
    #[schema(minimum = 1, example = 86400)]
    expires_in: u64,
}

/// 201 with a token, which no cache may keep.
#[derive(Responder)]
pub(crate) struct Issued {
    token: status::Custom<Json<AccessToken>>,
    cache: rocket::http::Header<'static>,
}

/// Get an access token.
#[utoipa::path(tag = "users", operation_id = "issueToken", 
    params(("username" = String, Path, description = "Whose token; case does not count.", min_length = 3, max_length = 64,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", example = "alice")),
    request_body = Password, responses(
    (status = 201, description = "The token.", body = AccessToken),
    crate::http::docs::Limited,
    crate::http::docs::WrongCredentials,
    crate::http::docs::Invalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[post("/users/<username>/token", data = "<claim>")]
pub(crate) async fn issue_token(
    username: &str,
    permit: Permit<'_, Logins>,
    claim: Body<Password>,
    passwords: &State<Passwords>,
    tokens: &State<TokenKeys>,
    database: &State<Database>,
) -> Result<Issued, Problem> {
    let password = claim.0.password;
    let user = log_in(username, password, passwords, database).await?;
    permit.forgive();
    let access_token = tokens
        .issue(Claims {
            user: user.id,
            epoch: user.token_epoch,
        })
        .map_err(Problem::internal)?;
    let token = AccessToken {
        access_token,
        token_type: "Bearer",
        expires_in: tokens.lifetime_seconds(),
    };
    let cache = rocket::http::Header::new("Cache-Control", "no-store");
    Ok(Issued {
        token: status::Custom(Status::Created, Json(token)),
        cache,
    })
}

/// Who logs in, if name and password fit. A name that nobody has takes the same time and gets the same answer as a
/// wrong password.
async fn log_in(
    username: &str,
    password: ClaimedPassword,
    passwords: &Passwords,
    database: &Database,
) -> Result<Credentials, Problem> {
    let place = passwords.queue_up()?;
    let user = match Username::parse(username.to_owned()) {
        Ok(username) => auth_store::credentials(database, &username).await?,
        Err(_) => None,
    };
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    match (place.verify(password, hash).await?, user) {
        (Verdict::Right { rehashed }, Some(user)) => {
            if let Some(new) = rehashed {
                renew_hash(database, &user, &new).await;
            }
            Ok(user)
        }
        _ => Err(Problem::WrongCredentials),
    }
}

/// The password was right, so the login succeeds even if the new hash cannot be stored; the next login tries again.
async fn renew_hash(database: &Database, user: &Credentials, new: &str) {
    if let Err(fault) = auth_store::rehash(database, user.id, &user.password_hash, new).await {
        tracing::warn!("the hash of a password could not be renewed: {fault}");
    }
}

/// Revoke all your access tokens, the one that is sent included.
///
/// For whoever fears that one was stolen: it takes no password, because a thief gains nothing by it.
#[utoipa::path(tag = "users", operation_id = "revokeTokens", security(("token" = [])), params(crate::http::docs::Owner), responses(
    (status = 204, description = "No token is valid any more."),
    crate::http::docs::NotTheCaller,
    crate::http::docs::Unavailable,
))]
#[delete("/users/<_>/tokens")]
pub(crate) async fn revoke_tokens(
    caller: Caller,
    database: &State<Database>,
) -> Result<NoContent, Problem> {
    store::revoke_tokens(database, &caller).await?;
    Ok(NoContent)
}

/// A new password beside the old one.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The one until now.
    #[schema(value_type = String, max_length = 128, example = "correct horse battery")]
    password: ClaimedPassword,
    /// The one from now on, by the rules of signing up.
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "staple of the horse")]
    new_password: NewPassword,
}

impl FromFields for PasswordChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let password = fields.text("password", ClaimedPassword::parse);
        let new_password = fields.text("new_password", NewPassword::parse);
        Some(Self {
            password: password?,
            new_password: new_password?,
        })
    }
}

/// Change your password; all your access tokens are revoked.
#[utoipa::path(tag = "users", operation_id = "changePassword", security(("token" = [])), params(crate::http::docs::Owner), request_body = PasswordChange,
    responses(
    (status = 204, description = "It is changed; the new one buys new tokens."),
    crate::http::docs::NotConfirmed,
    crate::http::docs::Limited,
    crate::http::docs::Invalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[put("/users/<_>/password", data = "<change>")]
pub(crate) async fn change_password(
    caller: Caller,
    permit: Permit<'_, Logins>,
    change: Body<PasswordChange>,
    passwords: &State<Passwords>,
    database: &State<Database>,
) -> Result<NoContent, Problem> {
    let PasswordChange {
        password,
        new_password,
    } = change.0;
    let new_password = new_password
        .of(caller.username())
        .map_err(|Invalid(detail)| {
            Problem::Invalid(vec![FieldError::field("new_password", detail)])
        })?;
    let owner = Confirmed::by(password, &caller, passwords, database).await?;
    permit.forgive();
    let hash = passwords
        .queue_up()?
        .hash(new_password.into_secret())
        .await?;
    let is_changed = store::change_password(database, &owner, &hash).await?;
    is_changed.then_some(NoContent).ok_or(Problem::InvalidToken)
}

/// A new e-mail address, and the password.
#[derive(utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailChange {
    /// Kept as it is typed. Belongs to one account only, however its mailbox is written: whatever its case, with its
    /// domain in letters or in A-labels (`xn--`), with or without needless quotes.
    #[schema(value_type = String, format = "idn-email", max_length = 254, example = "alice@example.org")]
    email: Email,
    /// Compared in its composed form, whatever keyboard it comes from.
    #[schema(value_type = String, max_length = 128, example = "correct horse battery")]
    password: ClaimedPassword,
}

impl FromFields for EmailChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.text("email", Email::parse);
        let password = fields.text("password", ClaimedPassword::parse);
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}

/// Change your e-mail address.
#[utoipa::path(tag = "users", operation_id = "changeEmail", security(("token" = [])), params(crate::http::docs::Owner), request_body = EmailChange,
    responses(
    (status = 200, description = "The account.", body = User),
    crate::http::docs::NotConfirmed,
    crate::http::docs::Limited,
    crate::http::docs::TakenOrInvalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[put("/users/<_>/email", data = "<change>")]
pub(crate) async fn change_email(
    caller: Caller,
    permit: Permit<'_, Logins>,
    change: Body<EmailChange>,
    passwords: &State<Passwords>,
    database: &State<Database>,
) -> Result<Json<User>, Problem> {
    let EmailChange { email, password } = change.0;
    let owner = Confirmed::by(password, &caller, passwords, database).await?;
    permit.forgive();
    match store::change_email(database, &owner, &email).await {
        Err(Error::Duplicate) => Err(conflict(store::Taken {
            username: false,
            email: true,
        })),
        Ok(false) => Err(Problem::InvalidToken),
        outcome => {
            outcome?;
            let username = caller.username().clone();
            Ok(Json(User { username, email }))
        }
    }
}

/// Delete your account and all messages that you sent, for everybody.
///
/// It takes the password, so it is a POST: a DELETE with a body is not carried by everything between you and here.
#[utoipa::path(tag = "users", operation_id = "deleteAccount", security(("token" = [])), params(crate::http::docs::Owner), request_body = Password,
    responses(
    (status = 204, description = "It is gone; its messages follow within moments."),
    crate::http::docs::NotConfirmed,
    crate::http::docs::Limited,
    crate::http::docs::Invalid,
    crate::http::docs::BodyProblems,
    crate::http::docs::Unavailable,
))]
#[post("/users/<_>/deletion", data = "<claim>")]
pub(crate) async fn delete_account(
    caller: Caller,
    permit: Permit<'_, Logins>,
    claim: Body<Password>,
    passwords: &State<Passwords>,
    database: &State<Database>,
    jobs: &State<Jobs>,
) -> Result<NoContent, Problem> {
    let password = claim.0.password;
    let owner = Confirmed::by(password, &caller, passwords, database).await?;
    permit.forgive();
    if !store::delete(database, &owner).await? {
        return Err(Problem::InvalidToken);
    }
    jobs.trigger();
    Ok(NoContent)
}

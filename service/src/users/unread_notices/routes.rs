//! The operations on notices of unread messages.

use rocket::fairing::AdHoc;
use rocket::response::status::NoContent;
use rocket::{Route, State, delete, post, put, routes};
use utoipa::{IntoParams, OpenApi};

use crate::auth::Caller;
use crate::db::{Database, budgeted};
use crate::http::body::Body;
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::limits::{Logins, RateLimited};
use crate::mail::{Outbox, SendsMail};
use crate::model::secret_code::SecretCode;
use crate::users::unread_notices::job;
use crate::users::unread_notices::requests::NoticesWanted;
use crate::users::unread_notices::service::UnreadNotices;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(turn_on, turn_off, stop))]
pub(crate) struct Docs;

/// Attaches the routes, and the job that adds the mails if the service sends any.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("unread notices", |rocket| async {
        let outbox = managed::<Outbox>(&rocket);
        if outbox.is_on() {
            managed::<Jobs>(&rocket).add(job::notices);
        }
        let notices = UnreadNotices::new(managed::<Database>(&rocket), outbox);
        rocket.manage(notices).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![turn_on, turn_off, stop]
}

/// The code in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes a parameter")]
struct CodePath {
    /// The code from the mail, in upper or lower case.
    #[param(value_type = String, pattern = "^[0-9A-Za-z]+$", max_length = 64, example = "3k9v0c7m2x8q5r1t6w4z0hjnpd")]
    code: SecretCode,
}

/// Have a mail sent when messages stay unread for a while.
///
/// It is sent to the verified address of the account once a message that arrives from now on is still unread
/// `after_minutes` after its arrival. It has neither senders nor texts. No further one is sent until you return: until
/// you sign in, or mark a message as read or unread. Then later messages cause the next one. Each mail has a link that
/// stops them. The setting is the `unread_notices` of the account; setting the same again has no effect. Some services
/// send no mails; see `getServiceInfo`.
#[utoipa::path(tag = "users", operation_id = "turnOnUnreadNotices", security(("token" = [])), params(docs::Owner),
    request_body = NoticesWanted, responses(
    (status = 204, description = "The mails are on."),
    docs::VerificationProblems,
    docs::Invalid,
    docs::BodyProblems,
    docs::Unavailable,
))]
#[put("/users/<_>/unread-notices", data = "<body>")]
async fn turn_on(
    caller: Caller,
    _on: SendsMail,
    body: Body<NoticesWanted>,
    notices: &State<UnreadNotices>,
) -> Result<NoContent, Problem> {
    notices.turn_on(&caller, body.0.after_minutes).await?;
    Ok(NoContent)
}

/// Stop mails about unread messages. It has no effect if they are off.
#[utoipa::path(tag = "users", operation_id = "turnOffUnreadNotices", security(("token" = [])), params(docs::Owner),
    responses(
    (status = 204, description = "The mails are off."),
    docs::AuthProblems,
    docs::Unavailable,
))]
#[delete("/users/<_>/unread-notices")]
async fn turn_off(caller: Caller, notices: &State<UnreadNotices>) -> Result<NoContent, Problem> {
    notices.turn_off(&caller).await?;
    Ok(NoContent)
}

/// Stop mails about unread messages with the code from such a mail.
///
/// It takes no access token, and can be repeated. A code is valid for 30 days; a wrong and an expired one have the same
/// response. A body is ignored, whatever it is: mail programs send a form for "unsubscribe" (RFC 8058).
#[utoipa::path(tag = "users", operation_id = "stopUnreadNotices", params(CodePath), responses(
    (status = 204, description = "The mails are off."),
    docs::Limited,
    docs::WrongCode,
    docs::Unavailable,
))]
#[post("/unread-notices/<code>/stop")]
async fn stop(
    _limit: RateLimited<'_, Logins>,
    code: &str,
    notices: &State<UnreadNotices>,
) -> Result<NoContent, Problem> {
    notices.stop(&SecretCode::submitted(code)).await?;
    Ok(NoContent)
}

//! The operations on invitations.

use rocket::fairing::AdHoc;
use rocket::response::status::{Created, NoContent};
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, post, routes};
use serde::Serialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::auth::Caller;
use crate::config::Config;
use crate::db::{Database, budgeted};
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::jobs::Jobs;
use crate::model::invitation::{Invitation, InvitationId, NewInvitation};
use crate::users::invitations::cleanup;
use crate::users::invitations::service::Invitations;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(invite, list, withdraw))]
pub(crate) struct Docs;

/// Attaches the routes of invitations and their cleanup.
pub(crate) fn stage(config: &Config) -> AdHoc {
    let quota = config.user_invitations;
    AdHoc::on_ignite("invitations", move |rocket| async move {
        managed::<Jobs>(&rocket).add(cleanup::expired);
        let invitations = Invitations::new(managed::<Database>(&rocket), quota);
        rocket.manage(invitations).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![invite, list, withdraw]
}

/// The open invitations of an account.
#[derive(Serialize, ToSchema)]
struct InvitationList {
    /// The newest first. Invitations that were used or have expired are not listed.
    #[schema(max_items = 100)]
    invitations: Vec<Invitation>,
}

/// The invitation in the path. The response to a malformed id is a 404, as for one that does not exist.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "describes a parameter whose invalid values are a 404, which a schema cannot express"
)]
struct InvitationPath {
    /// The invitation.
    #[param(inline, example = 7)]
    id: InvitationId,
}

/// Invite someone to sign up.
///
/// The response has a code, with which one account can be created within seven days. The code is not shown again. The
/// operator sets how many invitations an account may make in seven days; those that were used count, those that were
/// deleted do not.
#[utoipa::path(tag = "invitations", operation_id = "createInvitation", security(("token" = [])), params(docs::Owner),
    responses(
    (status = 201, description = "The invitation, with its code.", body = NewInvitation, headers(
        ("Location" = String, description = "Its path."))),
    docs::InviteProblems,
    docs::FormProblems,
    docs::InvitationLimit,
    docs::Unavailable,
))]
#[post("/users/<_>/invitations")]
async fn invite(
    caller: Caller,
    invitations: &State<Invitations>,
) -> Result<Created<Json<NewInvitation>>, Problem> {
    let new = invitations.invite(&caller).await?;
    let location = format!("/users/{}/invitations/{}", caller.username(), new.id);
    Ok(Created::new(location).body(Json(new)))
}

/// List your open invitations, without their codes.
#[utoipa::path(tag = "invitations", operation_id = "listInvitations", security(("token" = [])), params(docs::Owner),
    responses(
    (status = 200, description = "The invitations.", body = InvitationList),
    docs::AuthProblems,
    docs::Unavailable,
))]
#[get("/users/<_>/invitations")]
async fn list(
    caller: Caller,
    invitations: &State<Invitations>,
) -> Result<Json<InvitationList>, Problem> {
    let invitations = invitations.list(&caller).await?;
    Ok(Json(InvitationList { invitations }))
}

/// Delete an open invitation, whose code is then refused.
#[utoipa::path(tag = "invitations", operation_id = "deleteInvitation", security(("token" = [])),
    params(docs::Owner, InvitationPath), responses(
    (status = 204, description = "The invitation was deleted."),
    docs::AuthProblems,
    docs::NotFound,
    docs::Unavailable,
))]
#[delete("/users/<_>/invitations/<id>")]
async fn withdraw(
    caller: Caller,
    id: &str,
    invitations: &State<Invitations>,
) -> Result<NoContent, Problem> {
    // A malformed id is treated like one that does not exist.
    let id = InvitationId::parse(id).ok_or(Problem::NotFound)?;
    invitations.withdraw(&caller, id).await?;
    Ok(NoContent)
}

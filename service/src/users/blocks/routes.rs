//! The operations on blocks.

use rocket::fairing::AdHoc;
use rocket::response::status::NoContent;
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, put, routes};
use serde::Serialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::auth::Caller;
use crate::db::{Database, budgeted};
use crate::http::docs;
use crate::http::managed::managed;
use crate::http::problem::Problem;
use crate::limits::{RateLimited, Sends};
use crate::model::block::Block;
use crate::model::invalid::Invalid;
use crate::model::user::Username;
use crate::users::blocks::service::Blocks;

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(block, unblock, list))]
pub(crate) struct Docs;

/// Attaches the routes of blocks.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("blocks", |rocket| async {
        let blocks = Blocks::new(managed::<Database>(&rocket));
        rocket.manage(blocks).mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![block, unblock, list]
}

/// The users that an account blocks.
#[derive(Serialize, ToSchema)]
struct BlockList {
    /// The most recently blocked first.
    #[schema(max_items = 500)]
    blocks: Vec<Block>,
}

/// The blocked user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes parameters")]
struct BlockPath {
    /// The user to block or unblock; case-insensitive.
    #[param(inline, example = "mallory")]
    name: Username,
}

/// Block a user, whose messages then no longer reach you.
///
/// Their messages are accepted as before, so that they cannot tell, but are deleted for you as they arrive. Messages
/// that arrived before stay. Unblocking does not restore what you missed. Blocking a user again has no effect. An
/// account can block 500 others. As the response tells whether a user exists, a request counts as a send.
#[utoipa::path(tag = "blocks", operation_id = "blockUser", security(("token" = [])), params(docs::Owner, BlockPath),
    responses(
    (status = 204, description = "The user is blocked.", headers(
        ("RateLimit" = String,
            description = "The remaining quota of each limit, and the seconds until it is fully restored."),
        ("RateLimit-Policy" = String, description = "The limits, each with its quota and its window in seconds."))),
    docs::AuthProblems,
    docs::BlockProblems,
    docs::FormProblems,
    docs::Limited,
    docs::Unavailable,
))]
#[put("/users/<_>/blocks/<name>")]
async fn block(
    caller: Caller,
    _limit: RateLimited<'_, Sends>,
    name: &str,
    blocks: &State<Blocks>,
) -> Result<NoContent, Problem> {
    blocks.block(&caller, &username(name)?).await?;
    Ok(NoContent)
}

/// Unblock a user, whose new messages then reach you again.
///
/// It has no effect if the user is not blocked or does not exist. The response to a name that no user can have is a
/// 404.
#[utoipa::path(tag = "blocks", operation_id = "unblockUser", security(("token" = [])), params(docs::Owner, BlockPath),
    responses(
    (status = 204, description = "The user is not blocked."),
    docs::AuthProblems,
    docs::NoSuchUser,
    docs::Unavailable,
))]
#[delete("/users/<_>/blocks/<name>")]
async fn unblock(caller: Caller, name: &str, blocks: &State<Blocks>) -> Result<NoContent, Problem> {
    blocks.unblock(&caller, &username(name)?).await?;
    Ok(NoContent)
}

/// List the users that you block.
#[utoipa::path(tag = "blocks", operation_id = "listBlocks", security(("token" = [])), params(docs::Owner), responses(
    (status = 200, description = "The blocks.", body = BlockList),
    docs::AuthProblems,
    docs::Unavailable,
))]
#[get("/users/<_>/blocks")]
async fn list(caller: Caller, blocks: &State<Blocks>) -> Result<Json<BlockList>, Problem> {
    let blocks = blocks.list(&caller).await?;
    Ok(Json(BlockList { blocks }))
}

/// The name in the path; one that no user can have is treated like one that no user has.
fn username(name: &str) -> Result<Username, Problem> {
    Username::parse(name.to_owned()).map_err(|Invalid(_)| Problem::NoSuchUser)
}

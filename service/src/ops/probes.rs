//! The probes: three questions that have different answers while a database is away or a replica drains.

use std::time::Duration;
use utoipa::OpenApi;

use rocket::fairing::AdHoc;
use rocket::serde::json::Json;
use rocket::tokio::time::sleep;
use rocket::{Route, State, get, routes};
use serde::Serialize;

use crate::db::Database;
use crate::http::problem::Problem;
use crate::ops::drain::Drain;

/// How often a service that has not found its database yet looks again.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(livez, readyz, drainz))]
pub(crate) struct Docs;

/// Attaches the probes and what waits for the database.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("probes", |rocket| async {
        rocket.attach(start_up_watch()).mount("/", routes())
    })
}

fn routes() -> Vec<Route> {
    routes![livez, readyz, drainz]
}

/// The answer of a probe.
#[derive(Serialize, serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct Health {
    /// Whether the database was there with the right schema at least once since the process began. A container that
    /// has not got that far is not healthy yet; one that has stays so while the database is away, because
    /// restarting it would help nobody.
    #[schema(example = true)]
    pub(crate) started: bool,
}

/// Is the process alive? Independent of the database.
#[utoipa::path(tag = "probes", operation_id = "checkLiveness", responses((status = 200, description = "It is.", body = Health)))]
#[get("/livez")]
pub(crate) fn livez(database: &State<Database>) -> Json<Health> {
    Json(Health {
        started: database.has_started(),
    })
}

/// Can it serve requests? It can while the database is there with the right schema and the replica does not drain.
#[utoipa::path(tag = "probes", operation_id = "checkReadiness", responses(
    (status = 200, description = "It can.", body = Health),
    crate::http::docs::Unavailable,
))]
#[get("/readyz")]
pub(crate) async fn readyz(
    database: &State<Database>,
    drain: &State<Drain>,
) -> Result<Json<Health>, Problem> {
    drain.check()?;
    database
        .check()
        .await
        .map_err(|why| Problem::DatabaseAway(format!("not ready: {why}")))?;
    Ok(Json(Health { started: true }))
}

/// Should a load balancer send requests? Only a replica that is about to stop says no.
#[utoipa::path(tag = "probes", operation_id = "checkDraining", responses(
    (status = 200, description = "It should.", body = Health),
    crate::http::docs::Unavailable,
))]
#[get("/drainz")]
pub(crate) fn drainz(
    database: &State<Database>,
    drain: &State<Drain>,
) -> Result<Json<Health>, Problem> {
    drain.check()?;
    Ok(Json(Health {
        started: database.has_started(),
    }))
}

/// Looks for the database from the start until it is there, and tells the log what it waits for.
fn start_up_watch() -> AdHoc {
    AdHoc::on_liftoff("start-up watch", |rocket| {
        Box::pin(async move {
            tracing::info!(
                "listening on http://{}:{}",
                rocket.config().address,
                rocket.config().port
            );
            let shutdown = rocket.shutdown();
            let Some(database) = rocket.state::<Database>().cloned() else {
                return;
            };
            rocket::tokio::spawn(async move {
                rocket::tokio::select! {
                    () = watch(&database) => {}
                    () = shutdown => {}
                }
            });
        })
    })
}

async fn watch(database: &Database) {
    wait_for(database).await;
    tracing::info!("the database is there, with the right schema");
    database.close_idle_connections().await;
}

async fn wait_for(database: &Database) {
    let mut last = String::new();
    while let Err(why) = database.check().await {
        let why = why.to_string();
        if why != last {
            tracing::warn!("waiting for the database: {why}");
            last = why;
        }
        sleep(START_UP_INTERVAL).await;
    }
}

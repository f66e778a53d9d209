//! The probes: liveness, readiness and draining, which differ while the database is unavailable or the replica drains.

use std::time::Duration;
use utoipa::OpenApi;

use rocket::fairing::AdHoc;
use rocket::serde::json::Json;
use rocket::tokio::time::sleep;
use rocket::{Route, State, get, routes};
use serde::Serialize;

use crate::db::{Database, budgeted};
use crate::http::problem::Problem;
use crate::ops::drain::Drain;

/// Interval of the checks for the database until it is first reached.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(livez, readyz, drainz))]
pub(crate) struct Docs;

/// Attaches the probes, and the task that waits for the database.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("probes", |rocket| async {
        rocket
            .attach(start_up_watch())
            .mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![livez, readyz, drainz]
}

/// The response of a probe.
#[derive(Serialize, serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct Health {
    /// Whether the service has reached a database with the right schema since the process started. Until then a
    /// container is not healthy; after that it stays healthy while the database is unavailable, because a restart would
    /// not help.
    #[schema(example = true)]
    pub(crate) started: bool,
}

/// Check that the process is alive. Independent of the database.
#[utoipa::path(tag = "probes", operation_id = "checkLiveness", responses(
    (status = 200, description = "The process is alive.", body = Health),
))]
#[get("/livez")]
pub(crate) fn livez(database: &State<Database>) -> Json<Health> {
    Json(Health {
        started: database.has_started(),
    })
}

/// Check that the replica can serve requests: the database is available with the right schema, and the replica does not
/// drain.
#[utoipa::path(tag = "probes", operation_id = "checkReadiness", responses(
    (status = 200, description = "The replica can serve requests.", body = Health),
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
        .map_err(|why| Problem::DatabaseUnavailable(format!("not ready: {why}")))?;
    Ok(Json(Health { started: true }))
}

/// Check that a load balancer should send requests: the replica does not drain.
#[utoipa::path(tag = "probes", operation_id = "checkDraining", responses(
    (status = 200, description = "The replica does not drain.", body = Health),
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

/// Waits for the database after the start, and logs why it is not ready.
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
    tracing::info!("the database is available, with the right schema");
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

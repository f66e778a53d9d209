//! Prometheus metrics, a request id on every response, and a debug log of requests.
//!
//! The proxy in front of the service writes the access log. The service logs errors with their request id, and the
//! state of the process. `RUST_LOG=herolo=debug` adds a line for each request.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use rocket::fairing::AdHoc;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::ContentType;
use rocket::{Data, Request, Response, Route, State, get, routes};
use utoipa::OpenApi;

use crate::db::Database;
use crate::http::problem::Problem;
use crate::http::request_id::{RequestStart, request_id_header};

/// Buckets of request durations in seconds: from a cached read to the timeout of a database call.
const DURATION_BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];
/// Counts and times requests, and assigns each an id.
#[derive(Clone)]
pub(crate) struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    connections: IntGauge,
    idle_connections: IntGauge,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let labels = ["method", "route", "status"];
        let telemetry = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("herolo_http_requests_total", "Responses to requests."),
                &labels,
            )
            .expect("the metric's name is valid"),
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "herolo_http_request_duration_seconds",
                    "Time from request to response.",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
                &labels[..2],
            )
            .expect("the metric's name is valid"),
            connections: gauge(
                "herolo_database_connections",
                "Open connections to the database.",
            ),
            idle_connections: gauge(
                "herolo_database_idle_connections",
                "Open connections that are not in use.",
            ),
        };
        telemetry.register();
        telemetry
    }

    fn register(&self) {
        let collectors: [Box<dyn prometheus::core::Collector>; 4] = [
            Box::new(self.requests.clone()),
            Box::new(self.durations.clone()),
            Box::new(self.connections.clone()),
            Box::new(self.idle_connections.clone()),
        ];
        for collector in collectors {
            self.registry
                .register(collector)
                .expect("no name is registered twice");
        }
        #[cfg(target_os = "linux")]
        self.registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("no name is registered twice");
    }

    /// Registers counters of other parts of the service.
    pub(crate) fn register_counters(&self, counters: impl IntoIterator<Item = IntCounter>) {
        for counter in counters {
            self.registry
                .register(Box::new(counter))
                .expect("no name is registered twice");
        }
    }

    fn render(&self, database: &Database) -> Result<String, prometheus::Error> {
        let (open, idle) = database.connections();
        for (gauge, count) in [(&self.connections, open), (&self.idle_connections, idle)] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect("the metric's name is valid")
}

#[rocket::async_trait]
impl Fairing for Telemetry {
    fn info(&self) -> Info {
        Info {
            name: "telemetry",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        RequestStart::of(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let arrival = RequestStart::of(request);
        let duration = arrival.at.elapsed();
        let (method, status) = (arrival.method.as_str(), response.status());
        // The pattern, never the path: usernames do not belong in metrics, and each would be a time series.
        let route = request.route().map_or("none", |route| route.uri.path());
        self.requests
            .with_label_values(&[method, route, &status.code.to_string()])
            .inc();
        self.durations
            .with_label_values(&[method, route])
            .observe(duration.as_secs_f64());
        let (request_id, status) = (&arrival.id, status.code);
        let milliseconds = duration.as_secs_f64() * 1000.0;
        tracing::debug!(request_id, method, route, status, milliseconds, "request");
        response.set_header(request_id_header(request));
    }
}

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(metrics))]
pub(crate) struct Docs;

/// Attaches the metrics. Features register counters of their own with the managed [`Telemetry`].
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("metrics", |rocket| async {
        let telemetry = Telemetry::new();
        rocket
            .manage(telemetry.clone())
            .attach(telemetry)
            .mount("/", routes())
    })
}

fn routes() -> Vec<Route> {
    routes![metrics]
}

/// Counters and gauges of this replica, in Prometheus' text format.
#[utoipa::path(tag = "probes", operation_id = "getMetrics", responses(
    (status = 200, description = "The metrics.", content_type = "text/plain", body = String,
        example = "# TYPE herolo_database_connections gauge\nherolo_database_connections 4\n"),
))]
#[get("/metrics")]
pub(crate) fn metrics(
    telemetry: &State<Telemetry>,
    database: &State<Database>,
) -> Result<(ContentType, String), Problem> {
    let text = telemetry.render(database).map_err(Problem::internal)?;
    let kind =
        ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]);
    Ok((kind, text))
}

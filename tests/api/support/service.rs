//! The service, started like the binary, on a free port with a database of its own.

use std::net::Ipv4Addr;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use herolo::config::SignUpPolicy;
use herolo::{Config, RoundInterval};
use reqwest::{Client, Method, RequestBuilder};
use rocket::fairing::AdHoc;
use serde_json::Value;
use tokio::sync::oneshot;

use super::api::{Answer, User};
use super::database::TestDatabase;
use super::{PATIENCE, until};

/// The key that signs tokens in tests.
pub(crate) const SIGNING_KEY: [u8; 32] = [7; 32];

/// Key ids and keys in the form of the setting.
pub(crate) fn token_keys(keys: &[(&str, [u8; 32])]) -> String {
    keys.iter()
        .map(|(kid, key)| format!("{kid}:{}", BASE64.encode(key)))
        .collect::<Vec<_>>()
        .join(",")
}

/// A running service. It ends with the test.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) database: TestDatabase,
    routes: Vec<String>,
    shutdown: rocket::Shutdown,
}

impl Service {
    /// A ready service with an empty database.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The same, with other settings.
    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_at_pace(RoundInterval::default(), adjust).await
    }

    /// A service whose tailer has only one round, when the first stream begins. Later it reads only what this replica
    /// has committed.
    pub(crate) async fn without_rounds() -> Self {
        Self::start_at_pace(RoundInterval(Duration::from_hours(24)), |_| ()).await
    }

    async fn start_at_pace(interval: RoundInterval, adjust: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create().await;
        let mut config = settings(&database);
        herolo::migrate(&config, PATIENCE)
            .await
            .expect("an empty database can be migrated");
        adjust(&mut config);
        let service = Self::boot(&config, database, interval).await;
        until("the service is ready", async || {
            service.get("/readyz").await.status == 200
        })
        .await;
        service
    }

    /// A service with these users.
    pub(crate) async fn with_users<const N: usize>(names: [&str; N]) -> (Self, [User; N]) {
        let service = Self::start().await;
        let users = service.users(names).await;
        (service, users)
    }

    /// A second replica on the same database, with other settings. It borrows the service, so it ends first.
    pub(crate) async fn replica(&self, adjust: impl FnOnce(&mut Config)) -> Replica {
        let mut config = settings(&self.database);
        adjust(&mut config);
        let launched = launch(&config, RoundInterval::default());
        let Launched { url, shutdown, .. } = launched.await;
        Replica {
            url,
            client: Client::new(),
            shutdown,
        }
    }

    async fn boot(config: &Config, database: TestDatabase, interval: RoundInterval) -> Self {
        let Launched {
            url,
            routes,
            shutdown,
        } = launch(config, interval).await;
        Self {
            url,
            client: Client::new(),
            database,
            routes,
            shutdown,
        }
    }

    /// The mounted routes of the API, as `METHOD path`.
    pub(crate) fn routes(&self) -> &[String] {
        &self.routes
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// Signs a user up.
    pub(crate) async fn user(&self, name: &str) -> User {
        User::sign_up(&self.url, name).await
    }

    /// Signs users up, in this order.
    pub(crate) async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut users = Vec::with_capacity(N);
        for name in names {
            users.push(self.user(name).await);
        }
        users
            .try_into()
            .unwrap_or_else(|_| panic!("one user for each name"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

/// Another service on the database of a [`Service`].
pub(crate) struct Replica {
    pub(crate) url: String,
    pub(crate) client: Client,
    shutdown: rocket::Shutdown,
}

impl Replica {
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        Answer::of(
            self.client
                .get(format!("{}{path}", self.url))
                .bearer_auth(token),
        )
        .await
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

fn settings(database: &TestDatabase) -> Config {
    Config {
        address: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        database_url: database.url().into(),
        database_max_connections: 8,
        token_keys: token_keys(&[("test", SIGNING_KEY)]).into(),
        token_lifetime: 3_600,
        cors_origins: "none".to_owned(),
        inbox_page: true,
        docs_page: true,
        drain_seconds: 0,
        workers: 1,
        sign_ups: SignUpPolicy::Open,
        user_invitations: 0,
        reserved_usernames: "none".to_owned(),
        // All tests have the same client address.
        limit_logins: 0,
        limit_sign_ups: 0,
        limit_sends: 0,
        limit_searches: 0,
        smtp_url: "none".to_owned().into(),
        mail_from: "none".to_owned(),
        public_url: "none".to_owned(),
        client_address_header: "none".to_owned(),
    }
}

/// The properties of a service that listens.
struct Launched {
    url: String,
    routes: Vec<String>,
    shutdown: rocket::Shutdown,
}

async fn launch(config: &Config, interval: RoundInterval) -> Launched {
    let (sender, receiver) = oneshot::channel();
    let rocket = herolo::build(config).expect("the settings are right");
    let announce = AdHoc::on_liftoff("announce", |rocket| {
        Box::pin(async move {
            let _ = sender.send(Launched {
                url: format!(
                    "http://{}:{}",
                    rocket.config().address,
                    rocket.config().port
                ),
                routes: rocket
                    .routes()
                    .filter(|route| !herolo::is_static_asset(route))
                    .map(|route| format!("{} {}", route.method, route.uri.path()))
                    .collect(),
                shutdown: rocket.shutdown(),
            });
        })
    });
    tokio::spawn(rocket.manage(interval).attach(announce).launch());
    receiver.await.expect("the service starts")
}

//! Fixtures: the MySQL server, a database for each test, the service, and its users.

mod account;
mod api;
mod crowd;
mod database;
mod listener;
mod mysql;
mod new_message;
mod process;
mod proxy;
pub(crate) mod raw;
mod service;
mod smtp;

pub(crate) use account::Account;
pub(crate) use api::{Answer, User, problem, unavailable};
pub(crate) use crowd::{
    AHEAD, a_few_at_once, all, ask_all, at_once, at_once_or_later, statuses_at_once,
};
pub(crate) use database::{DIGITS, TestDatabase};
pub(crate) use listener::{Event, Listener, position};
pub(crate) use new_message::NewMessage;
pub(crate) use process::{Finished, Herolo, Process, finish};
pub(crate) use proxy::Proxy;
pub(crate) use service::{Replica, SIGNING_KEY, Service, token_keys};
pub(crate) use smtp::{Mail, SmtpServer, set_smtp};

use std::time::Duration;

/// The timeout of conditions that must become true; generous, because machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "waited in vain: {what}"
    );
}

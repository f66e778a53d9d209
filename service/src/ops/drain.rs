//! Draining: after SIGTERM the replica announces its shutdown, and serves requests until the load balancer sends no
//! more.

use std::io;
use std::time::Duration;

use rocket::Shutdown;
use rocket::fairing::AdHoc;
use rocket::tokio::signal::unix::{Signal, SignalKind, signal};
use rocket::tokio::sync::watch;
use rocket::tokio::time::{Instant, sleep, sleep_until};

use crate::config::Config;
use crate::http::closing::Closing;
use crate::http::managed::managed;
use crate::http::problem::Problem;

/// Whether this replica is about to stop.
///
/// Rocket's own shutdown stops accepting at once, while the kernel still queues connections. So the drain comes first:
/// `/drainz` returns 503 and every response closes its connection, while requests are served as usual. The load
/// balancer has then removed the replica before Rocket shuts down.
#[derive(Clone)]
pub(crate) struct Drain {
    begun: watch::Sender<Option<Instant>>,
    closing: Closing,
    length: Duration,
}

impl Drain {
    fn new(seconds: u64, closing: Closing) -> Self {
        Self {
            begun: watch::Sender::new(None),
            closing,
            length: Duration::from_secs(seconds),
        }
    }

    /// Refuses while the replica drains.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.has_begun() {
            return Err(Problem::Unavailable(
                "This replica is about to stop; retry to reach another one.",
            ));
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Waits until event streams have to move to another replica: when half of the drain is over. By then the load
    /// balancer no longer sends requests here, so that clients do not reconnect to this replica.
    pub(crate) async fn closes_streams(&self) {
        let mut begun = self.begun.subscribe();
        // `self` holds the sender, so this ends only when the drain has begun.
        let begun = begun.wait_for(Option::is_some).await.map(|begun| *begun);
        if let Ok(Some(begun)) = begun {
            sleep_until(begun + self.length / 2).await;
        }
    }

    /// Refuses a stream that would be closed at once.
    pub(crate) fn check_new_stream(&self) -> Result<(), Problem> {
        match *self.begun.borrow() {
            Some(begun) if begun.elapsed() >= self.length / 2 => self.check(),
            _ => Ok(()),
        }
    }

    /// SIGTERM starts the drain; SIGINT (Ctrl-C) or a second SIGTERM skips it. Requests in progress are completed.
    async fn stop_on_signal(
        self,
        mut terminate: Signal,
        mut interrupt: Signal,
        shutdown: Shutdown,
    ) {
        rocket::tokio::select! {
            _ = terminate.recv() => {
                self.begun.send_replace(Some(Instant::now()));
                self.closing.begin();
                tracing::info!("SIGTERM: draining for {} s", self.length.as_secs());
                rocket::tokio::select! {
                    () = sleep(self.length) => {}
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        shutdown.notify();
    }
}

/// Attaches the drain, with its duration from the settings.
pub(crate) fn stage(config: &Config) -> AdHoc {
    let seconds = config.drain_seconds;
    AdHoc::on_ignite("drain", move |rocket| async move {
        let closing = managed::<Closing>(&rocket);
        rocket.manage(Drain::new(seconds, closing))
    })
}

/// Handlers of SIGTERM and SIGINT, in place of the default action from now on.
fn signals() -> io::Result<(Signal, Signal)> {
    Ok((
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ))
}

/// Stops the service on signals. Only the command attaches this: signals belong to the process, in which tests boot
/// the service many times.
pub(crate) fn on_signals() -> AdHoc {
    AdHoc::on_liftoff("signals", |rocket| {
        Box::pin(async move {
            let (Some(drain), Ok((terminate, interrupt))) =
                (rocket.state::<Drain>().cloned(), signals())
            else {
                tracing::error!("cannot handle signals: the service will stop without draining");
                return;
            };
            rocket::tokio::spawn(drain.stop_on_signal(terminate, interrupt, rocket.shutdown()));
        })
    })
}

/// Waits for the first SIGTERM or SIGINT of this process.
pub(crate) async fn termination_requested() {
    let Ok((mut terminate, mut interrupt)) = signals() else {
        return std::future::pending().await;
    };
    rocket::tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

//! Stopping without a lost request: on SIGTERM the replica says so and goes on serving until nobody sends it requests.

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
/// Rocket's own shutdown closes the door at once while the socket still lets clients queue before it. So the drain
/// goes first: `/drainz` answers 503 and every answer closes its connection, while requests are served as ever. The
/// load balancer has then taken the replica out before Rocket shuts down.
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
                "This replica is about to stop; another one serves.",
            ));
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Waits until those who listen have to go to another replica: when half of the drain is over. The load balancer has
    /// taken this one out by then, so that they do not come back to it.
    pub(crate) async fn lets_listeners_go(&self) {
        let mut begun = self.begun.subscribe();
        // The sender is ours, so this ends only when the drain has begun.
        let begun = begun.wait_for(Option::is_some).await.map(|begun| *begun);
        if let Ok(Some(begun)) = begun {
            sleep_until(begun + self.length / 2).await;
        }
    }

    /// Refuses those who would be let go at once.
    pub(crate) fn check_listeners(&self) -> Result<(), Problem> {
        match *self.begun.borrow() {
            Some(begun) if begun.elapsed() >= self.length / 2 => self.check(),
            _ => Ok(()),
        }
    }

    /// SIGTERM drains first; SIGINT (Ctrl-C) or a second SIGTERM stops at once, requests under way excepted.
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

/// Attaches the drain, which is as long as the settings say.
pub(crate) fn stage(config: &Config) -> AdHoc {
    let seconds = config.drain_seconds;
    AdHoc::on_ignite("drain", move |rocket| async move {
        let closing = managed::<Closing>(&rocket);
        rocket.manage(Drain::new(seconds, closing))
    })
}

/// SIGTERM and SIGINT, as this process gets them from now on.
fn signals() -> io::Result<(Signal, Signal)> {
    Ok((
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ))
}

/// Stops the service on this process' signals. Only the command does that: signals are the process' and not the
/// library's, which tests boot many times in one process.
pub(crate) fn on_signals() -> AdHoc {
    AdHoc::on_liftoff("signals", |rocket| {
        Box::pin(async move {
            let (Some(drain), Ok((terminate, interrupt))) =
                (rocket.state::<Drain>().cloned(), signals())
            else {
                tracing::error!("cannot listen for signals: stopping will not drain");
                return;
            };
            rocket::tokio::spawn(drain.stop_on_signal(terminate, interrupt, rocket.shutdown()));
        })
    })
}

/// Waits for the first SIGTERM or SIGINT of this process.
pub(crate) async fn signalled() {
    let Ok((mut terminate, mut interrupt)) = signals() else {
        return std::future::pending().await;
    };
    rocket::tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

//! Messages as they arrive. One reader in each replica follows the ids of all messages, however many listen, and hands
//! what arrives to those who listen here. Replicas know nothing of each other: each reads what the others wrote.

mod audience;
mod budget;
mod ids;
mod position;
mod reader;
mod routes;
mod seat;
mod store;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{Instant, sleep, timeout};
use rocket::{Build, Orbit, Rocket};

use self::audience::Audience;
use self::budget::Budget;
use self::position::Position;
use self::reader::Reader;
pub(crate) use self::routes::{Docs, stage};
use self::seat::{News, Seat};
use crate::auth::Caller;
use crate::db::{Database, Error};
use crate::http::problem::Problem;

/// Between two looks at what has arrived.
const INTERVAL: Duration = Duration::from_millis(250);
/// Between two looks at whose listening is over.
const SWEEPS: Duration = Duration::from_millis(500);
/// Ids before the newest that may belong to messages on their way. No more than that can be under way at once: a replica
/// sends four times 64 messages together, and some by themselves.
const WINDOW: u64 = 2_000;
/// How long a listener waits for a seat of the same user whose client is gone.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// Between two writes to those who may be gone: a closed connection fails with the second.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// How long a listener may wait for the reader to begin, as long as a unit of work takes.
const START_DEADLINE: Duration = Duration::from_millis(2_500);

/// Where listeners come, and what the reader hands messages to.
#[derive(Clone, Default)]
pub(crate) struct Live {
    audience: Arc<Mutex<Audience>>,
    budget: Budget,
    somebody_came: Arc<Notify>,
}

/// A listener's end of the line. Dropping it ends the listening.
struct Line {
    live: Live,
    seat: Arc<Seat>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.live.audience().leave(&self.seat);
    }
}

impl Live {
    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to listen, until some moment at the most: the line, and from where on it has every message.
    async fn listen(&self, caller: &Caller, until: Instant) -> Result<(Line, Position), Problem> {
        let line = Line {
            live: self.clone(),
            seat: self.join(caller, until).await?,
        };
        self.somebody_came.notify_one();
        match timeout(START_DEADLINE, line.seat.news()).await {
            Ok(News::Start(position)) => Ok((line, position)),
            Ok(News::End) => Err(Problem::InvalidToken),
            _ => Err(Problem::DatabaseAway("no listener can begin".to_owned())),
        }
    }

    /// A seat. Where the user has no more of them, the clients of those that are taken may be gone, which only a write to
    /// them shows: then one of those is free a moment later.
    async fn join(&self, caller: &Caller, until: Instant) -> Result<Arc<Seat>, Problem> {
        let user = u64::from(caller.id());
        let deadline = Instant::now() + PROBE_DEADLINE;
        loop {
            let seat = Seat::new(user, caller.token_epoch(), until);
            let joined = self.audience().join(seat);
            if !matches!(joined, Err(Problem::TooManyStreams(_))) || Instant::now() > deadline {
                return joined;
            }
            self.audience().probe(user);
            sleep(PROBE_INTERVAL).await;
        }
    }

    /// Takes care that all listeners together do not hold too much.
    fn relieve(&self) {
        if self.budget.is_exceeded() {
            self.audience().relieve(&self.budget);
        }
    }

    async fn read_on(&self, database: &Database) {
        loop {
            if self.audience().is_empty() {
                self.audience().position = None;
                self.somebody_came.notified().await;
            }
            if let Err(fault) = self.follow(database).await {
                // The listeners stay; what arrives meanwhile reaches them when the database is back.
                tracing::debug!("the reader has to wait: {fault}");
            }
            sleep(INTERVAL).await;
        }
    }

    /// Follows the messages as long as somebody listens.
    async fn follow(&self, database: &Database) -> Result<(), Error> {
        // How far the reader had got before it had to wait.
        let before = self.audience().position.clone();
        let mut reader = Reader::begin(database, self, before).await?;
        loop {
            reader.go_on().await?;
            if self.audience().is_empty() {
                return Ok(());
            }
            sleep(INTERVAL).await;
        }
    }

    /// Ends the listening of those whose time is over, whether or not they read, and whether or not the database is
    /// there.
    async fn sweep(&self) {
        loop {
            sleep(SWEEPS).await;
            self.audience().end_due();
        }
    }
}

#[rocket::async_trait]
impl Fairing for Live {
    fn info(&self) -> Info {
        Info {
            name: "live",
            kind: Kind::Ignite | Kind::Liftoff,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.clone()))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let (shutdown, live) = (rocket.shutdown(), self.clone());
        let Some(database) = rocket.state::<Database>().cloned() else {
            return;
        };
        rocket::tokio::spawn(async move {
            rocket::tokio::select! {
                () = live.read_on(&database) => {}
                () = live.sweep() => {}
                () = shutdown => {}
            }
        });
    }
}

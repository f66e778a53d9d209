//! Messages as they arrive. One reader in each replica follows the ids of all messages, however many listen, and hands
//! what arrives to those who listen here. Replicas know nothing of each other: each reads what the others wrote.

mod position;
mod routes;
mod store;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::tokio::sync::{Notify, mpsc};
use rocket::tokio::time::{Instant, sleep, timeout};
use rocket::{Build, Orbit, Rocket};

use self::position::Position;
pub(crate) use self::routes::{__path_events, EventFields, routes};
use self::store::Arrival;
use crate::auth::Caller;
use crate::database::{Database, Error};
use crate::messages::Content;
use crate::problem::Problem;

/// Between two looks at what has arrived.
const INTERVAL: Duration = Duration::from_millis(250);
/// Ids before the newest that may belong to messages on their way. No more than that can be under way at once: a replica
/// sends four times 64 messages together, and some by themselves.
const WINDOW: u64 = 2_000;
/// After this time an id that nobody holds a lock on will not come any more. The ids of messages that are sent together
/// are given out at once, before the first of them is written and locked; this is longer than all of it may take.
const GRACE: Duration = Duration::from_secs(4);
/// Messages that wait for a slow listener. Who has more waiting is let go, and continues when they come back.
const QUEUE: usize = 64;
/// Listeners of one replica.
const MOST_LISTENERS: usize = 2_000;
/// Listeners of one user at one replica. One more takes the place of the oldest.
const MOST_OF_ONE_USER: usize = 16;
/// How long a listener may wait for the reader to begin, as long as a unit of work takes.
const START_DEADLINE: Duration = Duration::from_millis(2_500);

/// What a listener hears.
enum Signal {
    /// From where on messages are handed to the listener.
    Start(Position),
    /// A message, and how far whoever has it has got.
    Message(Arc<Content>, Position),
}

struct Listener {
    serial: u64,
    token_epoch: u32,
    signals: mpsc::Sender<Signal>,
}

/// Those who listen at this replica, and how far its reader has got.
#[derive(Default)]
struct Audience {
    /// Those who came since the reader last let somebody in, with their user. It does so between two looks, so that all
    /// who are in hear all of a look.
    waiting: Vec<(u64, Listener)>,
    /// By user, the oldest first.
    listeners: HashMap<u64, Vec<Listener>>,
    /// While somebody listens and the reader has begun.
    position: Option<Position>,
    last_serial: u64,
}

impl Audience {
    fn len(&self) -> usize {
        self.waiting.len() + self.listeners.values().map(Vec::len).sum::<usize>()
    }

    /// Lets in those who wait, and tells them from where on they hear everything.
    fn let_in(&mut self, position: &Position) {
        for (user, listener) in std::mem::take(&mut self.waiting) {
            let start = Signal::Start(position.clone());
            if listener.signals.try_send(start).is_err() {
                continue;
            }
            let of_user = self.listeners.entry(user).or_default();
            if of_user.len() == MOST_OF_ONE_USER {
                of_user.remove(0);
            }
            of_user.push(listener);
        }
        self.position = Some(position.clone());
    }

    /// Tells all listeners of a user; whoever is too slow for it is let go.
    fn tell(&mut self, user: u64, signal: impl Fn() -> Signal) {
        self.keep(user, |listener| listener.signals.try_send(signal()).is_ok());
    }

    fn keep(&mut self, user: u64, is_kept: impl Fn(&Listener) -> bool) {
        if let Some(listeners) = self.listeners.get_mut(&user) {
            listeners.retain(is_kept);
            if listeners.is_empty() {
                self.listeners.remove(&user);
            }
        }
    }

    fn leave(&mut self, user: u64, serial: u64) {
        self.waiting
            .retain(|(_, listener)| listener.serial != serial);
        self.keep(user, |listener| listener.serial != serial);
    }
}

/// Where listeners come, and what the reader hands messages to.
#[derive(Clone, Default)]
pub(crate) struct Live {
    audience: Arc<Mutex<Audience>>,
    somebody_came: Arc<Notify>,
}

/// A listener's end of the line. Dropping it ends the listening.
struct Line {
    live: Live,
    user: u64,
    serial: u64,
    signals: mpsc::Receiver<Signal>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.live.audience().leave(self.user, self.serial);
    }
}

impl Live {
    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to listen: the line, and from where on it has every message.
    async fn listen(&self, caller: &Caller) -> Result<(Line, Position), Problem> {
        let mut line = self.join(caller)?;
        self.somebody_came.notify_one();
        match timeout(START_DEADLINE, line.signals.recv()).await {
            Ok(Some(Signal::Start(position))) => Ok((line, position)),
            _ => Err(Problem::DatabaseAway("no listener can begin".to_owned())),
        }
    }

    fn join(&self, caller: &Caller) -> Result<Line, Problem> {
        let (sender, signals) = mpsc::channel(QUEUE);
        let user = u64::from(caller.id());
        let mut audience = self.audience();
        if audience.len() >= MOST_LISTENERS {
            return Err(Problem::Unavailable(
                "Too many are listening right now; try again in a moment.",
            ));
        }
        audience.last_serial += 1;
        let serial = audience.last_serial;
        let listener = Listener {
            serial,
            token_epoch: caller.token_epoch(),
            signals: sender,
        };
        audience.waiting.push((user, listener));
        Ok(Line {
            live: self.clone(),
            user,
            serial,
            signals,
        })
    }

    async fn read_on(self, database: Database) {
        loop {
            if self.audience().len() == 0 {
                self.audience().position = None;
                self.somebody_came.notified().await;
            }
            if let Err(fault) = self.follow(&database).await {
                // The listeners stay; what arrives meanwhile reaches them when the database is back.
                tracing::debug!("the reader has to wait: {fault}");
            }
            sleep(INTERVAL).await;
        }
    }

    /// Follows the messages as long as somebody listens.
    async fn follow(&self, database: &Database) -> Result<(), Error> {
        let mut reader = Reader::begin(database, self.begun()).await?;
        loop {
            self.audience().let_in(&reader.position);
            self.end_revoked(&store::revocations(database).await?);
            while reader.look(database, self).await? {}
            reader.settle(database).await?;
            if self.audience().len() == 0 {
                return Ok(());
            }
            sleep(INTERVAL).await;
        }
    }

    /// How far the reader had got before it had to wait.
    fn begun(&self) -> Option<Position> {
        self.audience().position.clone()
    }

    /// Lets go those whose token was revoked.
    fn end_revoked(&self, revocations: &[(u64, u32)]) {
        let mut audience = self.audience();
        for (user, epoch) in revocations {
            audience.keep(*user, |listener| listener.token_epoch >= *epoch);
        }
    }

    /// Those of the receivers who listen here.
    fn who_listens(&self, arrivals: &[Arrival]) -> BTreeMap<u64, Vec<u64>> {
        let audience = self.audience();
        let mut heard = BTreeMap::<_, Vec<_>>::new();
        for arrival in arrivals {
            if audience.listeners.contains_key(&arrival.receiver) {
                heard
                    .entry(arrival.message)
                    .or_default()
                    .push(arrival.receiver);
            }
        }
        heard
    }
}

/// The reader of a replica.
struct Reader {
    position: Position,
    /// When each id was first seen to be missing.
    missing_since: BTreeMap<u64, Instant>,
}

impl Reader {
    async fn begin(database: &Database, before: Option<Position>) -> Result<Self, Error> {
        let position = match before {
            Some(position) => position,
            None => store::newest(database).await?,
        };
        let mut reader = Self {
            position,
            missing_since: BTreeMap::new(),
        };
        reader.time_missing();
        Ok(reader)
    }

    fn time_missing(&mut self) {
        let missing = &self.position.missing;
        self.missing_since.retain(|id, _| missing.contains(id));
        for id in missing {
            self.missing_since.entry(*id).or_insert_with(Instant::now);
        }
    }

    /// Hands on what has arrived; whether there may be more.
    async fn look(&mut self, database: &Database, live: &Live) -> Result<bool, Error> {
        let missing: Vec<_> = self.position.missing.iter().copied().collect();
        let mut arrivals = Vec::new();
        for some in missing.chunks(store::MOST_IDS) {
            arrivals.extend(store::arrived(database, some).await?);
        }
        let (new, has_more) = store::arrived_after(database, self.position.reached).await?;
        arrivals.extend(new);
        let heard = live.who_listens(&arrivals);
        let contents = read(database, heard.keys().copied().collect()).await?;
        self.hand_on(live, &arrivals, &contents);
        self.time_missing();
        Ok(has_more)
    }

    fn hand_on(
        &mut self,
        live: &Live,
        arrivals: &[Arrival],
        contents: &HashMap<u64, Arc<Content>>,
    ) {
        let mut audience = live.audience();
        let ids: BTreeSet<_> = arrivals.iter().map(|arrival| arrival.message).collect();
        let mut receivers = BTreeMap::<_, Vec<_>>::new();
        for arrival in arrivals {
            receivers
                .entry(arrival.message)
                .or_default()
                .push(arrival.receiver);
        }
        for id in ids {
            self.position.note(id);
            let Some(content) = contents.get(&id) else {
                continue;
            };
            for receiver in receivers.remove(&id).unwrap_or_default() {
                let signal = || Signal::Message(Arc::clone(content), self.position.clone());
                audience.tell(receiver, signal);
            }
        }
        audience.position = Some(self.position.clone());
    }

    /// Strikes out the missing ids that nobody can be writing any more: sends that were taken back, and messages that
    /// were deleted.
    async fn settle(&mut self, database: &Database) -> Result<(), Error> {
        let old = self
            .missing_since
            .iter()
            .filter(|(_, since)| since.elapsed() > GRACE);
        let old: Vec<_> = old.map(|(id, _)| *id).collect();
        for some in old.chunks(store::MOST_IDS) {
            if store::are_under_way(database, some).await? {
                continue;
            }
            // Committed between the last look and this one: the next look finds it.
            let arrived = store::arrived(database, some).await?;
            let arrived: BTreeSet<_> = arrived.iter().map(|arrival| arrival.message).collect();
            for id in some.iter().filter(|id| !arrived.contains(id)) {
                self.position.missing.remove(id);
            }
        }
        self.time_missing();
        Ok(())
    }
}

/// The messages that somebody hears, each read once however many do.
async fn read(database: &Database, ids: Vec<u64>) -> Result<HashMap<u64, Arc<Content>>, Error> {
    let mut contents = HashMap::with_capacity(ids.len());
    for some in ids.chunks(store::MOST_IDS) {
        for content in store::contents(database, some).await? {
            contents.insert(content.id.get(), Arc::new(content));
        }
    }
    Ok(contents)
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
                () = live.read_on(database) => {}
                () = shutdown => {}
            }
        });
    }
}

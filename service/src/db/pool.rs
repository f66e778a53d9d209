//! The connections to MySQL. deadpool keeps them; what a connection is, when it is still good and how it is given back
//! is here.
//!
//! Not sqlx's own pool, which asks every connection that is given back whether it is still there: a round trip for each
//! unit of work, and a task to wait for it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{
    self, Manager, Metrics, Object, PoolConfig, PoolError, QueueMode, RecycleResult,
};
use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore};
use rocket::tokio::time::{sleep, timeout};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::db::faults::is_no_more_connections;

/// A connection that rested longer is pinged before use; a busy one is trusted, which saves it a round trip.
const TRUSTED_REST: Duration = Duration::from_secs(1);
/// Below the 350 s after which some EC2 networks forget an idle connection without telling either end.
const IDLE_LIFETIME: Duration = Duration::from_mins(4);
/// Connections are renewed, so that a database that moved to another address is found.
const LIFETIME: Duration = Duration::from_mins(15);
/// How often idle connections are looked for.
const IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// Until a connection that is given back has ended what was left open on it, or one that is closed has said so.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(2);
/// Between two attempts to open a connection that nobody accepts, as while the database restarts.
const REFUSED_INTERVAL: Duration = Duration::from_millis(50);

/// Statements that each connection keeps prepared: twice as many as there are (about 100), as every one that has to make room is
/// prepared again when it is next needed. MySQL keeps 16,382 in all if nobody tells it otherwise
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_prepared_stmt_count>).
const PREPARED: usize = 200;

/// For every connection. READ COMMITTED: no statement here reads the same row twice, and inserts lock no gaps.
/// A lock is waited for at most 1 s (then tried again), a read runs at most as long as somebody waits for it (in ms).
/// How many rows have one value of a key is taken from the statistics: counted for each statement, a great inbox would
/// make MySQL read ahead thousands of rows for a page of twenty.
const SESSION: &str = "SET SESSION transaction_isolation = 'READ-COMMITTED', SESSION innodb_lock_wait_timeout = 1, \
                       SESSION max_execution_time = 2500, SESSION eq_range_index_dive_limit = 1";

/// Between two attempts to open the first connection where others have all that the database grants.
const CROWDED_OUT_INTERVAL: Duration = Duration::from_millis(250);
/// Until a place that was taken away, because the database accepted no further connection, is tried again.
const WITHHELD: Duration = Duration::from_secs(1);

/// The connections; clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Server>,
    /// Where to wait for one: a place for each connection that the database accepts, as far as is known. Whoever waits
    /// gets the next place that is free, in order.
    places: Arc<Semaphore>,
}

impl Pool {
    /// Opens no connection yet.
    pub(super) fn new(options: MySqlConnectOptions, max_connections: u32) -> Self {
        let mut config = PoolConfig::new(max_connections.try_into().unwrap_or(usize::MAX));
        // The connection that rested least: its memory is warm, here and in MySQL, and the surplus becomes idle.
        config.queue_mode = QueueMode::Lifo;
        let server = Server(options.statement_cache_capacity(PREPARED));
        let places = Arc::new(Semaphore::new(config.max_size));
        let pool = managed::Pool::builder(server).config(config);
        Self {
            connections: pool.build().expect("no time-out of the pool's own is set"),
            places,
        }
    }

    /// A connection that is there as far as is known, as soon as one is free or can be opened. The wait is the caller's
    /// to bound.
    pub(super) async fn hold(&self) -> sqlx::Result<Held> {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
            match self.connections.get().await {
                Ok(object) => {
                    let object = Some(object);
                    return Ok(Held {
                        object,
                        _place: place,
                    });
                }
                Err(PoolError::Backend(fault)) if is_no_more_connections(&fault) => {
                    self.withhold(place, &fault).await;
                }
                Err(PoolError::Backend(fault)) => return Err(fault),
                Err(fault) => return Err(sqlx::Error::Configuration(fault.into())),
            }
        }
    }

    /// Takes a place away for a while, for which no connection can be opened: others are served with those that there
    /// are. Where there is none at all, the next attempt has to wait.
    async fn withhold(&self, place: OwnedSemaphorePermit, fault: &sqlx::Error) {
        let (open, _) = self.connections();
        if open == 0 {
            sleep(CROWDED_OUT_INTERVAL).await;
            return;
        }
        tracing::warn!("{open} connections to the database have to do for now: {fault}");
        place.forget();
        let places = Arc::clone(&self.places);
        rocket::tokio::spawn(async move {
            sleep(WITHHELD).await;
            places.add_permits(1);
        });
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        let Server(options) = self.connections.manager();
        format!("{}:{}", options.get_host(), options.get_port())
    }

    /// Open connections, and those of them that rest.
    pub(super) fn connections(&self) -> (usize, usize) {
        let status = self.connections.status();
        (status.size, status.available)
    }

    /// Closes connections that nobody needed for a while; without end.
    pub(super) async fn close_idle_connections(&self) {
        loop {
            sleep(IDLE_INTERVAL).await;
            let still_needed =
                |_: &MySqlConnection, metrics: Metrics| metrics.last_used() < IDLE_LIFETIME;
            for connection in self.connections.retain(still_needed).removed {
                // It is gone from the pool already, whatever the database says to its farewell.
                let _ = timeout(FAREWELL_DEADLINE, connection.close()).await;
            }
        }
    }
}

/// How connections to this server are opened, and which of them are still good.
struct Server(MySqlConnectOptions);

impl Manager for Server {
    type Type = MySqlConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<MySqlConnection> {
        let mut connection = loop {
            match self.0.connect().await {
                Err(sqlx::Error::Io(fault)) if fault.kind() == io::ErrorKind::ConnectionRefused => {
                    sleep(REFUSED_INTERVAL).await;
                }
                outcome => break outcome?,
            }
        };
        connection.execute(SESSION).await?;
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut MySqlConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > LIFETIME || metrics.last_used() > IDLE_LIFETIME {
            return Err(managed::RecycleError::message("it had its time"));
        }
        if metrics.last_used() > TRUSTED_REST {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// A connection in use. It is closed unless it is given back: whoever was cut off or panicked may have left it in the
/// middle of a statement.
///
/// Its place is free once it is back.
pub(crate) struct Held {
    object: Option<Object<Server>>,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Lets others use it, once the transaction that may have been left open on it is rolled back.
    pub(super) fn give_back(mut self) {
        // A transaction that is dropped leaves its rollback to be sent with whatever comes next.
        if !self.should_flush() {
            drop(self.object.take());
            return;
        }
        rocket::tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(FAREWELL_DEADLINE, self.ping()).await {
                drop(self.object.take());
            }
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}

const HOLDS: &str = "a connection is there until it is given back or dropped";

impl Deref for Held {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        self.object.as_ref().expect(HOLDS)
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.object.as_mut().expect(HOLDS)
    }
}

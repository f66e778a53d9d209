//! The connections to MySQL. deadpool keeps them; what a connection is, when it is still good and how it is released is
//! here. To Rocket it is a pool of `rocket_db_pools`.
//!
//! Not sqlx's own pool, which pings every connection that is released: a round trip for each unit of work, and a task to
//! wait for it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool::managed::{
    self, Manager, Metrics, Object, PoolConfig, PoolError, QueueMode, RecycleResult,
};
use rocket::figment::Figment;
use rocket::tokio::sync::{OwnedSemaphorePermit, Semaphore};
use rocket::tokio::task_local;
use rocket::tokio::time::{sleep, timeout};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::db::faults::is_no_more_connections;

/// A connection that was idle for longer is pinged before use; a busy one is not, which saves a round trip.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// How long a request may wait for a connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Below the 350 s after which some EC2 networks forget an idle connection without telling either end.
const IDLE_LIFETIME: Duration = Duration::from_mins(4);
/// Connections are renewed, so that a database that moved to another address is found.
const LIFETIME: Duration = Duration::from_mins(15);
/// How often idle connections are looked for.
const IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a released connection may take to roll back what was left open on it, and a closed one to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
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
/// Until a permit that was taken away, because the database accepted no further connection, is tried again.
const WITHHELD: Duration = Duration::from_secs(1);

task_local! {
    /// The settings of the pool that is being initialized; see [`PoolSettings::provide`].
    static SETTINGS: PoolSettings;
}

/// How the database is reached.
#[derive(Clone)]
pub(super) struct PoolSettings {
    pub(super) options: MySqlConnectOptions,
    pub(super) max_connections: u32,
}

impl PoolSettings {
    /// Lets the pools that this future initializes find these settings. `rocket_db_pools` would have a pool read them from
    /// Rocket's figment, which can be printed; the options hold the password.
    pub(super) async fn provide<T>(&self, initializes: impl Future<Output = T>) -> T {
        SETTINGS.scope(self.clone(), initializes).await
    }
}

/// A pool was initialized without [`PoolSettings::provide`].
#[derive(Debug, thiserror::Error)]
#[error("the pool has no settings: attach the database with `db::stage`")]
pub(crate) struct NoSettings;

/// Why the trait's functions fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolFault {
    #[error(transparent)]
    NoSettings(#[from] NoSettings),
    #[error(transparent)]
    Connection(#[from] sqlx::Error),
}

/// The connections; clones share them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: managed::Pool<Server>,
    /// A permit for each connection that the database accepts, as far as is known. Requests that wait get the next free
    /// permit in order.
    permits: Arc<Semaphore>,
    /// Set once the database had a schema that this version can work on.
    pub(super) started: Arc<AtomicBool>,
}

#[rocket::async_trait]
impl rocket_db_pools::Pool for Pool {
    type Connection = PooledConnection;
    type Error = PoolFault;

    /// Opens no connection, so that the service starts while the database is away.
    async fn init(_: &Figment) -> Result<Self, PoolFault> {
        let settings = SETTINGS.try_with(Clone::clone).map_err(|_| NoSettings)?;
        Ok(Self::new(settings))
    }

    async fn get(&self) -> Result<PooledConnection, PoolFault> {
        let acquired = timeout(ACQUIRE_TIMEOUT, self.acquire()).await;
        Ok(acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// Closes nothing. `rocket_db_pools` calls this when the shutdown *begins*, while requests under way still have to
    /// acquire connections, and Rocket stops accepting only after it returned. The connections end with the process.
    async fn close(&self) {
        tracing::debug!("the shutdown has begun; the pool stays open for requests under way");
    }
}

impl Pool {
    fn new(settings: PoolSettings) -> Self {
        let PoolSettings {
            options,
            max_connections,
        } = settings;
        let mut config = PoolConfig::new(max_connections.try_into().unwrap_or(usize::MAX));
        // The connection that rested least: its memory is warm, here and in MySQL, and the surplus becomes idle.
        config.queue_mode = QueueMode::Lifo;
        let server = Server(options.statement_cache_capacity(PREPARED));
        let permits = Arc::new(Semaphore::new(config.max_size));
        let pool = managed::Pool::builder(server).config(config);
        Self {
            connections: pool.build().expect("no time-out of the pool's own is set"),
            permits,
            started: Arc::default(),
        }
    }

    /// A connection that is there as far as is known, as soon as one is free or can be opened. The wait is the caller's
    /// to bound.
    pub(super) async fn acquire(&self) -> sqlx::Result<PooledConnection> {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
            match self.connections.get().await {
                Ok(object) => {
                    let object = Some(object);
                    return Ok(PooledConnection {
                        object,
                        _permit: permit,
                    });
                }
                Err(PoolError::Backend(fault)) if is_no_more_connections(&fault) => {
                    self.withhold(permit, &fault).await;
                }
                Err(PoolError::Backend(fault)) => return Err(fault),
                Err(fault) => return Err(sqlx::Error::Configuration(fault.into())),
            }
        }
    }

    /// Takes a permit away for a while, for which no connection can be opened: requests are served with the connections
    /// that there are. Where there is none at all, the next attempt has to wait.
    async fn withhold(&self, permit: OwnedSemaphorePermit, fault: &sqlx::Error) {
        let (open, _) = self.connections();
        if open == 0 {
            sleep(CROWDED_OUT_INTERVAL).await;
            return;
        }
        tracing::warn!("{open} connections to the database have to do for now: {fault}");
        permit.forget();
        let permits = Arc::clone(&self.permits);
        rocket::tokio::spawn(async move {
            sleep(WITHHELD).await;
            permits.add_permits(1);
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
                let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
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
        if metrics.last_used() > PING_AFTER_IDLE {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// A connection in use. It is closed unless it is released: a task that was cut off or panicked may have left it in the
/// middle of a statement. Its permit is free once it is back.
pub(crate) struct PooledConnection {
    object: Option<Object<Server>>,
    _permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    /// Returns it to the pool, once the transaction that may have been left open on it is rolled back.
    pub(super) fn release(mut self) {
        // A transaction that is dropped leaves its rollback to be sent with whatever comes next.
        if !self.should_flush() {
            drop(self.object.take());
            return;
        }
        rocket::tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(CLOSE_TIMEOUT, self.ping()).await {
                drop(self.object.take());
            }
        });
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}

const PRESENT: &str = "a connection is there until it is released or dropped";

impl Deref for PooledConnection {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        self.object.as_ref().expect(PRESENT)
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.object.as_mut().expect(PRESENT)
    }
}

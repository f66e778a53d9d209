//! The connection pool: deadpool, with the rules for opening, recycling and releasing MySQL connections. To Rocket it
//! is a pool of `rocket_db_pools`.
//!
//! sqlx's own pool would ping every released connection: a round trip for each unit of work, and a task that waits for
//! it.

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

use crate::db::commit_signal::CommitSignal;
use crate::db::error_codes::is_connection_limit;

/// A connection that was idle for longer is pinged before use. Others are not, which saves a round trip.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// The time that a request waits for a connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the `wait_timeout` of [`SESSION`], and than the 350 s after which some EC2 networks silently drop an
/// idle connection.
const IDLE_LIFETIME: Duration = Duration::from_mins(4);
/// Connections are renewed, so that the pool follows a database that moved to another address.
const LIFETIME: Duration = Duration::from_mins(15);
/// Interval at which idle connections are closed.
const IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// The timeout of the rollback on a released connection, and of an orderly close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause before a refused connection is retried, such as while the database restarts.
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The prepared statements that a connection caches: more than the service has (about 200, with all sizes of batches),
/// so that none is evicted and prepared again. MySQL's default limit is 16,382 in total
/// (<https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_prepared_stmt_count>), which
/// infra/database.tf raises.
const STATEMENT_CACHE_CAPACITY: usize = 300;

/// The settings of every session. READ COMMITTED suffices, because no transaction reads the same row twice, and with it
/// inserts lock no gaps. A lock wait times out after 1 s and is retried; a read times out with its request (in ms). The
/// optimizer estimates the rows of a key from statistics: with index dives, it would read thousands of rows of a large
/// inbox for a page of twenty. The transaction of a host that is lost, and the locks of its users, end after
/// `wait_timeout` (in s).
const SESSION: &str = "SET SESSION transaction_isolation = 'READ-COMMITTED', SESSION innodb_lock_wait_timeout = 1, \
                       SESSION max_execution_time = 2500, SESSION eq_range_index_dive_limit = 1, \
                       SESSION wait_timeout = 300";

/// Pause before the pool retries to open its first connection while the database accepts no more.
const NO_CONNECTION_INTERVAL: Duration = Duration::from_millis(250);
/// The time for which a permit is suspended after the database accepted no further connection.
const SUSPENSION: Duration = Duration::from_secs(1);

task_local! {
    /// The settings of the pool that is being initialized; see [`PoolSettings::provide`].
    static SETTINGS: PoolSettings;
}

/// The settings of the pool.
#[derive(Clone)]
pub(super) struct PoolSettings {
    pub(super) options: MySqlConnectOptions,
    pub(super) max_connections: u32,
}

impl PoolSettings {
    /// Provides the settings to the pool that the future initializes. `rocket_db_pools` would read them from Rocket's
    /// figment, which can be printed, but they contain the password.
    pub(super) async fn provide<T>(&self, initialization: impl Future<Output = T>) -> T {
        SETTINGS.scope(self.clone(), initialization).await
    }
}

/// A pool was initialized without [`PoolSettings::provide`].
#[derive(Debug, thiserror::Error)]
#[error("the pool has no settings: attach the database with `db::stage`")]
pub(crate) struct NoSettings;

/// An error of the functions that `rocket_db_pools` calls.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcquireError {
    #[error(transparent)]
    NoSettings(#[from] NoSettings),
    #[error(transparent)]
    Connection(#[from] sqlx::Error),
}

/// The connections; clones share them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: managed::Pool<Server>,
    /// A permit for each connection that the database is expected to accept. Waiting requests get free permits in
    /// order.
    permits: Arc<Semaphore>,
    /// Whether the database was reached with a schema that this version supports.
    pub(super) started: Arc<AtomicBool>,
    pub(super) event_commits: CommitSignal,
}

#[rocket::async_trait]
impl rocket_db_pools::Pool for Pool {
    type Connection = PooledConnection;
    type Error = AcquireError;

    /// Opens no connection, so that the service starts while the database is unavailable.
    async fn init(_: &Figment) -> Result<Self, AcquireError> {
        let settings = SETTINGS.try_with(Clone::clone).map_err(|_| NoSettings)?;
        Ok(Self::new(settings))
    }

    async fn get(&self) -> Result<PooledConnection, AcquireError> {
        let acquired = timeout(ACQUIRE_TIMEOUT, self.acquire()).await;
        Ok(acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// Closes nothing. `rocket_db_pools` calls this when the shutdown *begins*, while requests in progress still
    /// acquire connections, and Rocket stops accepting only after it has returned. The connections end with the
    /// process.
    async fn close(&self) {
        tracing::debug!("the shutdown has begun; the pool stays open for requests in progress");
    }
}

impl Pool {
    fn new(settings: PoolSettings) -> Self {
        let PoolSettings {
            options,
            max_connections,
        } = settings;
        let mut config = PoolConfig::new(max_connections.try_into().unwrap_or(usize::MAX));
        // The most recently used connection first: its memory is cached, here and in MySQL, and surplus ones become
        // idle.
        config.queue_mode = QueueMode::Lifo;
        let server = Server(options.statement_cache_capacity(STATEMENT_CACHE_CAPACITY));
        let permits = Arc::new(Semaphore::new(config.max_size));
        let pool = managed::Pool::builder(server).config(config);
        Self {
            connections: pool.build().expect("deadpool's own timeouts are not set"),
            permits,
            started: Arc::default(),
            event_commits: CommitSignal::default(),
        }
    }

    /// Waits until a connection is free or can be opened. The caller bounds the wait.
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
                Err(PoolError::Backend(error)) if is_connection_limit(&error) => {
                    self.suspend(permit, &error).await;
                }
                Err(PoolError::Backend(error)) => return Err(error),
                Err(error) => return Err(sqlx::Error::Configuration(error.into())),
            }
        }
    }

    /// Suspends a permit for which no connection can be opened, so that requests share the open connections. If none is
    /// open, waits before the next attempt instead.
    async fn suspend(&self, permit: OwnedSemaphorePermit, error: &sqlx::Error) {
        let (open, _) = self.connections();
        if open == 0 {
            sleep(NO_CONNECTION_INTERVAL).await;
            return;
        }
        tracing::warn!("requests share the {open} open connections to the database: {error}");
        permit.forget();
        let permits = Arc::clone(&self.permits);
        rocket::tokio::spawn(async move {
            sleep(SUSPENSION).await;
            permits.add_permits(1);
        });
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        let Server(options) = self.connections.manager();
        format!("{}:{}", options.get_host(), options.get_port())
    }

    /// The number of open connections, and of idle ones among them.
    pub(super) fn connections(&self) -> (usize, usize) {
        let status = self.connections.status();
        (status.size, status.available)
    }

    /// Closes idle connections, forever.
    pub(super) async fn close_idle_connections(&self) {
        loop {
            sleep(IDLE_INTERVAL).await;
            let is_in_use =
                |_: &MySqlConnection, metrics: Metrics| metrics.last_used() < IDLE_LIFETIME;
            for connection in self.connections.retain(is_in_use).removed {
                // The connection has left the pool, so a failed close has no consequence.
                let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
            }
        }
    }
}

/// Opens connections to the server, and checks them before reuse.
struct Server(MySqlConnectOptions);

impl Manager for Server {
    type Type = MySqlConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<MySqlConnection> {
        let mut connection = loop {
            match self.0.connect().await {
                Err(sqlx::Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    sleep(CONNECT_RETRY_INTERVAL).await;
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
            return Err(managed::RecycleError::message("the connection has expired"));
        }
        if metrics.last_used() > PING_AFTER_IDLE {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// A connection in use. It is closed unless it is released, because a task that was cancelled or panicked may have left
/// a statement unfinished. Its permit becomes free when it is dropped.
pub(crate) struct PooledConnection {
    object: Option<Object<Server>>,
    _permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    /// Returns the connection to the pool, after the rollback of a transaction that was left open.
    pub(super) fn release(mut self) {
        // A dropped transaction only queues its rollback, which is sent with the next statement.
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

const PRESENT: &str = "the connection is present until it is released or dropped";

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

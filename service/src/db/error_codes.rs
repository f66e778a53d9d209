//! The consequence of an error of MySQL: an immediate retry, a 503, or an internal error.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

use crate::db::error::Error;

/// <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
mod server_error {
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    /// A statement with `NOWAIT` found a lock.
    pub(super) const LOCK_NOWAIT: u16 = 3572;
    /// The transaction was rolled back or did not begin, and succeeds if it is retried: a deadlock, a lock wait
    /// timeout, a table that a migration has just changed, a statement that has to be prepared again, a rollback at
    /// commit (group replication).
    pub(super) const RETRYABLE: [u16; 5] = [1213, LOCK_WAIT_TIMEOUT, 1412, 1615, 3101];
    /// The statement was interrupted by its time limit or by `KILL QUERY`; the connection is intact.
    pub(super) const INTERRUPTED: [u16; 2] = [3024, 1317];
    /// Too many connections: in total, concurrent ones of this account, of this account within an hour; no thread for
    /// another one.
    pub(super) const TOO_MANY_CONNECTIONS: [u16; 4] = [1040, 1203, 1226, 1135];
    /// Shutdown (1053, 1077, 1079, 1080), offline mode (3032, 3168), a closed connection (3169, 4031), network errors
    /// and packets out of order (1152, 1158 to 1161, 1184, 1835), a failed commit (1180), also in a replication hook
    /// (3100).
    pub(super) const UNAVAILABLE: [u16; 17] = [
        1053, 1077, 1079, 1080, 3032, 3168, 3169, 4031, 1152, 1158, 1159, 1160, 1161, 1184, 1835,
        1180, 3100,
    ];
    /// Out of resources: disk, files and errors of the storage engine about either, memory, locks, tables, prepared
    /// statements, the binary log.
    pub(super) const OUT_OF_RESOURCES: [u16; 13] = [
        1021, 1016, 1023, 1026, 1030, 1037, 1038, 1041, 1114, 1197, 1206, 1461, 1598,
    ];
    /// A replica after a failover; a new connection reaches the new primary.
    pub(super) const READ_ONLY: [u16; 3] = [1290, 1792, 1836];
}

/// `EMFILE` and `ENFILE`: no file descriptor is left in this process or in the system.
const TOO_MANY_OPEN_FILES: [i32; 2] = [24, 23];

fn number(error: &sqlx::Error) -> Option<u16> {
    error
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(MySqlDatabaseError::number)
}

fn is_one_of(error: &sqlx::Error, numbers: &[u16]) -> bool {
    number(error).is_some_and(|number| numbers.contains(&number))
}

/// Whether the unit of work can be retried at once, because it had no effect.
pub(super) fn is_retryable(error: &sqlx::Error) -> bool {
    is_one_of(error, &server_error::RETRYABLE)
}

/// Whether another transaction is the cause: a statement reached its timeout while it waited for a lock, or found one
/// that it must not wait for, or a row has the unique key of another one.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    const LOCKED: [u16; 2] = [server_error::LOCK_WAIT_TIMEOUT, server_error::LOCK_NOWAIT];
    is_one_of(error, &LOCKED) || is_duplicate(error)
}

/// Whether a row has the unique key of another one.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether a statement with `NOWAIT` found a lock.
pub(crate) fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Broken(error) if number(error) == Some(server_error::LOCK_NOWAIT))
}

/// Whether a table does not exist.
pub(super) fn is_missing_table(error: &sqlx::Error) -> bool {
    number(error) == Some(server_error::NO_SUCH_TABLE)
}

/// Whether no further connection can be opened.
pub(super) fn is_connection_limit(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error
            .raw_os_error()
            .is_some_and(|number| TOO_MANY_OPEN_FILES.contains(&number)),
        error => is_one_of(error, &server_error::TOO_MANY_CONNECTIONS),
    }
}

/// Whether the database or the network is temporarily unavailable.
pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => {
            is_retryable(error)
                || is_one_of(error, &server_error::INTERRUPTED)
                || is_one_of(error, &server_error::TOO_MANY_CONNECTIONS)
                || is_one_of(error, &server_error::UNAVAILABLE)
                || is_one_of(error, &server_error::OUT_OF_RESOURCES)
                || is_one_of(error, &server_error::READ_ONLY)
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether the connection is unusable after the error.
pub(super) fn breaks_connection(error: &sqlx::Error) -> bool {
    is_unavailable(error) && !is_retryable(error) && !is_one_of(error, &server_error::INTERRUPTED)
}

/// Whether the TLS handshake failed, which waiting does not fix. rustls reports an untrusted certificate as invalid
/// data.
pub(super) fn is_tls_failure(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

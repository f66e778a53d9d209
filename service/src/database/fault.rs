//! What an error of MySQL or of the connection to it means for the unit of work that it ended.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

/// Numbers of MySQL's errors, by their meaning
/// (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>). A number that is not listed is a fault
/// of the service.
mod server_error {
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    /// A statement with `NOWAIT` met a lock.
    pub(super) const LOCKED: u16 = 3572;
    /// MySQL took the statement or the transaction back and asks for a retry: deadlock, lock wait timeout, a table whose
    /// definition changed meanwhile, a prepared statement that must be prepared again, a rollback by group replication.
    pub(super) const ROLLED_BACK: [u16; 5] = [1213, LOCK_WAIT_TIMEOUT, 1412, 1615, 3101];
    /// One statement was ended, and the connection is as good as before: `KILL QUERY`, `max_execution_time`.
    pub(super) const INTERRUPTED: [u16; 2] = [1317, 3024];
    /// A replica after a failover; another connection finds the new primary.
    pub(super) const READ_ONLY: [u16; 3] = [1290, 1792, 1836];
    /// The server opens no connection more: of all, of this user, of this account.
    pub(super) const TOO_MANY_CONNECTIONS: [u16; 3] = [1040, 1203, 1226];
    /// The connection or the server ends: shutdown, `KILL`, an aborted or idle connection, a network error, offline mode,
    /// a server that no longer knows what was prepared on it.
    pub(super) const AWAY: [u16; 15] = [
        1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1243, 3032, 3168, 3169, 4031,
    ];
    /// No room, on the disk, in memory or in a table of the server's: disk full, out of memory, out of resources, error
    /// on read or write, error of the storage engine, table full, no new thread, error during commit or rollback, lock
    /// table full, binary log full or failing, too many prepared statements or transactions, undo log full, capacity
    /// exceeded, a failing hook before the commit.
    pub(super) const EXHAUSTED: [u16; 19] = [
        1021, 1024, 1026, 1030, 1037, 1038, 1041, 1114, 1135, 1180, 1181, 1197, 1206, 1461, 1598,
        1637, 3019, 3100, 3170,
    ];
}

fn number(fault: &sqlx::Error) -> Option<u16> {
    fault
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(MySqlDatabaseError::number)
}

fn is_one_of(fault: &sqlx::Error, numbers: &[u16]) -> bool {
    number(fault).is_some_and(|number| numbers.contains(&number))
}

/// Whether MySQL took back what was done, so that the unit of work may be tried again.
pub(super) fn is_rolled_back(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &server_error::ROLLED_BACK)
}

/// Whether a statement gave up waiting for a lock.
pub(super) fn is_lock_wait(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &[server_error::LOCK_WAIT_TIMEOUT])
}

/// Whether a statement that does not wait for locks met one.
pub(super) fn is_locked(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &[server_error::LOCKED])
}

/// Whether a table is missing.
pub(super) fn is_missing_table(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &[server_error::NO_SUCH_TABLE])
}

/// Whether the server refuses to open one more connection, while those that are open go on.
pub(super) fn is_refused_for_number(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &server_error::TOO_MANY_CONNECTIONS)
}

/// Whether the database is away, overloaded or out of room: nothing that the request or the service did wrong.
pub(super) fn is_away(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(_) => {
            is_interrupted(fault) || is_rolled_back(fault) || ends_connection(fault)
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

/// A certificate that does not verify arrives as data that is not valid. No waiting mends it.
pub(super) fn is_untrusted(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(fault) => fault.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Whether the connection must not be used again.
pub(super) fn spoils_connection(fault: &sqlx::Error) -> bool {
    is_away(fault) && !is_rolled_back(fault) && !is_interrupted(fault)
}

fn is_interrupted(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &server_error::INTERRUPTED)
}

fn ends_connection(fault: &sqlx::Error) -> bool {
    is_refused_for_number(fault)
        || is_one_of(fault, &server_error::READ_ONLY)
        || is_one_of(fault, &server_error::AWAY)
        || is_one_of(fault, &server_error::EXHAUSTED)
}

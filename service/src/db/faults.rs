//! What a fault of MySQL means for whoever asked: to try again at once, to come again in a moment, or a fault of ours.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

use crate::db::error::Error;

/// <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
mod server_error {
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    /// A statement that does not wait for locks found one.
    pub(super) const LOCKED: u16 = 3572;
    /// The work was rolled back, or not begun, and succeeds if it is done again: a deadlock, a lock wait, a table that a
    /// migration has just changed, a statement that has to be prepared again, a rollback at the commit (group replication).
    pub(super) const TRY_AGAIN: [u16; 5] = [1213, LOCK_WAIT_TIMEOUT, 1412, 1615, 3101];
    /// The statement was ended, the connection is as good as before: by its time limit, or by `KILL QUERY`.
    pub(super) const ENDED: [u16; 2] = [3024, 1317];
    /// Too many connections: of all, of this account at once, of this account within an hour; no thread for another one.
    pub(super) const NO_MORE_CONNECTIONS: [u16; 4] = [1040, 1203, 1226, 1135];
    /// Shutting down (1053, 1077, 1079, 1080), offline (3032, 3168), the connection was ended (3169, 4031), cut off or
    /// out of step (1152, 1158 to 1161, 1184, 1835); a commit that went wrong (1180), by a hook of replication too (3100).
    pub(super) const AWAY: [u16; 17] = [
        1053, 1077, 1079, 1080, 3032, 3168, 3169, 4031, 1152, 1158, 1159, 1160, 1161, 1184, 1835,
        1180, 3100,
    ];
    /// No room: disk, files and what the storage engine says of either, memory, locks, tables, prepared statements, the
    /// binary log.
    pub(super) const FULL: [u16; 13] = [
        1021, 1016, 1023, 1026, 1030, 1037, 1038, 1041, 1114, 1197, 1206, 1461, 1598,
    ];
    /// A replica after a failover; another connection finds the new primary.
    pub(super) const READ_ONLY: [u16; 3] = [1290, 1792, 1836];
}

/// No file descriptor is left: in this process, in the system.
const NO_MORE_FILES: [i32; 2] = [24, 23];

fn number(fault: &sqlx::Error) -> Option<u16> {
    fault
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(MySqlDatabaseError::number)
}

fn is_one_of(fault: &sqlx::Error, numbers: &[u16]) -> bool {
    number(fault).is_some_and(|number| numbers.contains(&number))
}

/// Whether the work may be done again at once, because none of it was done.
pub(super) fn is_to_be_tried_again(fault: &sqlx::Error) -> bool {
    is_one_of(fault, &server_error::TRY_AGAIN)
}

/// Whether a statement gave up waiting for a lock.
pub(super) fn is_lock_wait(fault: &sqlx::Error) -> bool {
    number(fault) == Some(server_error::LOCK_WAIT_TIMEOUT)
}

/// Whether a statement that does not wait for locks found one.
pub(crate) fn is_locked(fault: &Error) -> bool {
    matches!(fault, Error::Broken(fault) if number(fault) == Some(server_error::LOCKED))
}

/// Whether a table does not exist.
pub(super) fn is_no_table(fault: &sqlx::Error) -> bool {
    number(fault) == Some(server_error::NO_SUCH_TABLE)
}

/// Whether no connection can be opened beside those that there are.
pub(super) fn is_no_more_connections(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Io(fault) => fault
            .raw_os_error()
            .is_some_and(|number| NO_MORE_FILES.contains(&number)),
        fault => is_one_of(fault, &server_error::NO_MORE_CONNECTIONS),
    }
}

/// Whether the fault is the database's or the way's to it, and passes.
pub(super) fn is_away(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Database(_) => {
            is_to_be_tried_again(fault)
                || is_one_of(fault, &server_error::ENDED)
                || is_one_of(fault, &server_error::NO_MORE_CONNECTIONS)
                || is_one_of(fault, &server_error::AWAY)
                || is_one_of(fault, &server_error::FULL)
                || is_one_of(fault, &server_error::READ_ONLY)
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

/// Whether the connection must not be used again.
pub(super) fn spoils_connection(fault: &sqlx::Error) -> bool {
    is_away(fault) && !is_to_be_tried_again(fault) && !is_one_of(fault, &server_error::ENDED)
}

/// A certificate that does not verify arrives as data that is not valid. No waiting mends it.
pub(super) fn is_untrusted(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(fault) => fault.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

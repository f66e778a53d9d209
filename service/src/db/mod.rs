//! MySQL: the connection pool, timeouts, retries of transactions, batching, and the migrations of the schema.

mod batch;
mod commit_signal;
mod database;
mod error;
mod error_codes;
mod fairing;
mod migrate;
mod pool;
mod statement;
mod time_budget;

pub(crate) use self::batch::{
    Batch, BatchLimits, BatchOutcome, Batcher, MAX_BATCH, run_individually, unless_in_conflict,
};
pub(crate) use self::commit_signal::CommitSignal;
pub(crate) use self::database::{Database, with_connection};
pub(crate) use self::error::Error;
pub(crate) use self::error_codes::{is_conflict, is_locked};
pub(crate) use self::fairing::{open, stage};
pub use self::migrate::MigrationError;
pub(crate) use self::migrate::migrate;
pub(crate) use self::statement::{
    ComposedStatement, SizedStatement, composed_statement, placeholders, sized_statement,
};
pub(crate) use self::time_budget::{DatabaseWait, budgeted};

//! MySQL: the connection pool, timeouts, the retries that MySQL asks for, batches, and the migrations of the schema.

mod batch;
mod database;
mod error;
mod fairing;
mod faults;
mod migrate;
mod pool;
mod statement;

pub(crate) use self::batch::{
    Batch, BatchLimits, BatchOutcome, Batcher, MAX_BATCH, run_individually, unless_locked,
};
pub(crate) use self::database::{Database, with_connection};
pub(crate) use self::error::Error;
pub(crate) use self::fairing::stage;
pub(crate) use self::faults::is_locked;
pub use self::migrate::MigrationError;
pub(crate) use self::migrate::migrate;
pub(crate) use self::statement::{SizedStatement, placeholders, sized_statement};

//! What those who run the service see and do: probes, metrics, the log, and stopping.

pub(crate) mod drain;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod probes;

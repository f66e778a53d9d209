//! Operations: probes, metrics, the log, signals and draining.

pub(crate) mod drain;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod probes;

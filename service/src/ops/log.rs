//! The log of the process, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends the log to standard error: JSON, one line for each event, or readable text on a terminal.
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second log in one process (tests) changes nothing.
    let _ = if std::io::stderr().is_terminal() {
        log.with_target(false).compact().try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
    // A panic is a line of the log like any other, not free text between them.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

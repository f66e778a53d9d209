//! Events that Rocket reports only through the `log` crate: a dropped header, or a failure to accept connections. Its
//! other lines are discarded, because the service logs the same events in more detail.
//!
//! Rocket 0.5 drops a header that is not UTF-8 before the service sees the request, which then seems to lack the
//! header. Rocket logs this in the task that handles the request, so the id of the task identifies the request. A test
//! asserts the wording of that line.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rocket::tokio::task;

/// The target of the line about a dropped header.
const REQUESTS: &str = "rocket::request::request";
/// The target of the line about a connection that cannot be accepted, such as for lack of file descriptors.
const CONNECTIONS: &str = "rocket_http::listener";

/// The maximum number of characters of a header's name that are kept: more than any meaningful name has.
const MAX_NAME_CHARS: usize = 64;

/// The names of dropped headers, by the tasks whose requests had them.
static DROPPED: Mutex<Option<HashMap<task::Id, Vec<String>>>> = Mutex::new(None);

struct FrameworkLog;

impl Log for FrameworkLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && [REQUESTS, CONNECTIONS].contains(&metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        if record.target() == CONNECTIONS {
            tracing::warn!("{line}");
        } else if let (Some(name), Some(task)) = (dropped_header(&line), task::try_id()) {
            let mut dropped = dropped();
            let names = dropped.get_or_insert_default().entry(task).or_default();
            names.push(name.chars().take(MAX_NAME_CHARS).collect());
        }
    }

    fn flush(&self) {}
}

fn dropped_header(line: &str) -> Option<&str> {
    line.strip_prefix("Header '")?
        .strip_suffix("' contains invalid UTF-8")
}

/// A poisoned lock is usable, because no code panics while it changes the names.
fn dropped() -> MutexGuard<'static, Option<HashMap<task::Id, Vec<String>>>> {
    DROPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs the logger. Must run before Rocket installs its own.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| match log::set_logger(&FrameworkLog) {
        Ok(()) => log::set_max_level(LevelFilter::Warn),
        Err(error) => {
            tracing::error!("headers that are not UTF-8 will be treated as absent: {error}");
        }
    });
}

/// Takes the names of the headers that Rocket dropped from the current task's request: lower case, at most 64
/// characters.
pub(crate) fn take_dropped_headers() -> Vec<String> {
    let names = task::try_id().and_then(|task| dropped().as_mut()?.remove(&task));
    names.unwrap_or_default()
}

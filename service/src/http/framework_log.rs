//! What Rocket says through the `log` crate and in no other way: that it dropped a header, or that no connection can be
//! accepted. All else that it says, our own log says better.
//!
//! Rocket 0.5 drops a header that is not UTF-8 before any code of ours sees the request, which then seems to be one without
//! it. Rocket's line about that is written by the task that handles the request afterwards, so the task's id tells which
//! request it is about. A test holds the wording of the line.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rocket::tokio::task;

/// Who says that a header is dropped.
const REQUESTS: &str = "rocket::request::request";
/// Who says that no connection can be accepted, such as for want of file descriptors. It then waits for a moment.
const CONNECTIONS: &str = "rocket_http::listener";

/// Characters of a header's name that are kept: more than any name that means something has, and little for the log.
const LONGEST_NAME: usize = 64;

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
            names.push(name.chars().take(LONGEST_NAME).collect());
        }
    }

    fn flush(&self) {}
}

fn dropped_header(line: &str) -> Option<&str> {
    line.strip_prefix("Header '")?
        .strip_suffix("' contains invalid UTF-8")
}

/// Nobody leaves the names half changed, so a panic elsewhere spoils nothing.
fn dropped() -> MutexGuard<'static, Option<HashMap<task::Id, Vec<String>>>> {
    DROPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to Rocket from now on. To be called before Rocket takes the place for a log of its own.
pub(crate) fn listen_to_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| match log::set_logger(&FrameworkLog) {
        Ok(()) => log::set_max_level(LevelFilter::Warn),
        Err(fault) => {
            tracing::error!("headers that are not UTF-8 will be taken for absent: {fault}");
        }
    });
}

/// Takes the names, in lower case and cut at 64 characters, of the headers that Rocket dropped of the request that this task handles.
pub(crate) fn take_dropped_headers() -> Vec<String> {
    let names = task::try_id().and_then(|task| dropped().as_mut()?.remove(&task));
    names.unwrap_or_default()
}

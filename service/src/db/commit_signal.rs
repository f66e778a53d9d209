//! The signal by which the transactions of this replica wake its tailer.

use std::sync::Arc;

use rocket::futures::FutureExt as _;
use rocket::tokio::sync::Notify;

/// Tells one task that this replica has committed rows that event streams tell. Any number of commits between two waits
/// are one signal. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct CommitSignal(Arc<Notify>);

impl CommitSignal {
    /// Wakes the task that waits; if none does, the next wait ends at once.
    pub(crate) fn notify(&self) {
        self.0.notify_one();
    }

    /// Waits for a commit since the last wait. Cancel-safe.
    pub(crate) async fn wait(&self) {
        self.0.notified().await;
    }

    /// Whether there was a commit since the last wait, which this ends.
    pub(crate) fn take(&self) -> bool {
        self.wait().now_or_never().is_some()
    }
}

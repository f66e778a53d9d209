//! The memory of all listeners of a replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the messages that wait for listeners, and the events that are being written, may take together. A replica has
/// 256 MB, of which streams also need what lies between them and the network ([`super::stream::PIECE`]).
const MOST: usize = 16 * 1024 * 1024;

/// Counts the bytes that are held; clones count together.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// Bytes that are counted as long as this is there.
pub(super) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            budget: self.clone(),
            bytes,
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Charge {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

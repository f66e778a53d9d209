//! The memory of all subscribers of a replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all queued messages and all events in progress may take together. A replica has 256 MB, of which
/// streams also need the buffers between them and the network (`CHUNK_SIZE` in `stream.rs`).
const LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Counts the bytes that are in use; clones share the count.
#[derive(Clone, Default)]
pub(super) struct MemoryBudget(Arc<AtomicUsize>);

/// Bytes that are counted until this is dropped.
pub(super) struct MemoryCharge {
    budget: MemoryBudget,
    bytes: usize,
}

impl MemoryBudget {
    pub(super) fn charge(&self, bytes: usize) -> MemoryCharge {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        MemoryCharge {
            budget: self.clone(),
            bytes,
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) > LIMIT_BYTES
    }

    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl MemoryCharge {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for MemoryCharge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

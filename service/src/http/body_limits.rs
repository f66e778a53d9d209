//! How large a request body may be, and how slow.

use std::time::Duration;

/// The largest body in bytes. A message of 65,535 bytes fits also where JSON needs six bytes for each.
pub(crate) const BODY_LIMIT_BYTES: u64 = 512 * 1024;

/// How long a body may take to arrive once the request is authorised. Far shorter than the minute for which the deletion
/// of a deleted account is kept, and shorter than what proxies give a request (Traefik's `readTimeout`: 10 s), so that the
/// answer is a problem document of ours.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(8);

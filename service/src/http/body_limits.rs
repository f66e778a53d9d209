//! The limits on the size and the arrival time of request bodies.

use std::time::Duration;

/// The maximum size of a body in bytes. A message of 65,535 bytes fits even if JSON escapes each byte with six.
pub(crate) const BODY_LIMIT_BYTES: u64 = 512 * 1024;

/// The time that a body may take to arrive after the request was authorised. It is far shorter than the minute for
/// which the deletion of an account stays pending, and shorter than the timeout of the proxy (Traefik's `readTimeout`:
/// 10 s), so that the client gets a problem document.
///
/// It does not cover the first 14 bytes: Rocket waits for them, in search of a form's `_method`, before it runs any code
/// of the service. If a body stops before them, only the proxy's timeout ends the request.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(8);

//! Closing connections with the next response, so that clients reconnect to another replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Header;
use rocket::{Request, Response};

/// Closes the connection of every response, once that has begun. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct Closing(Arc<AtomicBool>);

impl Closing {
    /// Begins to close connections.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// The header that closes the connection, if that has begun (RFC 9112 section 9.6).
    pub(crate) fn header(&self) -> Option<Header<'static>> {
        let has_begun = self.0.load(Ordering::Acquire);
        has_begun.then(|| Header::new("Connection", "close"))
    }
}

#[rocket::async_trait]
impl Fairing for Closing {
    fn info(&self) -> Info {
        Info {
            name: "closing connections",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(close) = self.header() {
            response.set_header(close);
        }
    }
}

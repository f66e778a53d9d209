//! In how many pieces an answer is written to the network.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Request, Response};

/// Bytes of one piece, at most: beyond that a system call costs little beside its content.
const LARGEST: usize = 64 * 1024;

/// Writes an answer whose length is known in as few pieces as can be. Rocket's own are of 4 KiB, so that a page of
/// messages took two system calls here and two at the client.
pub(crate) struct FewPieces;

#[rocket::async_trait]
impl Fairing for FewPieces {
    fn info(&self) -> Info {
        Info {
            name: "few pieces",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(size) = response.body_mut().size().await {
            response.set_max_chunk_size(size.clamp(1, LARGEST));
        }
    }
}

//! Responses in chunks: how they are built, how long their memory is held and how they are written to the network.

use std::collections::VecDeque;
use std::io::{self, SeekFrom, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::ContentType;
use rocket::response::{self, Responder};
use rocket::tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use rocket::{Request, Response};
use serde::Serialize;

use crate::http::budget::Reservation;
use crate::http::problem::Problem;

/// The maximum number of bytes of a chunk: above it, the cost of a system call is negligible.
const MAX_CHUNK_BYTES: usize = 64 * 1024;

/// JSON in chunks. Each is freed when it is written, along with its share of the budget.
pub(crate) struct JsonChunks {
    chunks: VecDeque<Vec<u8>>,
    /// The bytes of the first chunk that are written.
    written: usize,
    reservation: Option<Reservation>,
}

impl JsonChunks {
    /// Serialises a value.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, Problem> {
        let mut chunks = Self {
            chunks: VecDeque::new(),
            written: 0,
            reservation: None,
        };
        serde_json::to_writer(&mut chunks, value).map_err(Problem::internal)?;
        Ok(chunks)
    }

    /// The chunks in their order. The same content always has the same chunks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(Vec::as_slice)
    }

    /// Keeps the reservation until the chunks are written.
    pub(crate) fn reserved(mut self, mut reservation: Reservation) -> Self {
        reservation.shrink_to(self.len());
        self.reservation = Some(reservation);
        self
    }

    fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum::<usize>() - self.written
    }
}

impl Write for JsonChunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has_room = self
            .chunks
            .back()
            .is_some_and(|last| last.len() < MAX_CHUNK_BYTES);
        if !has_room {
            let capacity = if self.chunks.is_empty() {
                1024
            } else {
                MAX_CHUNK_BYTES
            };
            self.chunks.push_back(Vec::with_capacity(capacity));
        }
        let Some(last) = self.chunks.back_mut() else {
            return Ok(0);
        };
        let count = bytes.len().min(MAX_CHUNK_BYTES - last.len());
        last.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for JsonChunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let written = self.written;
        let Some(first) = self.chunks.front() else {
            return Poll::Ready(Ok(()));
        };
        let rest = &first[written..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        if count < rest.len() {
            self.written += count;
            return Poll::Ready(Ok(()));
        }
        self.chunks.pop_front();
        self.written = 0;
        let left = self.len();
        if let Some(reservation) = &mut self.reservation {
            reservation.shrink_to(left);
        }
        Poll::Ready(Ok(()))
    }
}

/// Required by Rocket, but never called, because the size of the body is known.
impl AsyncSeek for JsonChunks {
    fn start_seek(self: Pin<&mut Self>, _: SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl<'r> Responder<'r, 'static> for JsonChunks {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .header(ContentType::JSON)
            .sized_body(self.len(), self)
            .ok()
    }
}

/// Writes a small response of known length in one chunk. With Rocket's chunks of 4 KiB, a page of messages takes two
/// system calls here and two at the client. Large responses keep those chunks, because the HTTP library queues up to
/// sixteen chunks per connection, in memory that the budget does not count.
pub(crate) struct ResponseChunking;

#[rocket::async_trait]
impl Fairing for ResponseChunking {
    fn info(&self) -> Info {
        Info {
            name: "response chunking",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(size @ 1..=MAX_CHUNK_BYTES) = response.body_mut().size().await {
            response.set_max_chunk_size(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::tokio::io::AsyncReadExt as _;

    use super::*;

    #[rocket::async_test]
    async fn a_message_reads_as_it_was_written() {
        for length in [
            1,
            MAX_CHUNK_BYTES - 3,
            MAX_CHUNK_BYTES - 2,
            MAX_CHUNK_BYTES,
            3 * MAX_CHUNK_BYTES + 7,
        ] {
            let text = "\u{1}x".repeat(length / 2 + 1);
            let mut chunks = JsonChunks::of(&text).expect("JSON");
            assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK_BYTES));
            let (size, mut read) = (chunks.len(), Vec::new());
            chunks.read_to_end(&mut read).await.expect("nothing fails");
            assert_eq!(read, serde_json::to_vec(&text).expect("JSON"));
            assert_eq!(size, read.len());
        }
    }
}

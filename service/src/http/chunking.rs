//! Answers in pieces: how they are made, how long they are held and how they are written to the network.

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

/// Bytes of one piece, at most: beyond that a system call costs little beside its content.
const LARGEST: usize = 64 * 1024;

/// JSON in pieces, each of which is freed when it is written, with its part of the budget.
pub(crate) struct JsonChunks {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that are written.
    written: usize,
    reservation: Option<Reservation>,
}

impl JsonChunks {
    /// What is written for this value.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, Problem> {
        let mut pieces = Self {
            pieces: VecDeque::new(),
            written: 0,
            reservation: None,
        };
        serde_json::to_writer(&mut pieces, value).map_err(Problem::internal)?;
        Ok(pieces)
    }

    /// The pieces in their order. The same content is always cut into the same.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    /// Counts in the budget as long as it is not written.
    pub(crate) fn reserved(mut self, mut reservation: Reservation) -> Self {
        reservation.shrink_to(self.len());
        self.reservation = Some(reservation);
        self
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.written
    }
}

impl Write for JsonChunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has_room = self.pieces.back().is_some_and(|last| last.len() < LARGEST);
        if !has_room {
            let capacity = if self.pieces.is_empty() {
                1024
            } else {
                LARGEST
            };
            self.pieces.push_back(Vec::with_capacity(capacity));
        }
        let Some(last) = self.pieces.back_mut() else {
            return Ok(0);
        };
        let count = bytes.len().min(LARGEST - last.len());
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
        let Some(first) = self.pieces.front() else {
            return Poll::Ready(Ok(()));
        };
        let rest = &first[written..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        if count < rest.len() {
            self.written += count;
            return Poll::Ready(Ok(()));
        }
        self.pieces.pop_front();
        self.written = 0;
        let left = self.len();
        if let Some(reservation) = &mut self.reservation {
            reservation.shrink_to(left);
        }
        Poll::Ready(Ok(()))
    }
}

/// Its size is known, so nobody looks for its end.
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

/// Writes an answer whose length is known and small in one piece. Rocket's own are of 4 KiB, so that a page of messages
/// took two system calls here and two at the client. A large answer keeps to those: for each connection up to sixteen
/// pieces wait in the HTTP library, which is memory that no budget counts.
pub(crate) struct ResponseChunking;

#[rocket::async_trait]
impl Fairing for ResponseChunking {
    fn info(&self) -> Info {
        Info {
            name: "few pieces",
            kind: Kind::Response,
        }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(size @ 1..=LARGEST) = response.body_mut().size().await {
            response.set_max_chunk_size(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::tokio::io::AsyncReadExt as _;

    use super::*;

    #[rocket::async_test]
    async fn what_was_written_is_what_is_read() {
        for length in [1, LARGEST - 3, LARGEST - 2, LARGEST, 3 * LARGEST + 7] {
            let text = "\u{1}x".repeat(length / 2 + 1);
            let mut pieces = JsonChunks::of(&text).expect("JSON");
            assert!(pieces.iter().all(|piece| piece.len() <= LARGEST));
            let (size, mut read) = (pieces.len(), Vec::new());
            pieces.read_to_end(&mut read).await.expect("nothing fails");
            assert_eq!(read, serde_json::to_vec(&text).expect("JSON"));
            assert_eq!(size, read.len());
        }
    }
}

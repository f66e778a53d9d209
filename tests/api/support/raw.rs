//! Raw HTTP: bytes that no client library would send, and the bytes of the response.

use rocket::futures::stream::{self, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::PATIENCE;

/// The silence after which the sending half of a connection is closed, so that a service that waits for more data stops
/// waiting.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Concurrent exchanges.
const AT_ONCE: usize = 24;
/// Concurrent requests of one account that all need a response: more searches of an account would be rejected.
const OF_ACCOUNT_AT_ONCE: usize = 6;

/// Attempts of a request that gets a 503.
const TRIES: usize = 300;

/// The data received on a connection until the service closed it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) text: String,
}

impl Received {
    /// The status of the first response; `None` if the connection was closed without one.
    pub(crate) fn status(&self) -> Option<u16> {
        status_line(&self.text)
    }

    /// Whether the response is a 503 with a `Retry-After`.
    fn asks_to_retry(&self) -> bool {
        self.status() == Some(503) && self.header("Retry-After").is_some()
    }

    /// The statuses of all responses on the connection.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.text
            .match_indices("HTTP/1.")
            .filter_map(|(at, _)| status_line(&self.text[at..]))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| {
            let (given, value) = line.split_once(": ")?;
            given.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }

    /// The error in the response; `None` if it is a success or a complete problem document below 500.
    ///
    /// The HTTP library rejects requests that it cannot parse itself, without a body.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.statuses().iter().any(|status| *status >= 500) {
            return Some("a server error".to_owned());
        }
        let status = self.status()?;
        let by_the_library = matches!(status, 400 | 414 | 431) && self.body().is_empty();
        if status < 400 || by_the_library {
            return None;
        }
        if self.header("Content-Type") != Some("application/problem+json") {
            return Some("not a problem document".to_owned());
        }
        let json: Value = serde_json::from_str(self.body()).unwrap_or_default();
        let is_text = |member: &str| json[member].as_str().is_some_and(|text| !text.is_empty());
        let is_whole = ["type", "title", "detail", "instance"]
            .into_iter()
            .all(is_text);
        (json["status"] != status || !is_whole).then(|| "an incomplete problem document".to_owned())
    }
}

fn status_line(text: &str) -> Option<u16> {
    text.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

/// A connection to the service.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("an address");
        Self {
            stream: TcpStream::connect(address)
                .await
                .expect("the service listens"),
            received: Vec::new(),
        }
    }

    /// Sends bytes; the service may close the connection before it has read all of them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads until the text was received.
    pub(crate) async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.received).contains(text) {
            assert!(
                timeout(PATIENCE, self.read_some())
                    .await
                    .expect("something comes"),
                "the connection ended before '{text}'"
            );
        }
    }

    /// Reads until a response has begun or the connection has ended.
    async fn read_head(&mut self) {
        let head = async {
            while !String::from_utf8_lossy(&self.received).contains("\r\n\r\n")
                && self.read_some().await
            {}
        };
        assert!(timeout(PATIENCE, head).await.is_ok(), "no answer");
    }

    /// Reads to the end of the connection. After a silence, closes its sending half.
    pub(crate) async fn finish(mut self) -> Received {
        while let Ok(more) = timeout(SILENCE, self.read_some()).await {
            if !more {
                return self.into_received();
            }
        }
        let _ = self.stream.shutdown().await;
        let rest = async { while self.read_some().await {} };
        assert!(
            timeout(PATIENCE, rest).await.is_ok(),
            "the service keeps a connection on which nothing more can come"
        );
        self.into_received()
    }

    /// Reads to the end of the connection, which the service closes after its response.
    pub(crate) async fn answer(mut self) -> Received {
        let all = async { while self.read_some().await {} };
        assert!(timeout(PATIENCE, all).await.is_ok(), "no answer");
        self.into_received()
    }

    /// Reads some bytes; `false` if the connection has ended or was reset.
    async fn read_some(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.received).await, Ok(1..))
    }

    fn into_received(self) -> Received {
        Received {
            text: String::from_utf8_lossy(&self.received).into_owned(),
        }
    }
}

/// Sends bytes on a new connection and reads the response.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> Received {
    let mut connection = Connection::open(url).await;
    connection.send(bytes).await;
    connection.finish().await
}

/// The same for a complete request with `Connection: close`, whose response may take long.
async fn ask(url: &str, bytes: &[u8]) -> Received {
    let mut connection = Connection::open(url).await;
    connection.send(bytes).await;
    connection.answer().await
}

/// The same for a complete request that may open a stream: the response may begin late, and a silent stream is closed.
async fn ask_or_listen(url: &str, bytes: &[u8]) -> Received {
    let mut connection = Connection::open(url).await;
    connection.send(bytes).await;
    connection.read_head().await;
    connection.finish().await
}

/// Exchanges many requests, some concurrently. Returns each request with its response.
pub(crate) async fn exchange_all(url: &str, requests: Vec<Vec<u8>>) -> Vec<(String, Received)> {
    at_once(AT_ONCE, requests, async |bytes| exchange(url, bytes).await).await
}

/// Sends many complete requests of one account with `Connection: close`, some concurrently. Returns each request with
/// its response.
pub(crate) async fn ask_all(url: &str, requests: Vec<Vec<u8>>) -> Vec<(String, Received)> {
    at_once(OF_ACCOUNT_AT_ONCE, requests, async |bytes| {
        ask(url, bytes).await
    })
    .await
}

/// The same for requests of which some open a stream.
pub(crate) async fn ask_or_listen_all(
    url: &str,
    requests: Vec<Vec<u8>>,
) -> Vec<(String, Received)> {
    at_once(AT_ONCE, requests, async |bytes| {
        ask_or_listen(url, bytes).await
    })
    .await
}

async fn at_once(
    count: usize,
    requests: Vec<Vec<u8>>,
    ask: impl AsyncFn(&[u8]) -> Received,
) -> Vec<(String, Received)> {
    let exchanges = requests.into_iter().map(async |request| {
        let mut received = ask(&request).await;
        // On a busy machine the database may time out. Such a request is retried after the second that the service asks
        // for.
        for _ in 1..TRIES {
            if !received.asks_to_retry() {
                break;
            }
            sleep(SILENCE).await;
            received = ask(&request).await;
        }
        // Enough to identify the request.
        let start = &request[..request.len().min(1_000)];
        (String::from_utf8_lossy(start).into_owned(), received)
    });
    stream::iter(exchanges)
        .buffer_unordered(count)
        .collect()
        .await
}

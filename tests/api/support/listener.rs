//! A client of event streams.

use std::collections::VecDeque;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::PATIENCE;
use super::api::User;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
    pub(crate) retry: Option<u64>,
}

impl Event {
    fn parse(block: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(field, _)| *field == name)
                .map(|(_, value)| value.trim_start().to_owned())
        };
        Some(Self {
            name: field("event")?,
            id: field("id")?,
            data: serde_json::from_str(&field("data")?).expect("the data is JSON"),
            retry: field("retry").map(|text| text.parse().expect("a number")),
        })
    }

    /// The id of the event's message.
    pub(crate) fn message(&self) -> u64 {
        assert_eq!(self.name, "message", "{self:?}");
        self.data["id"].as_u64().expect("an id")
    }
}

/// The id of an event after which a client has the messages up to this one, perhaps without one before it, and the
/// changes up to this one.
pub(crate) fn position(message: u64, missing: Option<u64>, change: u64) -> String {
    const CHANGES: u64 = 10_000_000_000_000_000;
    let next = message + 1;
    let (missing, gap) = match missing {
        Some(missing) => (format!("{missing}_"), next - missing),
        None => (String::new(), next),
    };
    format!("{}-{missing}{gap}+{}", CHANGES + change, CHANGES - 1 - next)
}

/// An open stream of events.
pub(crate) struct Listener {
    response: Response,
    unread: String,
    events: VecDeque<Event>,
    /// The id of the last event that was read.
    pub(crate) last_id: String,
}

impl Listener {
    /// Opens a stream, and reads the `hello`.
    pub(crate) async fn of(user: &User) -> Self {
        Self::after(user, None).await
    }

    /// Resumes after the event with this id.
    pub(crate) async fn after(user: &User, last_id: Option<&str>) -> Self {
        Self::try_after(user, last_id)
            .await
            .expect("a stream begins")
    }

    /// `None` if there is no response, or one that is not a stream.
    pub(crate) async fn try_after(user: &User, last_id: Option<&str>) -> Option<Self> {
        let mut request = user.request(Method::GET, "/events");
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.ok()?;
        if response.status() != 200 {
            return None;
        }
        assert_eq!(response.headers()["Content-Type"], "text/event-stream");
        let mut listener = Self {
            response,
            unread: String::new(),
            events: VecDeque::new(),
            last_id: String::new(),
        };
        let hello = listener.next().await?;
        assert_eq!(hello.name, "hello");
        Some(listener)
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read())
            .await
            .expect("an event or the end comes")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.last_id.clone_from(&event.id);
                return Some(event);
            }
            let chunk = self.response.chunk().await.ok()??;
            self.unread += std::str::from_utf8(&chunk).expect("the tests send ASCII");
            while let Some(end) = self.unread.find("\n\n") {
                let block: String = self.unread.drain(..end + 2).collect();
                self.events.extend(Event::parse(&block));
            }
        }
    }
}

//! All data of an account, as one JSON document.

use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Header};
use rocket::response::Responder;
use rocket::response::stream::TextStream;
use rocket::tokio::time::Instant;
use rocket::{Route, State, get, routes};
use serde::Serialize;
use utoipa::OpenApi;

use crate::auth::{Caller, IdentityLookup, TokenExpiry};
use crate::db::budgeted;
use crate::http::budget::Reservation;
use crate::http::problem::Problem;
use crate::messages::Messages;
use crate::model::account::Account;
use crate::model::block::Block;
use crate::model::invitation::Invitation;
use crate::model::message::Message;
use crate::model::page::{Mailbox, Page};
use crate::users::Users;
use crate::users::blocks::Blocks;
use crate::users::invitations::Invitations;

/// The size of the messages that a stream keeps in memory.
const CHUNK_BYTES: usize = 1024 * 1024;
/// The number of these messages. Each may have a hundred receivers.
const PER_CHUNK: u64 = 50;
/// How long the next chunk waits for its share of the memory budget.
const RESERVATION_TIMEOUT: Duration = Duration::from_secs(30);

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(export))]
pub(crate) struct Docs;

/// Attaches the export.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("export", |rocket| async {
        rocket.mount("/", budgeted(routes()))
    })
}

fn routes() -> Vec<Route> {
    routes![export]
}

/// An account with all its messages, newest first.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what is written chunk by chunk")]
pub(crate) struct Export {
    account: Account,
    /// The open invitations that the account has made.
    invitations: Vec<Invitation>,
    /// The users that the account blocks.
    blocks: Vec<Block>,
    received: Vec<Message>,
    sent: Vec<Message>,
}

/// The document, as a file that browsers save and no cache keeps.
#[derive(Responder)]
pub(crate) struct Exported<S> {
    document: (ContentType, S),
    disposition: Header<'static>,
    cache: Header<'static>,
}

/// Export your account, its open invitations, the users that it blocks, and all messages that you received or sent.
///
/// The document is streamed. It ends early, and is then not valid JSON, if the token expires or is
/// revoked in the meantime, the account is deleted, the client does not read for 20 seconds, or other large responses
/// to the account leave no memory for 30 seconds.
#[utoipa::path(tag = "users", operation_id = "exportAccount", security(("token" = [])),
    params(crate::http::docs::Owner), responses(
    (status = 200, description = "The account and its messages.", body = Export, headers(
        ("Content-Disposition" = String, description = "A file name for saving the response."))),
    crate::http::docs::AuthProblems,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/export")]
pub(crate) async fn export<'r>(
    caller: Caller,
    expiry: TokenExpiry,
    users: &State<Users>,
    invitations: &State<Invitations>,
    blocks: &State<Blocks>,
    lookup: &'r State<IdentityLookup>,
    messages: &'r State<Messages>,
) -> Result<Exported<TextStream![String + 'r]>, Problem> {
    let account = json(&users.account(&caller).await?)?;
    let invitations = json(&invitations.list(&caller).await?)?;
    let blocks = json(&blocks.list(&caller).await?)?;
    let start =
        format!("{{\"account\":{account},\"invitations\":{invitations},\"blocks\":{blocks}");
    let name = format!("attachment; filename=\"herolo-{}.json\"", caller.username());
    let until = Instant::now() + expiry.remaining();
    let source = Source {
        caller,
        until,
        lookup,
        messages,
    };
    Ok(Exported {
        document: (ContentType::JSON, document(start, source)),
        disposition: Header::new("Content-Disposition", name),
        cache: Header::new("Cache-Control", "no-store"),
    })
}

/// The resources that a stream reads the messages of an account with, for as long as the access token is valid.
struct Source<'r> {
    caller: Caller,
    until: Instant,
    lookup: &'r IdentityLookup,
    messages: &'r Messages,
}

/// Writes the document, of which `start` is everything before the messages. It ends early, and is then not valid JSON,
/// if a chunk cannot be read.
fn document(start: String, source: Source<'_>) -> TextStream![String + '_] {
    TextStream! {
        yield start;
        for (mailbox, name) in [(Mailbox::Inbox, "received"), (Mailbox::Sent, "sent")] {
            yield format!(",\"{name}\":[");
            let mut array = Array::default();
            let mut page = Some(Page { mailbox, per_page: PER_CHUNK, ..Page::DEFAULT });
            while let Some(current) = page {
                match source.chunk(&current).await {
                    Ok(chunk) => {
                        if array.needs_comma_before(&chunk.text) {
                            yield ",".to_owned();
                        }
                        yield chunk.text;
                        // The reservation lasts until the text was written.
                        drop(chunk.reservation);
                        page = chunk.next;
                    }
                    Err(problem) => {
                        tracing::info!("an export ends early: {problem:?}");
                        return;
                    }
                }
            }
            yield "]".to_owned();
        }
        yield "}\n".to_owned();
    }
}

/// A JSON array that is written in chunks.
#[derive(Default)]
struct Array {
    has_elements: bool,
}

impl Array {
    /// Whether a comma precedes the next chunk. A chunk is empty if its messages were deleted after their ids were
    /// read.
    fn needs_comma_before(&mut self, chunk: &str) -> bool {
        let needs_comma = self.has_elements && !chunk.is_empty();
        self.has_elements |= !chunk.is_empty();
        needs_comma
    }
}

/// Messages as one text, which is counted in the budget of large responses.
struct Chunk {
    text: String,
    reservation: Reservation,
    next: Option<Page>,
}

impl Source<'_> {
    /// The messages of a page, between commas, and the next page.
    async fn chunk(&self, page: &Page) -> Result<Chunk, Problem> {
        self.check_token().await?;
        let found = self
            .messages
            .page_within(&self.caller, page, CHUNK_BYTES, RESERVATION_TIMEOUT);
        let (found, mut reservation) = found.await?;
        let mut text = String::new();
        for (index, message) in found.messages.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text += &json(message)?;
        }
        reservation.shrink_to(text.len());
        let next = found.next_cursor.map(|last| page.following(last));
        Ok(Chunk {
            text,
            reservation,
            next,
        })
    }

    /// Checks the token again, because a stream may last for hours.
    async fn check_token(&self) -> Result<(), Problem> {
        let identity = self.lookup.find(self.caller.id()).await?;
        let is_valid = identity.is_some_and(|one| one.token_epoch == self.caller.token_epoch());
        if is_valid && Instant::now() < self.until {
            Ok(())
        } else {
            Err(Problem::InvalidToken)
        }
    }
}

fn json(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::Array;

    #[test]
    fn chunks_are_separated_by_commas_also_where_some_are_empty() {
        for (chunks, expected) in [
            (&["1,2", "3"][..], "1,2,3"),
            (&["", "1", "", "2"], "1,2"),
            (&["1", ""], "1"),
            (&["", ""], ""),
        ] {
            let mut array = Array::default();
            let written = chunks.iter().map(|chunk| {
                let comma = if array.needs_comma_before(chunk) {
                    ","
                } else {
                    ""
                };
                format!("{comma}{chunk}")
            });
            assert_eq!(written.collect::<String>(), expected);
        }
    }
}

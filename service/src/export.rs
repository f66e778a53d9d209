//! Everything that is somebody's, as one JSON document.

use std::time::Duration;
use utoipa::OpenApi;

use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Header};
use rocket::response::Responder;
use rocket::response::stream::TextStream;
use rocket::tokio::time::Instant;
use rocket::{Route, State, get, routes};
use serde::Serialize;

use crate::auth::{Caller, Identities, TokenExpiry};
use crate::http::budget::Reservation;
use crate::http::problem::Problem;
use crate::messages::Messages;
use crate::model::account::Account;
use crate::model::message::Message;
use crate::model::page::{Mailbox, Page};
use crate::users::Users;

/// Bytes of the messages that are held at a time, at most.
const PIECE_BYTES: usize = 1024 * 1024;
/// How many they are, at most. Each might have been sent to a hundred.
const PER_PIECE: u64 = 50;
/// How long the next piece waits for its part of the budget.
const PATIENCE: Duration = Duration::from_secs(30);

/// These operations in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(export))]
pub(crate) struct Docs;

/// Attaches the export.
pub(crate) fn stage() -> AdHoc {
    AdHoc::on_ignite("export", |rocket| async { rocket.mount("/", routes()) })
}

fn routes() -> Vec<Route> {
    routes![export]
}

/// An account with all its messages, newest first.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) struct Export {
    account: Account,
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

/// Export your account and all messages that you received or sent.
///
/// It arrives in pieces, however long it is. If something goes wrong on the way it ends early, and then it is not valid
/// JSON: if the token expires or is revoked meanwhile, the account is deleted, nobody reads for 20
/// seconds, or other large answers leave no room for 30.
#[utoipa::path(tag = "users", operation_id = "exportAccount", security(("token" = [])), params(crate::http::docs::Owner), responses(
    (status = 200, description = "All of it.", body = Export, headers(
        ("Content-Disposition" = String, description = "The name of a file to keep it in."))),
    crate::http::docs::NotTheCaller,
    crate::http::docs::Unavailable,
))]
#[get("/users/<_>/export")]
pub(crate) async fn export<'r>(
    caller: Caller,
    expiry: TokenExpiry,
    users: &State<Users>,
    identities: &'r State<Identities>,
    messages: &'r State<Messages>,
) -> Result<Exported<TextStream![String + 'r]>, Problem> {
    let account = users.account(&caller).await?;
    let name = format!("attachment; filename=\"herolo-{}.json\"", caller.username());
    let account = json(&account)?;
    let until = Instant::now() + expiry.remaining();
    let document = TextStream! {
        yield format!("{{\"account\":{account}");
        for (mailbox, name) in [(Mailbox::Inbox, "received"), (Mailbox::Sent, "sent")] {
            yield format!(",\"{name}\":[");
            let mut page = Some(Page { mailbox, per_page: PER_PIECE, ..Page::DEFAULT });
            while let Some(current) = page {
                let next = match check(&caller, until, identities).await {
                    Ok(()) => piece(messages, &caller, &current).await,
                    Err(problem) => Err(problem),
                };
                match next {
                    Ok(piece) => {
                        yield piece.text;
                        // Until here, which is when it is written.
                        drop(piece.reservation);
                        page = piece.next;
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
    };
    Ok(Exported {
        document: (ContentType::JSON, document),
        disposition: Header::new("Content-Disposition", name),
        cache: Header::new("Cache-Control", "no-store"),
    })
}

/// Whether the token is still good: what follows may be read hours after the request.
async fn check(caller: &Caller, until: Instant, identities: &Identities) -> Result<(), Problem> {
    let identity = identities.of(caller.id()).await?;
    let is_good = identity.is_some_and(|one| one.token_epoch == caller.token_epoch());
    if is_good && Instant::now() < until {
        Ok(())
    } else {
        Err(Problem::InvalidToken)
    }
}

/// Some of the messages, in one text that counts in the budget.
struct Piece {
    text: String,
    reservation: Reservation,
    next: Option<Page>,
}

/// The messages of a page, separated from those before them, and the next page.
async fn piece(messages: &Messages, caller: &Caller, page: &Page) -> Result<Piece, Problem> {
    let found = messages.page_within(caller, page, PIECE_BYTES, PATIENCE);
    let (found, mut reservation) = found.await?;
    let mut text = String::new();
    for (index, message) in found.messages.iter().enumerate() {
        if index > 0 || page.before.is_some() {
            text.push(',');
        }
        text += &json(message)?;
    }
    reservation.shrink_to(text.len());
    Ok(Piece {
        text,
        reservation,
        next: found.next_cursor.map(|last| page.following(last)),
    })
}

fn json(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(Problem::internal)
}

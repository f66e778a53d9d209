//! Everything that is somebody's, as one JSON document.

use rocket::http::{ContentType, Header};
use rocket::response::Responder;
use rocket::response::stream::TextStream;
use rocket::{Route, State, get, routes};
use serde::Serialize;

use crate::auth::Caller;
use crate::database::{Database, Error};
use crate::messages::{self, Mailbox, Message, Page};
use crate::problem::Problem;
use crate::users::{self, Account};

pub(crate) fn routes() -> Vec<Route> {
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
/// It arrives in pieces. If something goes wrong on the way it ends early, and then it is not valid JSON.
#[utoipa::path(tag = "users", operation_id = "exportAccount", security(("token" = [])), params(crate::openapi::Owner), responses(
    (status = 200, description = "All of it.", body = Export, headers(
        ("Content-Disposition" = String, description = "The name of a file to keep it in."))),
    crate::openapi::NotTheCaller,
    crate::openapi::Unavailable,
))]
#[get("/users/<_>/export")]
pub(crate) async fn export(
    caller: Caller,
    database: &State<Database>,
) -> Result<Exported<TextStream![String]>, Problem> {
    let account = users::account(database, &caller).await?;
    let name = format!("attachment; filename=\"herolo-{}.json\"", caller.username());
    let account = json(&account).map_err(Problem::internal)?;
    let database = database.inner().clone();
    let document = TextStream! {
        yield format!("{{\"account\":{account}");
        for (mailbox, name) in [(Mailbox::Inbox, "received"), (Mailbox::Sent, "sent")] {
            yield format!(",\"{name}\":[");
            let mut page = Some(Page { mailbox, per_page: Page::MOST, ..Page::DEFAULT });
            while let Some(current) = page {
                match piece(&database, &caller, &current).await {
                    Ok((text, next)) => {
                        yield text;
                        page = next;
                    }
                    Err(fault) => {
                        tracing::warn!("an export ends early: {fault}");
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

/// The messages of a page, separated from those before them, and the next page.
async fn piece(
    database: &Database,
    caller: &Caller,
    page: &Page,
) -> Result<(String, Option<Page>), Error> {
    let found = messages::store::page(database, caller, page).await?;
    let mut text = String::new();
    for (index, message) in found.messages.iter().enumerate() {
        if index > 0 || page.before.is_some() {
            text.push(',');
        }
        text += &json(message)?;
    }
    Ok((text, found.rest.map(|last| page.following(last))))
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|fault| Error::Broken(sqlx::Error::Encode(fault.into())))
}

//! Pages of a mailbox, each read by the statements for its kind.

use crate::auth::Caller;
use crate::db::{Database, Error};
use crate::messages::store::collector::{Bounds, MessagePage, PageState};
use crate::messages::store::{conversation, inbox, search, sent};
use crate::model::page::{Mailbox, Page};
use crate::model::search::Filter;

/// A page of the caller's messages within the bounds; `None` if it exceeds the budget.
pub(crate) async fn page(
    database: &Database,
    caller: &Caller,
    page: &Page,
    bounds: &mut Bounds<'_>,
) -> Result<Option<MessagePage>, Error> {
    match page.mailbox {
        _ if page.filter != Filter::NONE => search::page(database, caller, page, bounds).await,
        Mailbox::Inbox => inbox::page(database, caller, page, bounds).await,
        Mailbox::Sent => sent::page(database, caller, page, bounds).await,
        Mailbox::Conversation(id) => conversation::page(database, caller, (page, id), bounds).await,
    }
}

/// The state of a page. `None` if no index has it: the page is not of the inbox, it has a filter, or the name of a
/// sender may be about to change.
pub(crate) async fn page_state(
    database: &Database,
    caller: &Caller,
    page: &Page,
) -> Result<Option<PageState>, Error> {
    if page.mailbox != Mailbox::Inbox || page.filter != Filter::NONE {
        return Ok(None);
    }
    inbox::page_state(database, caller, page).await
}

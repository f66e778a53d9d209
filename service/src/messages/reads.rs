//! What reads pages of messages: those that most ask for are read together when they are asked for together.

use std::sync::Arc;

use crate::auth::Caller;
use crate::database::{Database, Error, Shared};
use crate::messages::model::Page;
use crate::messages::store::{self, Newest, Received};
use crate::users::Names;

/// Reads pages of messages, each as it is after it was asked for.
pub(crate) struct Reads {
    database: Database,
    newest: Shared<Newest>,
    names: Arc<Names>,
}

impl Reads {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            newest: Shared::new(database.clone()),
            names: Arc::new(Names::new()),
            database,
        }
    }

    /// A page of the caller's messages.
    pub(crate) async fn page(&self, caller: &Caller, page: &Page) -> Result<Received, Error> {
        if *page == Page::DEFAULT {
            let newest = Arc::new(Newest::new(caller.clone(), Arc::clone(&self.names)));
            return self.newest.carry_out(newest).await;
        }
        store::page(&self.database, caller, page).await
    }
}

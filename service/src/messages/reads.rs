//! Reads pages of messages. Concurrent requests for the newest page, the most frequent one, share a statement.

use std::time::Duration;

use crate::auth::Caller;
use crate::db::{Batcher, Database};
use crate::http::budget;
use crate::http::budget::{Budget, Reservation};
use crate::http::problem::Problem;
use crate::messages::store;
use crate::messages::store::bounded::Bounds;
use crate::messages::store::{Newest, NewestContext, Received};
use crate::model::message::Page;
use crate::users::Names;

/// Reads pages of messages, each as it is after it was asked for. No more of them is held than the budget has room for.
pub(crate) struct Reads {
    database: Database,
    newest: Batcher<Newest>,
    budget: Budget,
}

impl Reads {
    pub(crate) fn new(database: Database, budget: Budget) -> Self {
        Self {
            newest: Batcher::new(NewestContext {
                database: database.clone(),
                names: Names::new(),
                budget: budget.clone(),
            }),
            database,
            budget,
        }
    }

    /// A page of the caller's messages, and what it takes of the budget.
    pub(crate) async fn page(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<(Received, Reservation), Problem> {
        if *page == Page::DEFAULT
            && let Some(page) = self.newest.submit(Newest(caller.clone())).await?
        {
            return Ok(page);
        }
        self.bounded(caller, page, Page::CONTENT_BYTES, budget::PATIENCE)
            .await
    }

    /// A page of so many bytes at most. It is read without waiting, and again after waiting if that was too much.
    pub(crate) async fn bounded(
        &self,
        caller: &Caller,
        page: &Page,
        bytes: usize,
        patience: Duration,
    ) -> Result<(Received, Reservation), Problem> {
        let mut reservation = self.budget.reservation(caller.id());
        loop {
            let mut bounds = Bounds {
                bytes,
                reservation: &mut reservation,
            };
            if let Some(received) = store::page(&self.database, caller, page, &mut bounds).await? {
                return Ok((received, reservation));
            }
            reservation
                .wait(bytes.max(Page::LEAST_BYTES), patience)
                .await?;
        }
    }
}

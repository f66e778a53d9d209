//! Reads pages of messages. Concurrent requests for the newest page, the most frequent one, share a statement.

use std::time::Duration;

use crate::auth::{Caller, Claim};
use crate::db::{Batcher, Database};
use crate::http::budget;
use crate::http::budget::{Budget, Reservation};
use crate::http::problem::Problem;
use crate::messages::store;
use crate::messages::store::{Bounds, MessagePage, NewestPageContext, NewestPageRequest};
use crate::model::page::Page;
use crate::users::UsernameCache;

/// Reads pages of messages within the budget. No page predates its request.
pub(crate) struct PageReader {
    database: Database,
    newest: Batcher<NewestPageRequest>,
    budget: Budget,
}

impl PageReader {
    pub(crate) fn new(database: Database, budget: Budget) -> Self {
        Self {
            newest: Batcher::new(NewestPageContext {
                database: database.clone(),
                names: UsernameCache::new(),
            }),
            database,
            budget,
        }
    }

    /// The newest page of the user's inbox, and its part of the budget.
    pub(crate) async fn newest_page(
        &self,
        claim: &Claim<'_>,
    ) -> Result<(Caller, MessagePage, Reservation), Problem> {
        let request = NewestPageRequest(claim.user());
        let (caller, page) = self.newest.submit(request).await?.open(claim)?;
        let (page, reservation) = match page {
            Some(page) => (page, self.budget.reservation(caller.id())),
            None => self.page(&caller, &Page::DEFAULT).await?,
        };
        Ok((caller, page, reservation))
    }

    /// A page of the caller's messages, and its part of the budget.
    pub(crate) async fn page(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<(MessagePage, Reservation), Problem> {
        self.page_within(
            caller,
            page,
            Page::CONTENT_BYTES,
            budget::RESERVATION_TIMEOUT,
        )
        .await
    }

    /// A page of at most `bytes` bytes. It is first read without waiting for the budget; if it exceeds its part, it is
    /// read again after waiting.
    pub(crate) async fn page_within(
        &self,
        caller: &Caller,
        page: &Page,
        bytes: usize,
        timeout: Duration,
    ) -> Result<(MessagePage, Reservation), Problem> {
        let mut reservation = self.budget.reservation(caller.id());
        loop {
            let mut bounds = Bounds {
                bytes,
                reservation: &mut reservation,
            };
            if let Some(page) = store::page(&self.database, caller, page, &mut bounds).await? {
                return Ok((page, reservation));
            }
            reservation
                .wait(bytes.max(Page::LARGEST_MESSAGE_BYTES), timeout)
                .await?;
        }
    }
}

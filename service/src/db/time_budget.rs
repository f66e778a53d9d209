//! The time budget of a request: how long it may wait for the database in total.
//!
//! Each unit of work has a timeout of its own. Without a budget, a request with several of them could take the sum of
//! their timeouts while the database is slow, and its client would have given up before the 503. A slow client spends
//! nothing: neither the time in which the body of the request arrives counts, nor that in which the response is
//! written.

use std::cell::Cell;
use std::time::Duration;

use rocket::route::{Handler, Outcome, Route};
use rocket::tokio::task_local;
use rocket::tokio::time::Instant;
use rocket::{Data, Request};

use crate::db::error::{DEADLINE, Error};

task_local! {
    /// The rest of the budget of the request that this task handles. Jobs, batches and bodies of responses have none.
    static REST: Cell<Duration>;
}

/// A wait for the database, which spends the budget of the current request until it is dropped. A request has one at a
/// time: two at once would spend it twice.
pub(crate) struct DatabaseWait {
    begun: Instant,
    deadline: Instant,
}

impl DatabaseWait {
    /// Begins a wait of up to [`DEADLINE`], or of the rest of the request's budget.
    pub(crate) fn begin() -> Self {
        let begun = Instant::now();
        let rest = REST.try_with(Cell::get).unwrap_or(DEADLINE);
        Self {
            begun,
            deadline: begun + rest,
        }
    }

    /// Whether no time is left. What begins all the same is cut off at its first pause, and costs a connection.
    pub(crate) fn is_over(&self) -> bool {
        self.deadline <= Instant::now()
    }

    /// The time at which the wait has to end.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Drop for DatabaseWait {
    fn drop(&mut self) {
        let spent = self.begun.elapsed();
        // Outside of requests, there is no budget to spend.
        let _ = REST.try_with(|rest| rest.set(rest.get().saturating_sub(spent)));
    }
}

/// The error of work that does not begin, because its request has no time left.
pub(super) fn spent() -> Error {
    Error::Unavailable("the request has waited for its whole time budget".to_owned())
}

/// The same routes, of which each request has a time budget of [`DEADLINE`].
pub(crate) fn budgeted(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(Budgeted(route.handler.clone()));
    }
    routes
}

/// A handler, with the guards before it, whose requests have a time budget.
#[derive(Clone)]
struct Budgeted(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for Budgeted {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let budget = Cell::new(DEADLINE);
        REST.scope(budget, self.0.handle(request, data)).await
    }
}

#[cfg(test)]
mod tests {
    use rocket::tokio::time::sleep;

    use super::*;

    const A_WHILE: Duration = Duration::from_millis(20);

    fn rest() -> Duration {
        REST.with(Cell::get)
    }

    #[rocket::async_test]
    async fn the_waits_of_a_request_share_its_budget() {
        let request = async {
            let wait = DatabaseWait::begin();
            assert_eq!(wait.deadline() - wait.begun, DEADLINE);
            assert!(!wait.is_over());
            sleep(A_WHILE).await;
            drop(wait);
            let left = rest();
            assert!(left + A_WHILE <= DEADLINE, "{left:?}");
            sleep(A_WHILE).await;
            assert_eq!(rest(), left, "only waits for the database count");
            let wait = DatabaseWait::begin();
            assert_eq!(wait.deadline() - wait.begun, left);
        };
        REST.scope(Cell::new(DEADLINE), request).await;
    }

    #[rocket::async_test]
    async fn a_spent_budget_leaves_no_time() {
        let request = async {
            let wait = DatabaseWait::begin();
            sleep(A_WHILE).await;
            drop(wait);
            assert_eq!(rest(), Duration::ZERO);
            assert!(DatabaseWait::begin().is_over());
        };
        REST.scope(Cell::new(A_WHILE / 2), request).await;
    }

    #[rocket::async_test]
    async fn jobs_have_no_budget() {
        for _ in 0..3 {
            let wait = DatabaseWait::begin();
            assert_eq!(wait.deadline() - wait.begun, DEADLINE);
            sleep(A_WHILE).await;
        }
    }
}

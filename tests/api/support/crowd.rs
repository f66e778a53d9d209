//! Concurrent requests.

use reqwest::RequestBuilder;
use rocket::futures::stream::{self, StreamExt as _};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::task::JoinHandle;

use super::{Answer, TestDatabase};

/// The first requests of a crowd, which keep the service busy while the others queue up.
pub(crate) const AHEAD: usize = 8;

/// Sends requests while a table is locked, and returns their responses.
pub(crate) async fn at_once(
    database: &TestDatabase,
    table: &str,
    requests: impl IntoIterator<Item = RequestBuilder>,
) -> Vec<Answer> {
    let mut session = database.connect().await;
    let mut carry_out = async |statement: &str| {
        let statement = AssertSqlSafe(statement.to_owned());
        session.execute(statement).await.expect("the lock is free");
    };
    let mut requests = requests.into_iter();
    carry_out(&format!("LOCK TABLES {table} WRITE")).await;
    let mut asked = ask_all(requests.by_ref().take(AHEAD));
    carry_out("DO SLEEP(0.2)").await;
    asked.extend(ask_all(requests));
    carry_out("DO SLEEP(0.2)").await;
    carry_out("UNLOCK TABLES").await;
    all(asked).await
}

/// The same, where each request must be answered: those that are told to retry, as on a busy machine the ones that have
/// waited longest, are repeated one by one.
pub(crate) async fn at_once_or_later(
    database: &TestDatabase,
    table: &str,
    requests: impl IntoIterator<Item = RequestBuilder>,
) -> Vec<Answer> {
    let requests: Vec<_> = requests.into_iter().collect();
    let mut answers = at_once(database, table, requests.iter().map(copy)).await;
    for (answer, request) in answers.iter_mut().zip(requests) {
        if answer.status == 503 {
            *answer = Answer::of(request).await;
        }
    }
    answers
}

fn copy(request: &RequestBuilder) -> RequestBuilder {
    request.try_clone().expect("a body in memory")
}

/// Sends requests, a few at any time, and returns their responses in the order of the requests. Many at once would wait
/// for each other, on a busy machine until the service refuses those that have waited longest.
pub(crate) async fn a_few_at_once(
    requests: impl IntoIterator<Item = RequestBuilder>,
) -> Vec<Answer> {
    let answers = stream::iter(requests).map(Answer::of);
    answers.buffered(AHEAD).collect().await
}

/// Sends requests without waiting for their responses.
pub(crate) fn ask_all(
    requests: impl IntoIterator<Item = RequestBuilder>,
) -> Vec<JoinHandle<Answer>> {
    let asked = requests.into_iter().map(Answer::of).map(tokio::spawn);
    asked.collect()
}

/// The responses to requests that were sent.
pub(crate) async fn all(asked: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.expect("an answer"));
    }
    answers
}

/// Sends requests at once, and repeats those that are told to retry, as on a busy machine those are that wait for the
/// hashes of others. Returns the other statuses, in ascending order.
pub(crate) async fn statuses_at_once(
    requests: impl IntoIterator<Item = RequestBuilder>,
) -> Vec<u16> {
    let mut waiting: Vec<_> = requests.into_iter().collect();
    let mut statuses = Vec::new();
    while !waiting.is_empty() {
        let answers = all(ask_all(waiting.iter().map(copy))).await;
        assert!(
            answers.iter().any(|answer| answer.status != 503),
            "none of {} requests is answered",
            answers.len()
        );
        let mut is_refused = answers.iter().map(|answer| answer.status == 503);
        waiting.retain(|_| is_refused.next().expect("an answer for each"));
        let answered = answers.iter().map(|answer| answer.status);
        statuses.extend(answered.filter(|status| *status != 503));
    }
    statuses.sort_unstable();
    statuses
}

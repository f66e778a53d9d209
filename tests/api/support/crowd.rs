//! Concurrent requests.

use reqwest::RequestBuilder;
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

//! A database for one test, which drops it at the end.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::mysql;

/// A table of ten rows; the product of four has ten thousand.
pub(crate) const DIGITS: &str = "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 \
                                 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 \
                                 UNION ALL SELECT 8 UNION ALL SELECT 9)";

/// An empty database on the server that all tests share.
pub(crate) struct TestDatabase {
    name: String,
    server: MySqlConnectOptions,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = mysql::server()
            .await
            .clone()
            .ssl_mode(MySqlSslMode::Required);
        let name = format!(
            "herolo_test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let database = Self { name, server };
        database.administer("CREATE DATABASE").await;
        database
    }

    /// The URL of this database for a service.
    pub(crate) fn url(&self) -> String {
        let mut url = self.server.clone().database(&self.name).to_url_lossy();
        url.set_query(Some("ssl-mode=REQUIRED"));
        url.into()
    }

    /// A connection for inspecting or manipulating the database.
    pub(crate) async fn connect(&self) -> MySqlConnection {
        self.server
            .clone()
            .database(&self.name)
            .connect()
            .await
            .expect("the database is there")
    }

    /// Runs one statement as the administrator.
    pub(crate) async fn execute(&self, statement: impl Into<String>) -> u64 {
        let mut connection = self.connect().await;
        let done = connection
            .execute(AssertSqlSafe(statement.into()))
            .await
            .expect("the statement is right");
        done.rows_affected()
    }

    /// The number of rows of a table, or of those that a condition selects: `messages WHERE id > 8`.
    pub(crate) async fn count(&self, rows: &str) -> i64 {
        // Without locks, which could deadlock with those of the service.
        let statement = AssertSqlSafe(format!("SELECT COUNT(*) FROM {rows}"));
        sqlx::query_scalar(statement)
            .fetch_one(&mut self.connect().await)
            .await
            .expect("the statement is right")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends the sessions of services, which may have transactions open that nothing completes any more: dropping the
    /// database would wait for them.
    async fn end_sessions(&self) {
        let mut connection = MySqlConnection::connect_with(&self.server)
            .await
            .expect("the server is there");
        let sessions: Vec<u64> =
            sqlx::query_scalar("SELECT id FROM performance_schema.processlist WHERE db = ?")
                .bind(&self.name)
                .fetch_all(&mut connection)
                .await
                .expect("the performance schema is on");
        for session in sessions {
            // It may have ended by itself.
            let _ = connection
                .execute(AssertSqlSafe(format!("KILL {session}")))
                .await;
        }
    }

    async fn administer(&self, action: &str) {
        let mut connection = MySqlConnection::connect_with(&self.server)
            .await
            .expect("the server is there");
        let statement = AssertSqlSafe(format!("{action} {}", self.name));
        connection
            .execute(statement)
            .await
            .expect("the statement is right");
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Dropping is not async, and the runtime of the test may be shutting down.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.expect("a runtime").block_on(async {
                    self.end_sessions().await;
                    self.administer("DROP DATABASE IF EXISTS").await;
                });
            });
        });
    }
}

//! A separate database user, for tests that inspect its connections or revoke its privileges.

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;

use super::database::TestDatabase;

/// A MySQL account for one test database, with the name of the database.
pub(crate) struct Account<'a> {
    database: &'a TestDatabase,
    pub(crate) password: String,
}

impl<'a> Account<'a> {
    /// Creates an account with all privileges on the database, and a resource limit such as `MAX_USER_CONNECTIONS 1`.
    pub(crate) async fn create(database: &'a TestDatabase, limit: &str) -> Self {
        let account = Self {
            database,
            password: format!("canary-of-{}", database.name()),
        };
        let (name, password) = (database.name(), &account.password);
        let limit = if limit.is_empty() {
            String::new()
        } else {
            format!("WITH {limit}")
        };
        database
            .execute(format!(
                "CREATE USER {name}@'%' IDENTIFIED BY '{password}' {limit}"
            ))
            .await;
        account.grant("ALL").await;
        account
    }

    /// The URL of the database for this account, without parameters.
    pub(crate) fn url(&self) -> String {
        self.of(&self.database.url())
    }

    /// The same URL for this account.
    pub(crate) fn of(&self, url: &str) -> String {
        let options: MySqlConnectOptions = url.parse().expect("a database URL");
        let options = options
            .username(self.database.name())
            .password(&self.password);
        let mut url = options.to_url_lossy();
        url.set_query(None);
        url.into()
    }

    pub(crate) async fn grant(&self, rights: &str) {
        self.change("GRANT", rights, "TO").await;
    }

    pub(crate) async fn revoke(&self, rights: &str) {
        self.change("REVOKE", rights, "FROM").await;
    }

    async fn change(&self, verb: &str, rights: &str, preposition: &str) {
        let name = self.database.name();
        let statement = format!("{verb} {rights} ON {name}.* {preposition} {name}@'%'");
        self.database.execute(statement).await;
    }

    /// Drops the account; its open connections stay open.
    pub(crate) async fn remove(&self) {
        let name = self.database.name();
        self.database
            .execute(format!("DROP USER IF EXISTS {name}@'%'"))
            .await;
    }
}

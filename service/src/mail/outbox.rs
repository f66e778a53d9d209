//! The outbox, as the causes of mails use it.

use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::tokio::sync::Notify;
use sqlx::mysql::MySqlConnection;

use crate::db::{Database, Error};
use crate::http::problem::Problem;
use crate::http::request::state;
use crate::mail::kind::Kind;
use crate::mail::store;
use crate::model::email::Email;
use crate::model::user::UserId;

/// Takes mails, if the service sends any.
#[derive(Clone)]
pub(crate) struct Outbox {
    is_on: bool,
    filled: Arc<Notify>,
}

impl Outbox {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            filled: Arc::new(Notify::new()),
        }
    }

    /// An outbox that takes no mail.
    pub(crate) fn off() -> Self {
        Self::new(false)
    }

    /// Whether the service sends mails.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Adds a mail to the transaction that causes it, unless the service sends none. After the commit,
    /// [`Self::announce`] has it sent at once.
    pub(crate) async fn add(
        &self,
        transaction: &mut MySqlConnection,
        kind: Kind,
        user: UserId,
        recipient: &Email,
    ) -> sqlx::Result<()> {
        if self.is_on {
            store::add(transaction, kind, user, Some(recipient)).await?;
        }
        Ok(())
    }

    /// The same for a mail whose recipient is determined when it is sent.
    pub(crate) async fn add_for_owner(
        &self,
        transaction: &mut MySqlConnection,
        kind: Kind,
        user: UserId,
    ) -> sqlx::Result<()> {
        if self.is_on {
            add_for_owner(transaction, kind, user).await?;
        }
        Ok(())
    }

    /// Adds a mail to the owner of the account with this username or normalized address, if there is one. The same is
    /// done if there is none, so that the time of a request does not tell.
    pub(crate) async fn add_requested(
        &self,
        database: &Database,
        kind: Kind,
        account: &str,
    ) -> Result<(), Error> {
        store::add_requested(database, kind, account).await
    }

    /// Wakes this replica's worker up. Those of other replicas look for mails from time to time.
    pub(crate) fn announce(&self) {
        self.filled.notify_one();
    }

    /// Waits until [`Self::announce`] is called.
    pub(super) async fn announced(&self) {
        self.filled.notified().await;
    }
}

/// Adds a mail whose recipient is determined when it is sent to a transaction of a service that sends mails.
async fn add_for_owner(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
) -> sqlx::Result<()> {
    store::add(transaction, kind, user, None).await
}

/// The same, unless one of this kind is still to be sent to the owner, such as while the SMTP server is away: otherwise
/// both would be sent, although what a mail is about is found out only then. The caller holds a lock under which all
/// mails of the kind are added for this owner.
pub(crate) async fn add_one_for_owner(
    transaction: &mut MySqlConnection,
    kind: Kind,
    user: UserId,
) -> sqlx::Result<()> {
    if store::has_unsent(transaction, kind, user).await? {
        return Ok(());
    }
    add_for_owner(transaction, kind, user).await
}

/// A request to a service that sends mails.
pub(crate) struct SendsMail;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SendsMail {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        require_mail(request, Self, Problem::MailOff)
    }
}

/// The same, of a forgotten password, for which there is another remedy.
pub(crate) struct SendsResets;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SendsResets {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        require_mail(request, Self, Problem::ResetsOff)
    }
}

fn require_mail<T>(request: &Request<'_>, guard: T, problem: Problem) -> Outcome<T, ()> {
    let outbox = state::<Outbox>(request);
    match outbox.and_then(|outbox| outbox.is_on.then_some(guard).ok_or(problem)) {
        Ok(on) => Outcome::Success(on),
        Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
    }
}

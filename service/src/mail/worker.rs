//! Sends the mails of the outbox, one after the other.

use std::time::Duration;

use lettre::{AsyncSmtpTransport, Tokio1Executor};
use prometheus::IntCounter;
use rand::RngExt as _;
use rocket::Shutdown;
use rocket::tokio::time::{Instant, sleep, timeout};

use crate::config::MailSettings;
use crate::db::{Database, Error};
use crate::mail::compose::compose;
use crate::mail::kind::Kind;
use crate::mail::outbox::Outbox;
use crate::mail::prepare::{Letter, prepare};
use crate::mail::smtp::Failure;
use crate::mail::store::{Claim, ClaimedMail};
use crate::mail::unsent::Cause;
use crate::mail::{smtp, store, unsent};

/// The time from which another replica may take a mail over.
const LEASE: Duration = Duration::from_mins(2);
/// The time between two looks into the outbox, for mails that other replicas have added or postponed.
const POLL: Duration = Duration::from_secs(3);
/// The pause after a first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(4);
/// The longest pause of a mail.
const MAX_PAUSE: Duration = Duration::from_mins(15);
/// The longest pause of the worker while the SMTP server is away.
const MAX_OUTAGE_PAUSE: Duration = Duration::from_secs(30);
/// Interval of the checks whether the database has been reached for the first time.
const START_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The worker of this replica.
pub(super) struct Worker {
    pub(super) database: Database,
    pub(super) outbox: Outbox,
    pub(super) settings: MailSettings,
    pub(super) transport: AsyncSmtpTransport<Tokio1Executor>,
    pub(super) sent: IntCounter,
    pub(super) given_up: IntCounter,
}

/// What a look into the outbox led to.
enum Step {
    /// The SMTP server has accepted a mail, or has refused that one; there may be more.
    Answered,
    /// A mail was discarded without the SMTP server; there may be more.
    Discarded,
    /// No mail is due, or the database is unavailable.
    Idle,
    /// The SMTP server is away.
    ServerAway,
}

impl Worker {
    /// Sends mails until the service shuts down. A mail that is being sent then is completed.
    pub(super) async fn run(self, shutdown: Shutdown) {
        while !self.database.has_started() {
            rocket::tokio::select! {
                () = sleep(START_UP_INTERVAL) => {}
                () = shutdown.clone() => return,
            }
        }
        let mut failures = 0;
        loop {
            let step = self.step(failures).await;
            failures = match step {
                Step::ServerAway => failures + 1,
                Step::Answered if failures > 0 => {
                    tracing::info!("the SMTP server is usable again");
                    0
                }
                Step::Answered => 0,
                Step::Discarded | Step::Idle => failures,
            };
            rocket::tokio::select! {
                biased;
                () = shutdown.clone() => return,
                () = self.pause(&step, failures) => {}
            }
        }
    }

    /// Waits until it is time for the next step.
    async fn pause(&self, step: &Step, failures: u32) {
        match step {
            Step::Answered | Step::Discarded => {}
            Step::Idle => {
                let _ = timeout(POLL, self.outbox.announced()).await;
            }
            Step::ServerAway => sleep(pause_after(failures).min(MAX_OUTAGE_PAUSE)).await,
        }
    }

    async fn step(&self, failures: u32) -> Step {
        match self.send_next(failures).await {
            Ok(step) => step,
            // Requests report an unavailable database. The lease leaves the mail to the next attempt.
            Err(error) => {
                tracing::debug!("a mail is sent later: {error}");
                Step::Idle
            }
        }
    }

    async fn send_next(&self, failures: u32) -> Result<Step, Error> {
        let Some(mail) = store::claim(&self.database, LEASE).await? else {
            return Ok(Step::Idle);
        };
        let Some(kind) = mail.kind else {
            // A replica of the newer version takes it.
            store::postpone(&self.database, mail.claim, FIRST_PAUSE).await?;
            return Ok(Step::Discarded);
        };
        if mail.is_overdue {
            let reason = "it could not be sent for three days";
            return self.give_up(&mail, kind, Cause::Prevented, reason).await;
        }
        match prepare(&self.database, &mail, kind).await? {
            Some(letter) => self.send(&mail, &letter, failures).await,
            None => Ok(Step::Discarded),
        }
    }

    async fn send(
        &self,
        mail: &ClaimedMail,
        letter: &Letter,
        failures: u32,
    ) -> Result<Step, Error> {
        let Ok(message) = compose(letter, &self.settings) else {
            let reason = "its recipient's address is not valid in a mail";
            return self
                .give_up(mail, letter.kind, Cause::Refused, reason)
                .await;
        };
        let Err(failure) = smtp::send(&self.transport, message).await else {
            self.record_sent(mail.claim).await;
            return Ok(Step::Answered);
        };
        let Claim { mail: id, attempt } = mail.claim;
        if let Failure::Refused(_) = failure {
            let reason = failure.to_string();
            self.give_up(mail, letter.kind, Cause::Refused, &reason)
                .await?;
            return Ok(Step::Answered);
        }
        store::postpone(&self.database, mail.claim, pause_after(attempt)).await?;
        if let Failure::Postponed(_) = failure {
            tracing::info!(mail = id, attempt, "a mail is {failure}");
            return Ok(Step::Answered);
        }
        if failures == 0 {
            tracing::warn!("mails are delayed: {failure}");
        }
        Ok(Step::ServerAway)
    }

    async fn give_up(
        &self,
        mail: &ClaimedMail,
        kind: Kind,
        cause: Cause,
        reason: &str,
    ) -> Result<Step, Error> {
        unsent::discard(&self.database, mail, cause).await?;
        self.given_up.inc();
        let id = mail.claim.mail;
        tracing::warn!(
            mail = id,
            kind = kind.name(),
            "a mail is given up: {reason}"
        );
        Ok(Step::Discarded)
    }

    /// Tries until the lease is over, because a mail that is sent and not recorded is sent again.
    async fn record_sent(&self, claim: Claim) {
        self.sent.inc();
        let end = Instant::now() + LEASE / 2;
        while let Err(error) = store::record_sent(&self.database, claim).await {
            if Instant::now() > end {
                tracing::warn!(
                    mail = claim.mail,
                    "a mail was sent and will be sent again: {error}"
                );
                return;
            }
            sleep(START_UP_INTERVAL).await;
        }
    }
}

/// The pause after so many failures, with jitter.
fn pause_after(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let pause = FIRST_PAUSE.saturating_mul(doubled).min(MAX_PAUSE);
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        for (failures, longest) in [(1, 4), (2, 8), (5, 64), (9, 900), (u32::MAX, 900)] {
            let longest = Duration::from_secs(longest);
            let pause = pause_after(failures);
            assert!(
                (longest / 2..=longest).contains(&pause),
                "{failures}: {pause:?}"
            );
        }
    }
}

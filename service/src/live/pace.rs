//! When a tailer reads: at once after a commit of this replica, soon while other replicas commit something, and four
//! times a second otherwise.

use std::time::Duration;

use rocket::tokio::time::{Instant, sleep_until, timeout_at};

use crate::db::CommitSignal;

/// The pause between two rounds, which also activate subscribers and read revocations.
pub(super) const ROUND_INTERVAL: Duration = Duration::from_millis(250);
/// The pause after a poll that has found something of which no commit of this replica had told. It doubles with every
/// such poll that finds nothing, up to the pause between two rounds.
const BUSY_INTERVAL: Duration = Duration::from_millis(50);
/// The pause before a commit of this replica is read. Commits during the pause are read together.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// That pause is at least so many times as long as the last reading took, and at most [`ROUND_INTERVAL`]. So a slow
/// database is read as often as without commits.
const PAUSE_PER_READING: u32 = 3;

/// What a tailer has to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// New messages and changes.
    Poll,
    /// The same, and what is not urgent.
    Round,
}

/// The times at which a tailer reads.
pub(super) struct Pace {
    round_interval: Duration,
    /// The pause before a poll that no commit causes. If it is as long as that between rounds, there is no such poll.
    poll_interval: Duration,
    /// No poll begins before this.
    earliest: Instant,
    poll_due: Instant,
    round_due: Instant,
    current: Current,
}

/// The reading in progress.
struct Current {
    reading: Reading,
    begin: Instant,
    /// Whether this replica has committed something since the reading before.
    is_signalled: bool,
}

impl Pace {
    /// The first reading is a round, which is due now.
    pub(super) fn new(now: Instant, round_interval: Duration) -> Self {
        Self {
            round_interval,
            poll_interval: round_interval,
            earliest: now,
            poll_due: now,
            round_due: now,
            current: Current {
                reading: Reading::Round,
                begin: now,
                is_signalled: false,
            },
        }
    }

    /// Waits for the next reading. It finds all commits that were signalled before it began.
    pub(super) async fn next(&mut self, commits: &CommitSignal) -> Reading {
        let woken = timeout_at(self.due(), commits.wait()).await.is_ok();
        if woken {
            sleep_until(self.due_if_signalled()).await;
        }
        // Commits during the pause are read along with the first.
        let is_signalled = commits.take() || woken;
        self.begin(Instant::now(), is_signalled)
    }

    /// The time of the next reading if this replica commits nothing.
    fn due(&self) -> Instant {
        self.poll_due.max(self.earliest).min(self.round_due)
    }

    /// The earliest time of the next reading if this replica commits something.
    fn due_if_signalled(&self) -> Instant {
        self.earliest.min(self.round_due)
    }

    fn begin(&mut self, now: Instant, is_signalled: bool) -> Reading {
        let is_round = now >= self.round_due;
        let reading = if is_round {
            Reading::Round
        } else {
            Reading::Poll
        };
        self.current = Current {
            reading,
            begin: now,
            is_signalled,
        };
        reading
    }

    /// Ends the reading, which has found something or nothing.
    pub(super) fn finish(&mut self, now: Instant, has_found: bool) {
        // What was found after a signal may be of this replica, and does not tell whether others commit, too.
        if !self.current.is_signalled {
            let interval = if has_found {
                BUSY_INTERVAL
            } else {
                2 * self.poll_interval
            };
            self.poll_interval = interval.min(self.round_interval);
        }
        let pause = PAUSE_PER_READING * now.duration_since(self.current.begin);
        self.earliest = now + pause.clamp(MIN_PAUSE, ROUND_INTERVAL);
        self.poll_due = now + self.poll_interval;
        if self.current.reading == Reading::Round {
            self.round_due = now + self.round_interval;
        }
    }
}

#[cfg(test)]
mod tests;

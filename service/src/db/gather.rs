//! Questions that many ask at the same time, answered for all of them at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::tokio::sync::oneshot;
use rocket::tokio::time::{Instant, timeout};

use crate::db::{DEADLINE, Error};

/// How many questions any round answers, at most.
pub(crate) const LARGEST_ROUND: usize = 64;
/// A round that takes longer is not waited for: the next begins beside it, if there may be as many. One connection that a
/// network swallowed must not stop everybody.
const PATIENCE: Duration = Duration::from_millis(50);

/// How questions are shared out.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    /// How many are on their way at once. More rounds are smaller ones.
    pub(crate) lanes: usize,
    /// The same with those that take long.
    pub(crate) most_lanes: usize,
    /// A round takes so many of those who wait, though another round could share them with it.
    pub(crate) least: usize,
    /// How many questions are answered in one, at most; up to [`LARGEST_ROUND`].
    pub(crate) largest: usize,
}

impl Rounds {
    /// How many of those who wait the next round takes: those that all rounds together have to take, shared out.
    fn share(&self, waiting: usize) -> usize {
        let share = waiting.div_ceil(self.lanes);
        share.clamp(self.least, self.largest).min(waiting)
    }
}

/// Gathers questions while answers are on their way, and then has all of them answered in the next round.
///
/// A round begins after each of its questions was asked, so the answers are as fresh as if each had been answered by
/// itself. Who asks alone does not wait for others.
pub(crate) struct Gather<Question, Answer> {
    state: Arc<Mutex<State<Question, Answer>>>,
}

struct State<Question, Answer> {
    waiting: VecDeque<Asked<Question, Answer>>,
    limits: Rounds,
    /// The rounds that are on their way, and since when; but for those that take long.
    rounds: Vec<(u64, Instant)>,
    /// How many with several questions have not ended. One question by itself keeps no others back.
    large: usize,
    /// Of the last round that began.
    number: u64,
}

type Asked<Question, Answer> = (Question, oneshot::Sender<Result<Answer, Error>>);

impl<Question, Answer> Gather<Question, Answer>
where
    Question: Send + 'static,
    Answer: Send + 'static,
{
    pub(crate) fn new(limits: Rounds) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            limits,
            rounds: Vec::with_capacity(limits.lanes),
            large: 0,
            number: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The answer to one question. `answer` gives as many answers as it gets questions, in their order. A question that
    /// is answered is answered to its end, also if nobody waits any more.
    pub(crate) async fn ask<Work, Answers>(
        &self,
        question: Question,
        answer: Work,
    ) -> Result<Answer, Error>
    where
        Work: Fn(Vec<Question>) -> Answers + Clone + Send + 'static,
        Answers: Future<Output = Result<Vec<Answer>, Error>> + Send + 'static,
    {
        let (sender, mut receiver) = oneshot::channel();
        lock(&self.state).waiting.push_back((question, sender));
        let deadline = Instant::now() + DEADLINE;
        loop {
            let begins = lock(&self.state).begin();
            if let Some(number) = begins {
                rocket::tokio::spawn(run(Arc::clone(&self.state), number, answer.clone()));
            }
            match timeout(PATIENCE, &mut receiver).await {
                Ok(Ok(answer)) => return answer,
                Err(_) if Instant::now() < deadline => {}
                Ok(Err(_)) | Err(_) => {
                    return Err(Error::Unavailable("nobody answered in time".to_owned()));
                }
            }
        }
    }
}

impl<Question, Answer> State<Question, Answer> {
    /// The number of a round that is to begin now; `None` if enough are on their way, or nobody waits.
    fn begin(&mut self) -> Option<u64> {
        self.rounds.retain(|(_, since)| since.elapsed() < PATIENCE);
        let is_full =
            self.rounds.len() >= self.limits.lanes || self.large >= self.limits.most_lanes;
        if self.waiting.is_empty() || is_full {
            return None;
        }
        self.number += 1;
        self.rounds.push((self.number, Instant::now()));
        Some(self.number)
    }

    /// The questions of the next turn of this round; none if it is over, or others took over meanwhile. Questions that
    /// nobody waits for any more are dropped.
    fn take(&mut self, number: u64) -> Vec<Asked<Question, Answer>> {
        let Some(place) = self.rounds.iter().position(|(one, _)| *one == number) else {
            return Vec::new();
        };
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let count = self.limits.share(self.waiting.len());
        if count == 0 {
            self.rounds.swap_remove(place);
        } else {
            self.rounds[place].1 = Instant::now();
        }
        self.large += usize::from(count > 1);
        self.waiting.drain(..count).collect()
    }
}

/// Answers as long as questions have gathered.
async fn run<Question, Answer, Work, Answers>(
    state: Arc<Mutex<State<Question, Answer>>>,
    number: u64,
    answer: Work,
) where
    Work: Fn(Vec<Question>) -> Answers,
    Answers: Future<Output = Result<Vec<Answer>, Error>>,
{
    loop {
        let asked = lock(&state).take(number);
        if asked.is_empty() {
            return;
        }
        let _large = (asked.len() > 1).then(|| Large(&state));
        let (questions, senders): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        // Who no longer waits for an answer misses none.
        match answer(questions).await {
            Ok(answers) => senders
                .into_iter()
                .zip(answers)
                .for_each(|(sender, answer)| {
                    let _ = sender.send(Ok(answer));
                }),
            Err(fault) => senders.into_iter().for_each(|sender| {
                let _ = sender.send(Err(fault.repeated()));
            }),
        }
    }
}

/// A round with several questions that has not ended; one that panics ends, too.
struct Large<'a, Question, Answer>(&'a Mutex<State<Question, Answer>>);

impl<Question, Answer> Drop for Large<'_, Question, Answer> {
    fn drop(&mut self) {
        lock(self.0).large -= 1;
    }
}

/// Nobody leaves a queue half changed, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_its_share_of_those_who_wait() {
        let rounds = Rounds {
            lanes: 4,
            most_lanes: 16,
            least: 3,
            largest: 8,
        };
        let shares = [0, 2, 3, 12, 13, 20, 32, 100].map(|waiting| rounds.share(waiting));
        assert_eq!(shares, [0, 2, 3, 3, 4, 5, 8, 8]);
    }
}

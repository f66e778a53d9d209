//! Questions that many ask at the same time, answered for all of them at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::tokio::sync::oneshot;
use rocket::tokio::time::{Instant, timeout};

use crate::database::{DEADLINE, Error};

/// How many questions are answered at once, at most.
const LARGEST_ROUND: usize = 64;
/// A round that takes longer is not waited for: the next begins beside it. One connection that a network swallowed must
/// not stop everybody.
const PATIENCE: Duration = Duration::from_millis(50);

/// Gathers questions while an answer is on its way, and then has all of them answered in the next round.
///
/// A round begins after each of its questions was asked, so the answers are as fresh as if each had been answered by
/// itself. Who asks alone does not wait for others.
pub(crate) struct Gather<Question, Answer> {
    state: Arc<Mutex<State<Question, Answer>>>,
}

struct State<Question, Answer> {
    waiting: VecDeque<Asked<Question, Answer>>,
    /// The round that is on its way, and since when.
    current: Option<(u64, Instant)>,
    /// Of the last round that began.
    number: u64,
}

type Asked<Question, Answer> = (Question, oneshot::Sender<Result<Answer, Error>>);

impl<Question, Answer> Gather<Question, Answer>
where
    Question: Send + 'static,
    Answer: Send + 'static,
{
    pub(crate) fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            current: None,
            number: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The answer to one question. `answer` gives as many answers as it gets questions, in their order.
    pub(crate) async fn ask<Work, Answers>(
        &self,
        question: Question,
        answer: Work,
    ) -> Result<Answer, Error>
    where
        Work: Fn(Vec<Question>) -> Answers + Send + 'static,
        Answers: Future<Output = Result<Vec<Answer>, Error>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let begins = {
            let mut state = lock(&self.state);
            state.waiting.push_back((question, sender));
            state.begin()
        };
        if let Some(number) = begins {
            rocket::tokio::spawn(run(Arc::clone(&self.state), number, answer));
        }
        match timeout(DEADLINE, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable("nobody answered in time".to_owned())),
        }
    }
}

impl<Question, Answer> State<Question, Answer> {
    /// The number of a round that is to begin now; `None` if one is on its way.
    fn begin(&mut self) -> Option<u64> {
        if self
            .current
            .is_some_and(|(_, since)| since.elapsed() < PATIENCE)
        {
            return None;
        }
        self.number += 1;
        self.current = Some((self.number, Instant::now()));
        Some(self.number)
    }

    /// The questions of the next turn of this round; none if it is over, or others took over meanwhile.
    fn take(&mut self, number: u64) -> Vec<Asked<Question, Answer>> {
        if self.current.is_none_or(|(current, _)| current != number) {
            return Vec::new();
        }
        let count = self.waiting.len().min(LARGEST_ROUND);
        self.current = (count > 0).then(|| (number, Instant::now()));
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

/// Nobody leaves a queue half changed, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A tailer in simulated time.
struct Simulation {
    pace: Pace,
    now: Instant,
    /// How long each reading takes.
    duration: Duration,
}

impl Simulation {
    /// It is idle: the first round is long over.
    fn new(round_interval: Duration) -> Self {
        let now = Instant::now();
        let mut simulation = Self {
            pace: Pace::new(now, round_interval),
            now,
            duration: Duration::ZERO,
        };
        let readings = simulation.run(SECOND, &[], |_| false);
        assert_eq!(readings[0], (Duration::ZERO, Reading::Round));
        simulation
    }

    /// Lets this replica commit at these times from now, ascending, and each reading find what `finds` says of its
    /// time. Returns the readings that begin within this time.
    fn run(
        &mut self,
        time: Duration,
        commits: &[Duration],
        finds: impl Fn(Duration) -> bool,
    ) -> Vec<(Duration, Reading)> {
        let start = self.now;
        let mut commits = commits.iter().map(|commit| start + *commit).peekable();
        let mut readings = Vec::new();
        loop {
            let due = self.pace.due();
            let commit = commits.peek().map(|commit| (*commit).max(self.now));
            let wake = commit.filter(|commit| *commit <= due);
            let begin = wake.map_or(due, |commit| commit.max(self.pace.due_if_signalled()));
            let begin = begin.max(self.now);
            if begin >= start + time {
                self.now = start + time;
                return readings;
            }
            let read = std::iter::from_fn(|| commits.next_if(|commit| *commit <= begin));
            let is_signalled = read.count() > 0;
            let time_of_reading = begin.duration_since(start);
            readings.push((time_of_reading, self.pace.begin(begin, is_signalled)));
            self.now = begin + self.duration;
            self.pace.finish(self.now, finds(time_of_reading));
        }
    }
}

fn times(readings: &[(Duration, Reading)], of: Reading) -> Vec<Duration> {
    let of_kind = readings.iter().filter(|(_, reading)| *reading == of);
    of_kind.map(|(begin, _)| *begin).collect()
}

/// Every millisecond of this time.
fn flood(time: Duration) -> Vec<Duration> {
    (0..u64::MAX)
        .map(ms)
        .take_while(|commit| *commit < time)
        .collect()
}

#[test]
fn an_idle_replica_reads_four_times_a_second() {
    let readings = Simulation::new(ROUND_INTERVAL).run(10 * SECOND, &[], |_| false);
    assert_eq!(times(&readings, Reading::Round).len(), 40);
    assert_eq!(readings.len(), 40);
}

#[test]
fn a_commit_of_this_replica_is_read_at_once() {
    let commits = [ms(3), ms(103)];
    let readings = Simulation::new(HOUR).run(SECOND, &commits, |_| true);
    assert_eq!(readings, commits.map(|commit| (commit, Reading::Poll)));
}

#[test]
fn commits_that_follow_each_other_closely_are_read_together() {
    let mut simulation = Simulation::new(HOUR);
    let readings = simulation.run(SECOND, &[ms(0), ms(1), ms(9), ms(11)], |_| true);
    assert_eq!(times(&readings, Reading::Poll), [ms(0), ms(10), ms(20)]);
}

#[test]
fn a_flood_of_commits_is_read_a_hundred_times_a_second_at_most() {
    let mut simulation = Simulation::new(ROUND_INTERVAL);
    let readings = simulation.run(10 * SECOND, &flood(10 * SECOND), |_| true);
    assert_eq!(readings.len(), 1_000);
    // Revocations are read as often as ever, but for the pauses.
    assert!(times(&readings, Reading::Round).len() >= 38);
}

#[test]
fn what_other_replicas_commit_is_read_sooner_for_a_while() {
    let mut simulation = Simulation::new(ROUND_INTERVAL);
    let first = simulation.pace.due().duration_since(simulation.now);
    let readings = simulation.run(2 * SECOND, &[], |begin| begin == first);
    let begins: Vec<_> = readings.iter().map(|(begin, _)| *begin).collect();
    assert_eq!(
        begins[..5],
        [0, 50, 150, 250, 500].map(|pause| first + ms(pause))
    );
}

#[test]
fn what_other_replicas_commit_again_and_again_is_read_every_50_ms() {
    let readings = Simulation::new(ROUND_INTERVAL).run(10 * SECOND, &[], |_| true);
    assert!((195..=200).contains(&readings.len()));
}

#[test]
fn a_replica_alone_reads_no_more_than_its_own_commits_and_the_rounds() {
    let commits: Vec<_> = (0..10).map(|second| second * SECOND + ms(100)).collect();
    let is_own = |begin| commits.contains(&begin);
    let readings = Simulation::new(ROUND_INTERVAL).run(10 * SECOND, &commits, is_own);
    assert_eq!(times(&readings, Reading::Poll), commits);
    assert_eq!(times(&readings, Reading::Round).len(), 40);
}

#[test]
fn a_slow_database_is_read_as_often_as_without_commits() {
    let readings_of = |commits: &[Duration]| {
        let mut simulation = Simulation::new(ROUND_INTERVAL);
        simulation.duration = 2 * SECOND;
        simulation.run(90 * SECOND, commits, |_| true).len()
    };
    assert_eq!(readings_of(&[]), 40);
    assert_eq!(readings_of(&flood(90 * SECOND)), 40);
}

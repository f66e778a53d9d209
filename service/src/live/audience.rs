//! All who listen at this replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rocket::tokio::time::Instant;

use crate::http::problem::Problem;
use crate::live::budget::Budget;
use crate::live::position::Position;
use crate::live::seat::{Parcel, Seat};

/// Listeners of one replica.
const MOST_LISTENERS: usize = 2_000;
/// Listeners of one user at one replica. One more is refused: if it took the place of another, two that come back
/// would take each other's for ever.
const MOST_OF_ONE_USER: usize = 16;
/// When a refused listener may come again. A stream whose client has left frees its seat when it next writes something.
const UNTIL_A_SEAT_IS_FREE: Duration = super::stream::HEARTBEAT;

/// The seats, which those whose listening is over keep until their connection has ended: it takes memory until then.
#[derive(Default)]
pub(super) struct Audience {
    /// By user.
    seats: HashMap<u64, Vec<Arc<Seat>>>,
    taken: usize,
    /// While somebody listens and the reader has begun.
    pub(super) position: Option<Position>,
}

impl Audience {
    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.values().flatten()
    }

    pub(super) fn join(&mut self, seat: Seat) -> Result<Arc<Seat>, Problem> {
        if self.taken >= MOST_LISTENERS {
            return Err(Problem::Unavailable(
                "Too many are listening right now; try again in a moment.",
            ));
        }
        let of_user = self.seats.entry(seat.user).or_default();
        if of_user.len() >= MOST_OF_ONE_USER {
            return Err(Problem::TooManyStreams(UNTIL_A_SEAT_IS_FREE));
        }
        let seat = Arc::new(seat);
        of_user.push(Arc::clone(&seat));
        self.taken += 1;
        Ok(seat)
    }

    /// Has something written to each listener of a user, so that those whose client is gone leave.
    pub(super) fn probe(&self, user: u64) {
        let of_user = self.seats.get(&user);
        of_user.into_iter().flatten().for_each(|seat| seat.probe());
    }

    pub(super) fn leave(&mut self, seat: &Arc<Seat>) {
        seat.end();
        let Some(of_user) = self.seats.get_mut(&seat.user) else {
            return;
        };
        let before = of_user.len();
        of_user.retain(|other| !Arc::ptr_eq(other, seat));
        self.taken -= before - of_user.len();
        if of_user.is_empty() {
            self.seats.remove(&seat.user);
        }
    }

    /// Lets in all who wait for it: between two looks, so that all who are in hear all of a look.
    pub(super) fn let_in(&mut self, position: &Position) {
        self.all().for_each(|seat| seat.let_in(position));
        self.position = Some(position.clone());
    }

    /// What was handed on so far is of a database that is no more.
    pub(super) fn reset(&mut self, position: &Position) {
        self.all().for_each(|seat| seat.reset(position));
        self.position = Some(position.clone());
    }

    pub(super) fn has(&self, user: u64) -> bool {
        self.seats.contains_key(&user)
    }

    pub(super) fn users(&self) -> Vec<u64> {
        self.seats.keys().copied().collect()
    }

    pub(super) fn hand(&self, user: u64, parcel: &Arc<Parcel>) {
        let of_user = self.seats.get(&user).into_iter().flatten();
        of_user.for_each(|seat| seat.hand(parcel));
    }

    /// Ends what tokens of before this epoch listen to.
    pub(super) fn end_before(&self, user: u64, epoch: u32) {
        let of_user = self.seats.get(&user).into_iter().flatten();
        of_user
            .filter(|seat| seat.token_epoch < epoch)
            .for_each(|seat| seat.end());
    }

    pub(super) fn end_due(&self) {
        let now = Instant::now();
        self.all().for_each(|seat| seat.end_if_due(now));
    }

    /// While all together hold too much, whoever holds the most gives it up. So nobody is in the way of those who hold
    /// less than they do.
    pub(super) fn relieve(&self, budget: &Budget) {
        while budget.is_exceeded() {
            let held = |seats: &[Arc<Seat>]| seats.iter().map(|seat| seat.held()).sum::<usize>();
            let users = self.seats.values().map(|seats| (held(seats), seats));
            let Some((1.., seats)) = users.max_by_key(|(held, _)| *held) else {
                return;
            };
            for seat in seats {
                seat.give_up();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::model::message::{Content, MessageId, Subject, Text};
    use crate::model::user::Username;

    const LONG: usize = 64 * 1024;

    fn parcel(budget: &Budget, id: u64) -> Arc<Parcel> {
        let content = Content {
            id: MessageId::stored(id).expect("not 0"),
            sender: Username::stored("alice"),
            subject: Subject::stored("s".to_owned()),
            message: Text::stored("m".repeat(LONG)),
            created_at: Utc::now(),
        };
        let charge = budget.charge(content.memory_bytes());
        Arc::new(Parcel {
            content,
            position: Position::default(),
            charge,
        })
    }

    fn join(audience: &mut Audience, user: u64, lifetime: Duration) -> Arc<Seat> {
        let seat = Seat::new(user, 1, Instant::now() + lifetime);
        audience
            .join(seat)
            .unwrap_or_else(|_| panic!("a seat is free"))
    }

    fn crowd(users: std::ops::Range<u64>) -> (Audience, Vec<Arc<Seat>>) {
        let mut audience = Audience::default();
        let seats = users.map(|user| join(&mut audience, user, Duration::from_mins(4)));
        let seats = seats.collect();
        audience.let_in(&Position::default());
        (audience, seats)
    }

    #[test]
    fn the_newest_listener_of_a_user_is_refused_and_nobody_loses_a_seat() {
        let (mut audience, mut seats) = crowd(0..0);
        for _ in 0..MOST_OF_ONE_USER {
            seats.push(join(&mut audience, 1, Duration::from_mins(4)));
        }
        let one_more = Seat::new(1, 1, Instant::now());
        assert!(matches!(
            audience.join(one_more),
            Err(Problem::TooManyStreams(_))
        ));
        // Whoever is over keeps the seat until the connection has ended.
        seats[0].end();
        assert!(audience.join(Seat::new(1, 1, Instant::now())).is_err());
        audience.leave(&seats[0]);
        assert!(audience.join(Seat::new(1, 1, Instant::now())).is_ok());
    }

    #[test]
    fn one_slow_listener_holds_no_more_than_its_queue() {
        let budget = Budget::default();
        let (audience, seats) = crowd(1..2);
        for id in 1..1_000 {
            audience.hand(1, &parcel(&budget, id));
            assert!(budget.held() <= 512 * 1024 && seats[0].held() == budget.held());
        }
        assert!(!seats[0].is_in() && budget.held() == 0, "it has lapsed");
    }

    #[test]
    fn all_slow_listeners_hold_no_more_than_the_budget_and_who_holds_most_gives_it_up() {
        let budget = Budget::default();
        let (audience, seats) = crowd(1..200);
        audience.hand(1, &parcel(&budget, 1));
        for id in 1..500_u64 {
            audience.hand(2 + id % 150, &parcel(&budget, id));
            audience.hand(2 + id % 150, &parcel(&budget, id));
            audience.relieve(&budget);
            assert!(!budget.is_exceeded());
        }
        assert!(seats[0].is_in() && seats[0].held() > LONG, "the modest one");
        assert!(seats[1..].iter().any(|seat| !seat.is_in()));
    }

    #[test]
    fn whoever_is_late_or_revoked_holds_nothing_though_nobody_reads() {
        let budget = Budget::default();
        let mut audience = Audience::default();
        let late = join(&mut audience, 1, Duration::ZERO);
        let revoked = join(&mut audience, 2, Duration::from_mins(4));
        audience.let_in(&Position::default());
        for seat in [&late, &revoked] {
            audience.hand(seat.user, &parcel(&budget, 1));
            seat.write(vec![0; LONG], budget.charge(LONG));
            assert!(seat.held() > 2 * LONG);
        }
        audience.end_due();
        assert_eq!(late.held(), 0);
        audience.end_before(2, 1);
        assert!(revoked.held() > 0, "of this epoch");
        audience.end_before(2, 2);
        assert_eq!((revoked.held(), budget.held()), (0, 0));
    }
}

//! The visibility of messages after any sequence of sends, reads, marks and deletes, compared with a simple model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Service, User};

const USERS: usize = 3;

/// An action of a user. Messages are identified by the number of messages sent before them.
#[derive(Clone, Debug)]
enum Step {
    Send {
        sender: usize,
        receiver: usize,
    },
    Read {
        user: usize,
        message: usize,
    },
    Mark {
        user: usize,
        message: usize,
        read: bool,
    },
    Delete {
        user: usize,
        message: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let message = 0..8_usize;
    prop_oneof![
        3 => (user.clone(), user.clone()).prop_map(|(sender, receiver)| Step::Send { sender, receiver }),
        2 => (user.clone(), message.clone()).prop_map(|(user, message)| Step::Read { user, message }),
        2 => (user.clone(), message.clone(), any::<bool>())
            .prop_map(|(user, message, read)| Step::Mark { user, message, read }),
        2 => (user, message).prop_map(|(user, message)| Step::Delete { user, message }),
    ]
}

/// The expected state of a message.
#[derive(Clone, Debug)]
struct Expected {
    sender: usize,
    receiver: usize,
    read: bool,
    in_feed: bool,
}

/// The existing messages, by their number.
#[derive(Default)]
struct Model {
    sent: usize,
    messages: BTreeMap<usize, Expected>,
}

impl Model {
    fn visible(&self, user: usize, message: usize) -> Option<&Expected> {
        self.messages
            .get(&message)
            .filter(|it| it.sender == user || (it.receiver == user && it.in_feed))
    }

    /// Whether the step succeeds.
    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Send { sender, receiver } => {
                self.messages.insert(
                    self.sent,
                    Expected {
                        sender,
                        receiver,
                        read: false,
                        in_feed: true,
                    },
                );
                self.sent += 1;
                true
            }
            Step::Read { user, message } => self.visible(user, message).is_some(),
            Step::Mark {
                user,
                message,
                read,
            } => self
                .received(user, message)
                .map(|it| it.read = read)
                .is_some(),
            Step::Delete { user, message } => {
                if self
                    .messages
                    .get(&message)
                    .is_some_and(|it| it.sender == user)
                {
                    return self.messages.remove(&message).is_some();
                }
                self.received(user, message)
                    .map(|it| it.in_feed = false)
                    .is_some()
            }
        }
    }

    fn received(&mut self, user: usize, message: usize) -> Option<&mut Expected> {
        self.messages
            .get_mut(&message)
            .filter(|it| it.receiver == user && it.in_feed)
    }

    /// Numbers of the messages in a user's feed, newest first.
    fn feed(&self, user: usize, read: Option<bool>) -> Vec<usize> {
        let in_feed = self
            .messages
            .iter()
            .rev()
            .filter(|(_, it)| it.receiver == user && it.in_feed);
        in_feed
            .filter(|(_, it)| read.is_none_or(|read| it.read == read))
            .map(|(number, _)| *number)
            .collect()
    }
}

/// The service and its users for one sequence of steps.
struct World {
    users: Vec<User>,
    /// Ids by the messages' numbers.
    ids: Vec<u64>,
}

impl World {
    /// An unassigned id represents a message that was not sent yet.
    fn id(&self, message: usize) -> u64 {
        self.ids
            .get(message)
            .copied()
            .unwrap_or(u64::from(u32::MAX))
    }

    /// Whether the step succeeded; any response except success and "not found" fails the test.
    async fn apply(&mut self, step: &Step) -> bool {
        let status = match *step {
            Step::Send { sender, receiver } => {
                let id = self.users[sender].send(&self.users[receiver], "s").await;
                self.ids.push(id);
                201
            }
            Step::Read { user, message } => self.users[user].read(self.id(message)).await.status,
            Step::Mark {
                user,
                message,
                read,
            } => self.users[user].mark(self.id(message), read).await.status,
            Step::Delete { user, message } => {
                self.users[user].delete(self.id(message)).await.status
            }
        };
        assert!(
            matches!(status, 200 | 201 | 204 | 404),
            "{step:?}: {status}"
        );
        status != 404
    }

    async fn assert_like(&self, model: &Model) {
        for (index, user) in self.users.iter().enumerate() {
            for (query, read) in [
                ("?per_page=100", None),
                ("?unread=true", Some(false)),
                ("?unread=false", Some(true)),
            ] {
                let expected: Vec<_> = model
                    .feed(index, read)
                    .into_iter()
                    .map(|number| self.ids[number])
                    .collect();
                assert_eq!(
                    user.inbox(query).await,
                    expected,
                    "feed {query} of {}",
                    user.name
                );
            }
            for number in 0..self.ids.len() {
                let answer = user.read(self.ids[number]).await;
                let expected = model.visible(index, number);
                assert_eq!(
                    answer.status,
                    if expected.is_some() { 200 } else { 404 },
                    "{} reads {number}",
                    user.name
                );
                if let Some(expected) = expected {
                    assert_eq!(answer.json["read"], expected.read);
                    assert_eq!(answer.json["receiver"], self.users[expected.receiver].name);
                }
            }
        }
    }
}

async fn check(users: &[User], steps: &[Step]) {
    let mut model = Model::default();
    let mut world = World {
        users: users.to_vec(),
        ids: Vec::new(),
    };
    for step in steps {
        let (expected, happened) = (model.apply(step), world.apply(step).await);
        assert_eq!(happened, expected, "{step:?} in {steps:?}");
    }
    world.assert_like(&model).await;
}

#[test]
fn every_sequence_of_steps_matches_the_model() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let service = runtime.block_on(Service::start());
    let users = runtime.block_on(async {
        let mut users = Vec::new();
        for name in ["alice", "bob", "carol"] {
            users.push(service.user(name).await);
        }
        users
    });
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(48);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(step(), 1..24), |steps| {
        runtime.block_on(async {
            service.database.execute("DELETE FROM messages").await;
            check(&users, &steps).await;
        });
        Ok(())
    });
    runtime.block_on(async move { drop(service) });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

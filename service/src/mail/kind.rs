//! The kinds of mails, and the limits of each.

use std::time::Duration;

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A code with which a forgotten password can be replaced.
    PasswordReset,
    /// The password was changed.
    PasswordChanged,
}

/// At most so many mails of a kind to one mailbox in this time.
pub(super) struct Limit {
    pub(super) mails: i64,
    pub(super) minutes: u32,
}

impl Kind {
    const ALL: [Self; 2] = [Self::PasswordReset, Self::PasswordChanged];

    /// The name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
        }
    }

    /// The kind with this name; `None` if only a newer version knows it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The time in which the code in such a mail can be used; `None` if it has none.
    pub(crate) fn code_lifetime(self) -> Option<Duration> {
        match self {
            Self::PasswordReset => Some(Duration::from_mins(30)),
            Self::PasswordChanged => None,
        }
    }

    /// A requested mail is limited by its distance from the previous one, which is shorter than the lifetime of a code:
    /// whoever asks in vain has a valid code in the mailbox, so requests by others lock nobody out.
    pub(super) fn limit(self) -> Limit {
        match self {
            Self::PasswordReset => Limit {
                mails: 1,
                minutes: 10,
            },
            Self::PasswordChanged => Limit {
                mails: 5,
                minutes: 60,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            assert!(kind.name().len() <= 32);
        }
        assert_eq!(Kind::named("invented-later"), None);
    }

    #[test]
    fn a_request_in_vain_leaves_a_code_that_is_valid_for_a_while() {
        for kind in Kind::ALL {
            if let Some(lifetime) = kind.code_lifetime() {
                assert_eq!(kind.limit().mails, 1);
                let pause = Duration::from_mins(kind.limit().minutes.into());
                assert!(lifetime >= 3 * pause);
            }
        }
    }
}

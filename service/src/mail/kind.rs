//! The kinds of mails, and the limits of each.

use std::time::Duration;

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A code with which a forgotten password can be replaced.
    PasswordReset,
    /// The password was changed.
    PasswordChanged,
    /// A code with which the address, or the one that is to replace it, is verified.
    EmailVerification,
    /// Another address is to replace this one.
    EmailChangeRequested,
    /// Another address has replaced this one.
    EmailChanged,
    /// Messages have been unread for a while, with a code that stops such mails.
    UnreadMessages,
}

/// The limits of the mails of a kind.
pub(super) struct Limit {
    /// The minutes for which an account gets no second mail while the code in the first one can be used; 0 for mails
    /// without a code.
    pub(super) pause_minutes: u32,
    /// The maximum number of mails in an hour: to a mailbox, which also bounds those whose codes are used or voided at
    /// once, and about an account, whose owner could otherwise have mails sent to any number of other mailboxes.
    pub(super) per_hour: i64,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailVerification,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::UnreadMessages,
    ];

    /// The name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
            Self::EmailVerification => "email-verification",
            Self::EmailChangeRequested => "email-change-requested",
            Self::EmailChanged => "email-changed",
            Self::UnreadMessages => "unread-messages",
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
            Self::EmailVerification => Some(Duration::from_hours(24)),
            Self::UnreadMessages => Some(Duration::from_hours(30 * 24)),
            Self::PasswordChanged | Self::EmailChangeRequested | Self::EmailChanged => None,
        }
    }

    /// A mail with a code that anyone can request is limited by its distance from the previous one, which is shorter
    /// than the lifetime of a code: whoever asks in vain has a valid code in the mailbox, so requests by others lock
    /// nobody out.
    pub(super) fn limit(self) -> Limit {
        match self {
            Self::PasswordReset | Self::EmailVerification => Limit {
                pause_minutes: 10,
                per_hour: 8,
            },
            // Its own setting determines the distance.
            Self::UnreadMessages => Limit {
                pause_minutes: 0,
                per_hour: 8,
            },
            Self::PasswordChanged | Self::EmailChangeRequested | Self::EmailChanged => Limit {
                pause_minutes: 0,
                per_hour: 5,
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
        for kind in [Kind::PasswordReset, Kind::EmailVerification] {
            let lifetime = kind.code_lifetime().expect("it has a code");
            let Limit {
                pause_minutes,
                per_hour,
            } = kind.limit();
            assert!(pause_minutes > 0);
            assert!(lifetime >= 3 * Duration::from_mins(pause_minutes.into()));
            // Otherwise requests alone could use the hour up, and leave no valid code at its end.
            assert!(per_hour > i64::from(60 / pause_minutes));
        }
    }
}

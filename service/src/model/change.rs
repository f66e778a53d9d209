//! What can happen to a message that a user has.

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Read,
    Unread,
    /// By the user, or by the sender for all receivers.
    Deleted,
}

impl ChangeKind {
    const ALL: [Self; 3] = [Self::Read, Self::Unread, Self::Deleted];

    /// The kind of a mark.
    pub(crate) const fn marked(read: bool) -> Self {
        if read { Self::Read } else { Self::Unread }
    }

    /// As it is stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Unread => "unread",
            Self::Deleted => "deleted",
        }
    }

    /// The kind that is stored as this; `None` if it is from a later version.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

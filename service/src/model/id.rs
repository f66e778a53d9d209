//! The ids of resources in paths.

/// Defines the id of a resource: the same in the database, in paths and in JSON.
macro_rules! resource_id {
    ($(#[$attribute:meta])* $name:ident) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
        #[serde(transparent)]
        $(#[$attribute])*
        pub(crate) struct $name(std::num::NonZero<u64>);

        impl $name {
            /// Parses an id in its canonical form; any other text names nothing. Ids fit into a signed 64-bit integer,
            /// which is the widest that many clients have.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                let id: i64 = text.parse().ok()?;
                let id = Self::stored(u64::try_from(id).ok()?)?;
                (id.to_string() == text).then_some(id)
            }

            /// An id from the database; `None` for 0, which MySQL never assigns.
            pub(crate) fn stored(id: u64) -> Option<Self> {
                std::num::NonZero::new(id).map(Self)
            }

            pub(crate) fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

pub(super) use resource_id;

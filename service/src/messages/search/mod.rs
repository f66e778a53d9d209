//! Decides which messages match a search.

mod fold;
mod matcher;

pub(crate) use self::fold::Pattern;
pub(crate) use self::matcher::{Candidate, Matcher};

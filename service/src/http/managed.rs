//! Access to the state that an earlier stage manages, during ignition.

use rocket::{Build, Rocket};

/// A clone of the state that an earlier stage manages.
///
/// # Panics
/// No earlier stage manages such a state: the order in `app.rs` is wrong.
pub(crate) fn managed<T: Clone + Send + Sync + 'static>(rocket: &Rocket<Build>) -> T {
    let value = rocket.state::<T>().cloned();
    value.unwrap_or_else(|| panic!("no stage manages {}", std::any::type_name::<T>()))
}

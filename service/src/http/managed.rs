//! Access to what an earlier stage manages, while the service is put together.

use rocket::{Build, Rocket};

/// A clone of what an earlier stage has handed to Rocket.
///
/// # Panics
/// No stage before has managed such a value: the order in `app.rs` is wrong.
pub(crate) fn managed<T: Clone + Send + Sync + 'static>(rocket: &Rocket<Build>) -> T {
    let value = rocket.state::<T>().cloned();
    value.unwrap_or_else(|| panic!("no stage manages {}", std::any::type_name::<T>()))
}

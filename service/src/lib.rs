//! Herolo: a messaging service over REST, with its data in MySQL.
//!
//! Reading order: `app` builds the service ([`build`]); the features `users` and `messages` have their `routes` (HTTP)
//! and `store` (SQL), and `model` their valid values; `auth` authenticates requests, `db` sets timeouts and retries
//! transactions, and `http::problem` defines all errors of the API.

mod app;
mod auth;
pub mod cli;
pub mod config;
mod db;
mod export;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod http;
mod jobs;
mod limits;
mod live;
mod mail;
mod messages;
mod model;
mod openapi;
mod ops;
mod pages;
mod users;

pub use crate::app::{build, migrate, openapi};
pub use crate::config::{Config, ConfigError};
pub use crate::db::MigrationError;
#[doc(hidden)]
pub use crate::live::RoundInterval;
pub use crate::pages::is_static_asset;

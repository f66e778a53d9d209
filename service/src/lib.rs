//! Herolo: a messaging service over REST, with its data in MySQL.
//!
//! Reading order: [`build`] puts the service together; `users` and `messages` hold what it is about, each with
//! `routes` (HTTP), `store` (SQL) and `model` (valid values); `auth` says who may call, `database` how long a
//! statement may take and what is tried again, `problem` what every error looks like.

mod app;
mod auth;
pub mod cli;
pub mod config;
mod db;
mod export;
mod http;
mod jobs;
mod limits;
mod live;
mod messages;
mod model;
mod openapi;
mod ops;
mod pages;
mod users;

pub use crate::app::{build, migrate, openapi};
pub use crate::config::{Config, ConfigError};
pub use crate::db::MigrationError;
pub use crate::pages::is_page;

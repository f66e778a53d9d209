//! The API as its consumers see it: the real service over HTTP, on a real MySQL.
//!
//! Each test has a database of its own and boots a service of its own, so tests run in parallel and in any order.

#![expect(
    clippy::disallowed_types,
    reason = "tests administer databases and explain statements, which takes text that they make themselves"
)]

mod support;

mod account;
mod auth;
mod blocks;
mod changes;
mod errors;
mod faults;
mod flood;
mod headers;
mod invitations;
mod large;
mod late;
mod layers;
mod lifecycle;
mod limits;
mod live;
mod mail;
mod marks;
mod messages;
mod migrations;
mod openapi;
mod operator;
mod pages;
mod paging;
mod plans;
mod polling;
mod readme;
mod receivers;
mod replies;
mod retries;
mod robustness;
mod search;
mod settings;
mod together;
mod users;
mod visibility;
mod wakeups;

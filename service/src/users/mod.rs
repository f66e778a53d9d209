//! Accounts and the tokens that they get.

mod model;
mod routes;
pub(crate) mod store;

pub(crate) use model::{UserId, Username};
pub(crate) use routes::{__path_create, __path_issue_token, __path_show, routes};
pub(crate) use store::Identity;

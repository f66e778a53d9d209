//! Accounts and the tokens that they get.

mod email;
mod model;
mod names;
mod password;
mod routes;
pub(crate) mod store;

pub(crate) use model::{UserId, Username};
pub(crate) use names::Names;
pub(crate) use password::ClaimedPassword;
pub(crate) use routes::{
    __path_change_email, __path_change_password, __path_create, __path_delete_account,
    __path_issue_token, __path_revoke_tokens, __path_show, Account, account, routes,
};
pub(crate) use store::Identity;

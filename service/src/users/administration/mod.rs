//! The operator's work on accounts, for the commands `herolo user`. It shows nobody's messages.

mod service;
mod store;

pub(crate) use self::service::{
    Administration, AdministrationError, CreatedAccount, OperatorInvitation,
};
pub(crate) use self::store::AccountRecord;

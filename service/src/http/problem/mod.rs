//! The one error type of the API: every error is a problem document (RFC 9457), including those of Rocket.

mod catcher;
mod document;
mod responder;
mod spec;

pub(crate) use self::catcher::catchers;
pub(crate) use self::document::Document;
pub(crate) use self::spec::Problem;

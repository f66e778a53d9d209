//! The parsers that read what strangers send, each with the properties that hold for any input. `make fuzz` looks for
//! an input that breaks one (see `fuzz/`), and a test repeats the inputs in `fuzz/seeds/`. Not part of the service: it
//! is compiled for these two only.
//!
//! Each function takes any bytes, and panics if a property does not hold. Where a function takes several values, they
//! are lines.

mod bodies;
mod headers;
mod input;
mod queries;
mod streams;
mod texts;
mod tokens;
mod values;

pub use self::bodies::{account_body, json_integer, marks_body, message_body};
pub use self::headers::{
    client_address, content_headers, idempotency_key, if_none_match, request_id,
};
pub use self::queries::page_query;
pub use self::streams::stream_cursor;
pub use self::texts::{search, time};
pub use self::tokens::access_token;
pub use self::values::{code, email, password, username};

#[cfg(test)]
mod tests;

//! HTTP: the parts that all requests and responses share.

pub(crate) mod body;
pub(crate) mod body_limits;
pub(crate) mod budget;
pub(crate) mod chunking;
pub(crate) mod closing;
pub(crate) mod docs;
pub(crate) mod etag;
pub(crate) mod framework_log;
pub(crate) mod headers;
pub(crate) mod json_integer;
pub(crate) mod late_check;
pub(crate) mod managed;
pub(crate) mod media_type;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod readable_headers;
pub(crate) mod request;
pub(crate) mod request_id;
pub(crate) mod sockets;
mod stage;

pub(crate) use self::stage::stage;

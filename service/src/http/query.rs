//! Query parameters, read one by one, so that a response can report all errors.

use rocket::http::RawStr;
use rocket::request::Request;

use crate::model::invalid::{FieldError, Invalid};

/// The parameters of a request's query, and the errors found in those that were read so far.
///
/// Parameters that are not read are ignored, as caches and proxies add some of their own.
pub(crate) struct QueryParameters<'r> {
    query: Option<&'r RawStr>,
    errors: Vec<FieldError>,
}

impl<'r> QueryParameters<'r> {
    pub(crate) fn of(request: &'r Request<'_>) -> Self {
        Self::new(request.uri().query().map(|query| query.raw()))
    }

    /// Those of a query as it was sent.
    pub(crate) fn new(query: Option<&'r RawStr>) -> Self {
        Self {
            query,
            errors: Vec::new(),
        }
    }

    /// The value of a parameter; `None` if it is absent or invalid. In the latter case, the error is recorded.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let value = self.raw_value(name)?;
        match value.and_then(|raw| decode(raw, parse)) {
            Ok(value) => Some(value),
            Err(Invalid(detail)) => {
                self.refuse(name, detail);
                None
            }
        }
    }

    /// Whether a parameter is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.raw_value(name).is_some()
    }

    /// Records an error that does not concern the value of a parameter alone.
    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::parameter(name, detail));
    }

    /// Returns the value, unless a parameter is invalid.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(self.errors)
        }
    }

    /// The value of a parameter as it was sent; `None` if it is absent.
    fn raw_value(&self, name: &str) -> Option<Result<&'r RawStr, Invalid>> {
        let is_named = |key: &RawStr| key.url_decode().is_ok_and(|key| key == name);
        let fields = self
            .query?
            .split('&')
            .map(|field| field.split_at_byte(b'='));
        let mut values = fields.filter(|(key, _)| is_named(key));
        let (_, value) = values.next()?;
        Some(match values.next() {
            None => Ok(value),
            Some(_) => Err("is given more than once".into()),
        })
    }
}

/// Decodes and parses a value. A percent-encoding that is not UTF-8 is refused rather than decoded lossily, because a
/// search for replacement characters would silently find nothing.
fn decode<T>(raw: &RawStr, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<T, Invalid> {
    match raw.url_decode() {
        Ok(value) => parse(&value),
        Err(_) => Err("must be percent-encoded UTF-8".into()),
    }
}

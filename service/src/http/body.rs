//! Request bodies: JSON objects, read field by field, so that one response can report all errors.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::request::Request;
use rocket::tokio::time::{Instant, timeout};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::http::body_limits::{BODY_DEADLINE, BODY_LIMIT_BYTES};
use crate::http::json_integer;
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::model::invalid::{FieldError, Invalid};

/// If a body takes longer than this, the token is checked again, so that no request takes effect long after a
/// revocation.
const PROMPT: Duration = Duration::from_secs(1);

/// A request body with a valid `T`.
pub(crate) struct Body<T>(pub(crate) T);

/// A value that is read from the fields of a body.
pub(crate) trait FromFields: Sized {
    /// Takes the value's fields; `None` if one of them is not valid, which `fields` records.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

#[rocket::async_trait]
impl<'r, T: FromFields> FromData<'r> for Body<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(value) => Outcome::Success(Self(value)),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}

async fn read<T: FromFields>(request: &Request<'_>, data: Data<'_>) -> Result<T, Problem> {
    let begin = Instant::now();
    let arrival = data.open(BODY_LIMIT_BYTES.bytes()).into_bytes();
    let bytes = timeout(BODY_DEADLINE, arrival)
        .await
        .map_err(|_| Problem::BodyTimeout)?
        .map_err(|error| {
            Problem::Malformed(format!("The body is incomplete: {}.", error.kind()))
        })?;
    if !bytes.is_complete() {
        return Err(Problem::TooLarge);
    }
    if begin.elapsed() > PROMPT {
        late_check::repeat(request).await?;
    }
    parse(bytes.into_inner())
}

/// Parses a whole body.
///
/// # Errors
/// The problem with all errors, or that the body is not JSON.
pub(crate) fn parse<T: FromFields>(json: Vec<u8>) -> Result<T, Problem> {
    let mut fields: Fields =
        serde_json::from_slice(&json).map_err(|error| match error.classify() {
            Category::Data => Problem::Invalid(vec![FieldError {
                pointer: "#".to_owned(),
                detail: NOT_AN_OBJECT.to_owned(),
            }]),
            _ if json.is_empty() => {
                Problem::Malformed("The body is empty; send a JSON object.".to_owned())
            }
            _ => Problem::Malformed(format!("The body is not JSON: {error}.")),
        })?;
    fields.json = json;
    let value = T::from_fields(&mut fields);
    fields.refuse_remaining();
    match value {
        Some(value) if fields.errors.is_empty() => Ok(value),
        _ => Err(Problem::Invalid(fields.errors)),
    }
}

const NOT_AN_OBJECT: &str = "must be a JSON object of at most 64 fields";

/// The fields of a body that were not taken yet, and the errors of those that were.
pub(crate) struct Fields {
    /// The body, from which integers are read with all their digits.
    json: Vec<u8>,
    given: Vec<(String, Value)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Takes a required string field.
    pub(crate) fn text<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, Invalid>,
    ) -> Option<T> {
        self.take(name, |value| match value {
            Value::String(text) => parse(text),
            _ => Err("must be a string".into()),
        })
    }

    /// Takes a string field that may be absent; `None` if it is absent, or not valid, which is recorded.
    pub(crate) fn optional_text<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, Invalid>,
    ) -> Option<T> {
        if self.has(name) {
            return self.text(name, parse);
        }
        self.mention(name);
        None
    }

    /// Takes a required field of any type.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        self.known.push(name);
        let value = match self.given.iter().position(|(given, _)| given == name) {
            Some(index) => parse(self.given.swap_remove(index).1),
            None => Err("is missing".into()),
        };
        value
            .map_err(|Invalid(detail)| self.errors.push(FieldError::field(name, detail)))
            .ok()
    }

    /// Whether the field was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| given == name)
    }

    /// Takes a required list of strings whose length is within the range. An error points to its item by index.
    pub(crate) fn texts<T>(
        &mut self,
        name: &'static str,
        length: &RangeInclusive<usize>,
        parse: impl Fn(String) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        self.list(name, length, "strings", |item| match item {
            Value::String(text) => parse(text),
            _ => Err("must be a string".into()),
        })
    }

    /// Takes a required list whose length is within the range; `items` names what it has. An error points to its item
    /// by index.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        length: &RangeInclusive<usize>,
        items: &str,
        mut parse: impl FnMut(Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let expected = || {
            let (min, max) = (length.start(), length.end());
            format!("must be a list of {min} to {max} {items}").into()
        };
        let items = self.take(name, |value| match value {
            Value::Array(items) if length.contains(&items.len()) => Ok(items),
            _ => Err(expected()),
        })?;
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match parse(item) {
                Ok(value) => values.push(value),
                Err(Invalid(detail)) => self.errors.push(FieldError {
                    pointer: format!("#/{name}/{index}"),
                    detail,
                }),
            }
        }
        Some(values)
    }

    /// Takes a required field that is an integer, given by its digits; any other value is given as an empty text.
    pub(crate) fn integer<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let digits = self.text_of(name).and_then(json_integer::digits);
        self.take(name, |_| parse(&digits.unwrap_or_default()))
    }

    /// Takes an integer that may be absent, else as [`Self::integer`]; `None` if it is absent, or not valid, which is
    /// recorded.
    pub(crate) fn optional_integer<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        if self.has(name) {
            return self.integer(name, parse);
        }
        self.mention(name);
        None
    }

    /// Takes a required list of integers, each as in [`Self::integer`]; otherwise as [`Self::list`].
    pub(crate) fn integers<T>(
        &mut self,
        name: &'static str,
        length: &RangeInclusive<usize>,
        items: &str,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let texts: Vec<&RawValue> = self
            .text_of(name)
            .and_then(|list| serde_json::from_str(list).ok())
            .unwrap_or_default();
        let digits = texts.iter().map(|item| json_integer::digits(item.get()));
        let mut digits = digits.collect::<Vec<_>>().into_iter();
        self.list(name, length, items, |_| {
            parse(&digits.next().flatten().unwrap_or_default())
        })
    }

    /// The JSON text of a field. Of a field that is given more than once, which is refused later, it is any of them.
    fn text_of(&self, name: &str) -> Option<&str> {
        let mut fields: HashMap<String, &RawValue> = serde_json::from_slice(&self.json).ok()?;
        fields.remove(name).map(RawValue::get)
    }

    /// Records a known field that the body does not have, for the message about unknown fields.
    pub(crate) fn mention(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// Refuses a field because of another field.
    pub(crate) fn refuse(&mut self, name: &'static str, detail: &str) {
        self.errors.push(FieldError::field(name, detail));
    }

    /// Refuses two fields that were both given, each because of the other.
    pub(crate) fn refuse_both(&mut self, one: &'static str, other: &'static str) {
        for (name, another) in [(one, other), (other, one)] {
            let detail = format!("cannot be combined with {another}");
            let _ = self.take(name, |_| Err::<(), _>(detail.into()));
        }
    }

    /// Refuses the remaining fields: a misspelt or repeated field must not be ignored silently.
    fn refuse_remaining(&mut self) {
        for (name, _) in &mut self.given {
            truncate(name);
            let detail = if self.known.contains(&name.as_str()) {
                "is given more than once".to_owned()
            } else {
                format!(
                    "is not a field of this request, which has {}",
                    self.known.join(", ")
                )
            };
            self.errors.push(FieldError::field(name, detail));
        }
    }
}

/// Bounds the length of a field's name, and so of the response that repeats it.
fn truncate(name: &mut String) {
    if let Some((end, _)) = name.char_indices().nth(MAX_NAME_CHARS) {
        name.truncate(end);
        name.push('…');
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// The maximum number of characters of a field's name in a response.
const MAX_NAME_CHARS: usize = 64;

struct FieldsVisitor;

/// The maximum number of fields in a body, which bounds the length of the response.
const MAX_FIELDS: usize = 64;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
        let mut given = Vec::new();
        while let Some(field) = map.next_entry()? {
            if given.len() == MAX_FIELDS {
                return Err(M::Error::custom("too many fields"));
            }
            given.push(field);
        }
        Ok(Fields {
            json: Vec::new(),
            given,
            known: Vec::new(),
            errors: Vec::new(),
        })
    }
}

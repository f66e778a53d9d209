//! Request bodies: JSON objects, read field by field, so that an answer can name everything that is wrong at once. And
//! how answers write what JSON has no form for.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::request::Request;
use rocket::tokio::time::{Instant, timeout};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::http::body_limits::{BODY_DEADLINE, BODY_LIMIT_BYTES};
use crate::http::late_check;
use crate::http::problem::Problem;
use crate::model::invalid::{FieldError, Invalid};

/// A body that took longer than this has the token checked again, so that no request takes effect long after a
/// revocation.
const PROMPT: Duration = Duration::from_secs(1);

/// A request body that holds a valid `T`.
pub(crate) struct Body<T>(pub(crate) T);

/// What can be read from the fields of a body.
pub(crate) trait FromFields: Sized {
    /// Takes the fields that it knows; `None` if one of them is not valid (the fields remember why).
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
        .map_err(|_| Problem::TooSlow)?
        .map_err(|fault| {
            Problem::Malformed(format!("The body did not arrive whole: {}.", fault.kind()))
        })?;
    if !bytes.is_complete() {
        return Err(Problem::TooLarge);
    }
    if begin.elapsed() > PROMPT {
        late_check::repeat(request).await?;
    }
    parse(&bytes)
}

fn parse<T: FromFields>(json: &[u8]) -> Result<T, Problem> {
    let mut fields: Fields =
        serde_json::from_slice(json).map_err(|fault| match fault.classify() {
            Category::Data => Problem::Invalid(vec![FieldError {
                pointer: "#".to_owned(),
                detail: NOT_AN_OBJECT.to_owned(),
            }]),
            _ if json.is_empty() => {
                Problem::Malformed("The body is empty; send a JSON object.".to_owned())
            }
            _ => Problem::Malformed(format!("The body is not JSON: {fault}.")),
        })?;
    let value = T::from_fields(&mut fields);
    fields.refuse_the_rest();
    match value {
        Some(value) if fields.errors.is_empty() => Ok(value),
        _ => Err(Problem::Invalid(fields.errors)),
    }
}

const NOT_AN_OBJECT: &str = "must be a JSON object of at most 64 fields";

/// The fields of a body that were not taken yet, and what is wrong with those that were.
pub(crate) struct Fields {
    given: Vec<(String, Value)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Takes a field that must be a string.
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

    /// Takes a field that must be there, whatever its type.
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

    /// Takes a field that must be a list of strings, of a length within the range. Each wrong one is named by its place.
    pub(crate) fn texts<T>(
        &mut self,
        name: &'static str,
        length: &RangeInclusive<usize>,
        parse: impl Fn(String) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let expected = || {
            let (fewest, most) = (length.start(), length.end());
            format!("must be a list of {fewest} to {most} strings").into()
        };
        let items = self.take(name, |value| match value {
            Value::Array(items) if length.contains(&items.len()) => Ok(items),
            _ => Err(expected()),
        })?;
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let value = match item {
                Value::String(text) => parse(text),
                _ => Err("must be a string".into()),
            };
            match value {
                Ok(value) => values.push(value),
                Err(Invalid(detail)) => self.errors.push(FieldError {
                    pointer: format!("#/{name}/{index}"),
                    detail,
                }),
            }
        }
        Some(values)
    }

    /// Names a field that the request may have and that was not given.
    pub(crate) fn mention(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// Refuses a field for what stands beside it.
    pub(crate) fn refuse(&mut self, name: &'static str, detail: &str) {
        self.errors.push(FieldError::field(name, detail));
    }

    /// What is left was not asked for: a misspelt or repeated field must not pass in silence.
    fn refuse_the_rest(&mut self) {
        for (name, _) in &mut self.given {
            truncate(name);
            let detail = if self.known.contains(&name.as_str()) {
                "is there twice".to_owned()
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

/// An answer must not grow with what somebody calls a field.
fn truncate(name: &mut String) {
    if let Some((end, _)) = name.char_indices().nth(LONGEST_NAME) {
        name.truncate(end);
        name.push('…');
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Characters of a field's name that an answer repeats.
const LONGEST_NAME: usize = 64;

struct FieldsVisitor;

/// More fields than this cannot be meant; it bounds how long an answer can become.
const MOST_FIELDS: usize = 64;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
        let mut given = Vec::new();
        while let Some(field) = map.next_entry()? {
            if given.len() == MOST_FIELDS {
                return Err(M::Error::custom("too many fields"));
            }
            given.push(field);
        }
        Ok(Fields {
            given,
            known: Vec::new(),
            errors: Vec::new(),
        })
    }
}

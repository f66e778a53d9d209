//! Examples of bodies, composed from the examples of their fields, so that each example is written once, at its field.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::schema::{ArrayItems, Object, Schema};
use utoipa::openapi::{Content, RefOr};

use crate::http::docs::operations;

/// The schemas by name.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Adds an example to every JSON body that has none, from its schema.
pub(super) struct Examples;

impl Modify for Examples {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                if let Some(RefOr::T(body)) = &mut operation.request_body {
                    add_examples(body.content.values_mut(), &components.schemas);
                }
                for response in operation.responses.responses.values_mut() {
                    if let RefOr::T(response) = response {
                        add_examples(response.content.values_mut(), &components.schemas);
                    }
                }
            }
        }
    }
}

fn add_examples<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, schemas: &Schemas) {
    for content in contents {
        let RefOr::T(content) = content else { continue };
        if content.example.is_some() || !content.examples.is_empty() {
            continue;
        }
        if let Some(schema) = &content.schema {
            content.example = example(schema, schemas);
        }
    }
}

fn name_of(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or_default()
}

/// A value of the schema; `None` if a part of it has no example.
fn example(schema: &RefOr<Schema>, schemas: &Schemas) -> Option<Value> {
    match schema {
        RefOr::Ref(reference) => example(schemas.get(name_of(&reference.ref_location))?, schemas),
        RefOr::T(Schema::Object(object)) => {
            own_example(object).or_else(|| composed_example(object, schemas))
        }
        RefOr::T(Schema::Array(array)) => match (&array.example, &array.items) {
            (Some(own), _) => Some(own.clone()),
            (None, ArrayItems::RefOrSchema(item)) => Some(vec![example(item, schemas)?].into()),
            _ => None,
        },
        RefOr::T(_) => None,
    }
}

fn own_example(object: &Object) -> Option<Value> {
    let first = object.examples.first();
    object.example.as_ref().or(first).cloned()
}

/// An object of the required fields.
fn composed_example(object: &Object, schemas: &Schemas) -> Option<Value> {
    if object.properties.is_empty() {
        return None;
    }
    let fields = object.required.iter().map(|name| {
        let value = example(object.properties.get(name)?, schemas)?;
        Some((name.clone(), value))
    });
    fields
        .collect::<Option<serde_json::Map<_, _>>>()
        .map(Value::Object)
}

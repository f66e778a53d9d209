//! Fields that exclude each other, where the number of properties does not express it.

use serde_json::json;
use utoipa::Modify;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// Forbids a message to have both `receiver` and `receivers`. utoipa has no `not`; its extensions are further members
/// of the schema, under any name. Client generators ignore `not`, while they merge a `oneOf` into one class.
pub(super) struct Exclusions;

impl Modify for Exclusions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut("NewMessage") {
            let both = json!({"required": ["receiver", "receivers"]});
            let extensions = object.extensions.get_or_insert_default();
            extensions.insert("not".to_owned(), both);
        }
    }
}

//! The bodies of requests that mark messages as read or unread.

use serde_json::{Value, json};
use utoipa::openapi::schema::{Array, ArrayBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::http::body::{Fields, FromFields};
use crate::messages::requests::message_id;
use crate::model::marking::{IDS, Marking, Selection};
use crate::model::message::MessageId;
use crate::model::page;

/// The new read status of a message.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadMark {
    /// `true` marks the message as read, `false` as unread. The strings `"true"` and `"false"` are accepted, too.
    #[schema(example = true)]
    pub(crate) read: bool,
}

impl FromFields for ReadMark {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            read: read_status(fields)?,
        })
    }
}

fn read_status(fields: &mut Fields) -> Option<bool> {
    fields.take("read", |value| match value {
        Value::Bool(read) => Ok(read),
        Value::String(text) => page::parse_bool(&text),
        _ => Err("must be true or false".into()),
    })
}

/// The new read status of several messages: either those that `ids` names, or all up to `until`.
#[derive(ToSchema)]
// Either of the optional properties, as in `NewMessageFields`.
#[schema(min_properties = 2, max_properties = 2)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct ReadMarks {
    /// `true` marks the messages as read, `false` as unread. The strings `"true"` and `"false"` are accepted, too.
    #[schema(example = true)]
    read: bool,
    #[schema(schema_with = ids_schema)]
    ids: Option<Vec<MessageId>>,
    /// All messages that you have received, up to the one with this id: of the newest message that you have seen, so
    /// that those which arrive meanwhile stay as they are.
    #[schema(
        value_type = Option<u64>,
        nullable = false,
        minimum = 1,
        maximum = 9_223_372_036_854_775_807_i64,
        example = 42
    )]
    until: Option<MessageId>,
}

fn ids_schema() -> Array {
    ArrayBuilder::new()
        .description(Some(
            "The ids of the messages. Those of messages that you have not received, or have deleted, are ignored.",
        ))
        .items(MessageId::schema())
        .min_items(Some(*IDS.start()))
        .max_items(Some(*IDS.end()))
        .examples([json!([41, 42])])
        .build()
}

impl FromFields for Marking {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let read = read_status(fields);
        let selection = selection(fields);
        Some(Self {
            read: read?,
            selection: selection?,
        })
    }
}

fn selection(fields: &mut Fields) -> Option<Selection> {
    match (fields.has("ids"), fields.has("until")) {
        (true, false) => {
            let ids = fields.integers("ids", &IDS, "ids of messages", message_id::parse);
            fields.mention("until");
            ids.map(Selection::Ids)
        }
        (false, true) => {
            fields.mention("ids");
            fields
                .integer("until", message_id::parse)
                .map(Selection::Until)
        }
        (true, true) => {
            fields.refuse_both("ids", "until");
            None
        }
        (false, false) => {
            for name in ["ids", "until"] {
                fields.mention(name);
                fields.refuse(name, "is missing; give either ids or until");
            }
            None
        }
    }
}

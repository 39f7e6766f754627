//! The schemas of the document: the envelope, and the catalog's own with their references turned towards each other.

use serde_json::{Map, Value, json};

use crate::event::{Catalog, EventType};

const ENVELOPE: &str = "cloudevent";

/// W3C Trace Context, version 00.
const TRACEPARENT: &str = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}";

/// Every schema under its name: an event type's is called as the type.
pub(super) fn all(catalog: &Catalog) -> Map<String, Value> {
    let own = catalog.iter().map(|kind| (kind.name.clone(), moved(kind.schema.document(), &kind.name)));
    let beside = catalog.schemas().filter_map(|(file, schema)| {
        let name = stem(file);
        catalog.get(name).is_none().then(|| (name.to_owned(), moved(schema, name)))
    });
    own.chain(beside).chain([(ENVELOPE.to_owned(), cloudevent())]).collect()
}

/// A type's data.
pub(super) fn of(kind: &EventType) -> Value {
    reference(&kind.name, "")
}

/// What stands around it in structured mode.
pub(super) fn envelope() -> Value {
    reference(ENVELOPE, "")
}

/// What stands around it in binary mode.
pub(super) fn headers(kind: &EventType) -> Value {
    let mut properties: Map<String, Value> =
        attributes().into_iter().map(|(name, schema)| (format!("ce-{name}"), schema)).collect();
    properties.insert("ce-type".to_owned(), json!({ "const": kind.name }));
    let required: Vec<String> = REQUIRED.iter().map(|name| format!("ce-{name}")).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

const REQUIRED: [&str; 5] = ["specversion", "id", "source", "type", "time"];

fn attributes() -> Map<String, Value> {
    let text = |longest: u32, words: &str| json!({ "type": "string", "minLength": 1, "maxLength": longest, "description": words });
    let time = |words: &str| json!({ "type": "string", "format": "date-time", "description": words });
    [
        ("specversion", json!({ "const": "1.0" })),
        ("id", text(1024, "With `source` it identifies the event.")),
        ("source", text(1024, "Who publishes.")),
        ("type", text(255, "Also the routing key.")),
        ("time", time("When it happened, RFC 3339; no more than a day ahead.")),
        ("expires", time("Not to be told later than this.")),
        (
            "traceparent",
            json!({ "type": "string", "pattern": TRACEPARENT, "description": "W3C Trace Context, continued." }),
        ),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn cloudevent() -> Value {
    let mut properties = attributes();
    properties.insert("datacontenttype".to_owned(), json!({ "type": "string" }));
    properties.insert("data".to_owned(), json!({ "type": "object" }));
    let required: Vec<&str> = REQUIRED.into_iter().chain(["data"]).collect();
    json!({
        "title": "CloudEvents 1.0, structured mode", "type": "object", "required": required, "properties": properties
    })
}

/// A schema in its new place. Its own examples stand in the messages, and its dialect is the document's.
fn moved(node: &Value, owner: &str) -> Value {
    let Value::Object(fields) = node else { return node.clone() };
    let fields = fields.iter().filter(|(name, _)| !["$schema", "$id", "examples"].contains(&name.as_str()));
    fields.map(|(name, value)| (name.clone(), keyword(name, value, owner))).collect()
}

fn keyword(name: &str, value: &Value, owner: &str) -> Value {
    match (name, value) {
        ("$ref", Value::String(target)) => turned(target, owner)["$ref"].clone(),
        // A property may be called `examples`.
        ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(named)) => {
            named.iter().map(|(name, schema)| (name.clone(), moved(schema, owner))).collect()
        }
        (_, Value::Array(items)) => items.iter().map(|item| moved(item, owner)).collect(),
        _ => moved(value, owner),
    }
}

/// `recipient.json#/properties/phone` in the file of `owner`.
fn turned(target: &str, owner: &str) -> Value {
    let (file, pointer) = target.split_once('#').unwrap_or((target, ""));
    reference(if file.is_empty() { owner } else { stem(file) }, pointer)
}

fn reference(name: &str, pointer: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}{pointer}") })
}

fn stem(file: &str) -> &str {
    file.strip_suffix(".json").unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_between_files_become_references_within_the_document() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "examples": [1],
            "properties": {
                "examples": { "$ref": "recipient.json#/properties/phone" }, "other": { "items": [{ "$ref": "#/$defs/x" }] }
            },
            "$defs": { "x": { "$ref": "recipient.json" } }
        });
        let expected = json!({
            "properties": {
                "examples": { "$ref": "#/components/schemas/recipient/properties/phone" },
                "other": { "items": [{ "$ref": "#/components/schemas/a.b/$defs/x" }] }
            },
            "$defs": { "x": { "$ref": "#/components/schemas/recipient" } }
        });
        assert_eq!(moved(&schema, "a.b"), expected);
    }
}

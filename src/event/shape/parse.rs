//! From a schema without references to its [`Shape`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Field, Kind, List, Record, Shape, Text};

type Keywords = Map<String, Value>;

pub(super) fn shape(schema: &Value, path: String) -> Shape {
    let Value::Object(keywords) = schema else { return Shape::open(&path) };
    let types = types(keywords);
    let kind = kind(keywords, &types, &path);
    let beyond = keywords.iter().filter(|(name, value)| !is_reflected(name, value));
    let beyond: BTreeSet<String> = beyond.map(|(name, _)| name.clone()).collect();
    Shape { path, nullable: types.contains(&"null"), kind, beyond }
}

fn kind(keywords: &Keywords, types: &[&str], path: &str) -> Kind {
    if let Some(only) = keywords.get("const") {
        return Kind::Codes(vec![only.clone()]);
    }
    if let Some(Value::Array(codes)) = keywords.get("enum") {
        return Kind::Codes(codes.iter().filter(|code| !code.is_null()).cloned().collect());
    }
    match types.iter().find(|name| **name != "null") {
        Some(&"object") => Kind::Record(record(keywords, path)),
        Some(&"array") => Kind::List(list(keywords, path)),
        Some(&"string") => Kind::Text(text(keywords)),
        Some(&"integer") => Kind::Whole(integer(keywords, "minimum"), integer(keywords, "maximum")),
        Some(&"boolean") => Kind::Codes(vec![json!(true), json!(false)]),
        _ => Kind::Open,
    }
}

/// `type`, or what its other keywords speak of.
fn types(keywords: &Keywords) -> Vec<&str> {
    match keywords.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => {
            let spoken = [("properties", "object"), ("items", "array"), ("maxLength", "string")];
            spoken
                .iter()
                .filter(|(keyword, _)| keywords.contains_key(*keyword))
                .map(|(_, name)| *name)
                .collect()
        }
    }
}

fn record(keywords: &Keywords, path: &str) -> Record {
    let required: Vec<&str> = keywords
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut fields = fields(keywords, path, |name| required.contains(&name));
    // What only some variants have may be missing.
    for variant in variants(keywords) {
        for (name, field) in self::fields(variant, path, |_| false) {
            fields.entry(name).or_insert(field);
        }
    }
    let others = keywords.get("additionalProperties").filter(|others| others.is_object());
    Record { fields, others: others.map(|others| Arc::new(shape(others, format!("{path}/*")))) }
}

fn fields(keywords: &Keywords, path: &str, required: impl Fn(&str) -> bool) -> BTreeMap<String, Field> {
    let fields = keywords.get("properties").and_then(Value::as_object).into_iter().flatten();
    let field = |(name, schema): (&String, &Value)| {
        let shape = shape(schema, format!("{path}/{name}"));
        let required = required(name) && !shape.nullable;
        (name.clone(), Field { shape: Arc::new(shape), required })
    };
    fields.map(field).collect()
}

fn variants(keywords: &Keywords) -> impl Iterator<Item = &Keywords> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|name| keywords.get(name)?.as_array()).flatten();
    let single = ["then", "else"].into_iter().filter_map(|name| keywords.get(name));
    lists.chain(single).filter_map(Value::as_object)
}

fn list(keywords: &Keywords, path: &str) -> List {
    let path = format!("{path}/*");
    let item = keywords.get("items").map_or_else(|| Shape::open(&path), |items| shape(items, path.clone()));
    List {
        item: Arc::new(item),
        least: length(keywords, "minItems").unwrap_or(0),
        most: length(keywords, "maxItems"),
        unique: keywords.get("uniqueItems") == Some(&json!(true)),
    }
}

fn text(keywords: &Keywords) -> Text {
    let word = |name: &str| keywords.get(name).and_then(Value::as_str).map(str::to_owned);
    Text {
        least: length(keywords, "minLength").unwrap_or(0),
        most: length(keywords, "maxLength"),
        pattern: word("pattern"),
        format: word("format"),
    }
}

fn length(keywords: &Keywords, name: &str) -> Option<usize> {
    usize::try_from(keywords.get(name)?.as_u64()?).ok()
}

fn integer(keywords: &Keywords, name: &str) -> Option<i64> {
    keywords.get(name)?.as_i64()
}

/// Whether a keyword says nothing, or nothing that a shape does not know.
fn is_reflected(keyword: &str, value: &Value) -> bool {
    match keyword {
        "type" => value != "number" && value.as_array().is_none_or(|several| several.len() <= 2),
        "title"
        | "description"
        | "examples"
        | "default"
        | "deprecated"
        | "$schema"
        | "$id"
        | "$defs"
        | "$comment"
        | "enum"
        | "const"
        | "properties"
        | "required"
        | "items"
        | "minItems"
        | "maxItems"
        | "uniqueItems"
        | "minLength"
        | "maxLength"
        | "pattern"
        | "format"
        | "minimum"
        | "maximum"
        | "additionalProperties"
        | "maxProperties" => true,
        other => other.starts_with("x-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(shape: &'a Shape, name: &str) -> &'a Field {
        &shape.record().expect("an object").fields[name]
    }

    #[test]
    fn fields_know_what_they_are_and_whether_they_may_be_missing() {
        let shape = Shape::of(&json!({
            "type": "object", "required": ["a", "n"],
            "properties": {
                "a": {"type": "string", "maxLength": 4}, "b": {"enum": ["x", "y"]}, "n": {"type": ["integer", "null"]},
                "l": {"type": "array", "uniqueItems": true, "items": {"type": "object", "properties": {"c": {}}}}
            },
            "anyOf": [{"properties": {"only": {"type": "string"}}}]
        }));
        assert!(field(&shape, "a").required && !field(&shape, "b").required);
        assert!(!field(&shape, "n").required, "null is shown as nothing");
        assert!(!field(&shape, "only").required, "only one variant has it");
        assert_eq!(field(&shape, "b").shape.kind, Kind::Codes(vec![json!("x"), json!("y")]));
        let Kind::List(list) = &field(&shape, "l").shape.kind else { panic!("a list") };
        assert_eq!(field(&list.item, "c").shape.path, "/l/*/c");
        assert_eq!(shape.beyond.iter().collect::<Vec<_>>(), ["anyOf"]);
    }
}

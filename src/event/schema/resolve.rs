//! A schema with its references written out, so that nobody behind it has to know of files and pointers.

use serde_json::{Map, Value, json};

/// Deeper, a schema refers to itself; what is in there is left open.
const DEEPEST: usize = 16;

/// The schema with each `$ref` replaced by what it names, and each `allOf` laid over its owner. `beside` gives the
/// schemas that a reference may name. What does not resolve stays as it is.
pub(super) fn resolved(document: &Value, beside: &impl Fn(&str) -> Option<Value>) -> Value {
    Resolver { beside }.node(document, document, 0)
}

struct Resolver<'a, F> {
    beside: &'a F,
}

impl<F: Fn(&str) -> Option<Value>> Resolver<'_, F> {
    fn node(&self, node: &Value, document: &Value, depth: usize) -> Value {
        let Value::Object(keywords) = node else { return node.clone() };
        if depth > DEEPEST {
            return json!({"$ref": "itself"});
        }
        let mut whole = Map::new();
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| !is_over(keyword)) {
            whole.insert(keyword.clone(), self.keyword(keyword, value, document, depth));
        }
        let referred = keywords.get("$ref").map(|name| self.referred(name, document, depth));
        let all = keywords.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let all = all.map(|one| self.node(one, document, depth + 1));
        referred.into_iter().chain(all).for_each(|over| lay_over(&mut whole, over));
        Value::Object(whole)
    }

    fn keyword(&self, keyword: &str, value: &Value, document: &Value, depth: usize) -> Value {
        let node = |node: &Value| self.node(node, document, depth + 1);
        match (keyword, value) {
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(all)) => {
                Value::Object(all.iter().map(|(name, one)| (name.clone(), node(one))).collect())
            }
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => all.iter().map(node).collect(),
            ("items" | "additionalProperties" | "if" | "then" | "else" | "not", one) => node(one),
            (_, other) => other.clone(),
        }
    }

    /// `recipient.json`, `#/$defs/x`, `recipient.json#/properties/phone`.
    fn referred(&self, name: &Value, document: &Value, depth: usize) -> Value {
        let text = name.as_str().unwrap_or_default();
        let (file, pointer) = text.split_once('#').unwrap_or((text, ""));
        let other = if file.is_empty() { None } else { (self.beside)(file) };
        let document = other.as_ref().unwrap_or(document);
        let known = file.is_empty() || other.is_some();
        match document.pointer(pointer).filter(|_| known) {
            Some(node) => self.node(node, document, depth + 1),
            None => json!({"$ref": name}),
        }
    }
}

fn is_over(keyword: &str) -> bool {
    matches!(keyword, "$ref" | "allOf")
}

/// What both say holds. Where two say it otherwise and no rule joins them, an `allOf` stays behind.
fn lay_over(whole: &mut Map<String, Value>, over: Value) {
    let Value::Object(over) = over else { return };
    for (keyword, value) in over {
        let Some(mine) = whole.get_mut(&keyword) else {
            whole.insert(keyword, value);
            continue;
        };
        if !join(&keyword, mine, &value) {
            whole.insert("allOf".to_owned(), Value::Null);
        }
    }
}

/// Whether the two could be joined.
fn join(keyword: &str, mine: &mut Value, other: &Value) -> bool {
    match (keyword, &mut *mine, other) {
        ("properties", Value::Object(mine), Value::Object(other)) => join_fields(mine, other),
        ("required", Value::Array(mine), Value::Array(other)) => {
            mine.extend(other.iter().cloned());
        }
        ("enum", Value::Array(mine), Value::Array(other)) => mine.retain(|code| other.contains(code)),
        ("minLength" | "minItems" | "minimum", ..) => {
            if other.as_f64() > mine.as_f64() {
                *mine = other.clone();
            }
        }
        ("maxLength" | "maxItems" | "maximum", ..) => {
            if other.as_f64() < mine.as_f64() {
                *mine = other.clone();
            }
        }
        // Said for people, or of the whole document.
        ("title" | "description" | "examples" | "default" | "$schema" | "$id" | "$defs", ..) => {}
        (_, mine, other) => return mine == other,
    }
    true
}

fn join_fields(mine: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (name, field) in other {
        match mine.get_mut(name) {
            Some(Value::Object(whole)) => lay_over(whole, field.clone()),
            _ => drop(mine.insert(name.clone(), field.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_all_of_are_written_out() {
        let document = json!({
            "$defs": {"number": {"type": "string", "maxLength": 8}},
            "properties": {"who": {"$ref": "who.json"}, "n": {"$ref": "#/$defs/number", "maxLength": 6}},
            "allOf": [{"required": ["n"], "properties": {"n": {"minLength": 4}}}]
        });
        let who = json!({"properties": {"phone": {"$ref": "#/$defs/phone"}}, "$defs": {"phone": {"type": "string"}}});
        let resolved = resolved(&document, &|name| (name == "who.json").then(|| who.clone()));
        assert_eq!(resolved["properties"]["who"]["properties"]["phone"], json!({"type": "string"}));
        assert_eq!(resolved["properties"]["n"], json!({"type": "string", "maxLength": 6, "minLength": 4}));
        assert_eq!(resolved["required"], json!(["n"]));
    }

    #[test]
    fn a_schema_within_itself_ends_and_what_cannot_be_joined_says_so() {
        let tree = json!({"properties": {"child": {"$ref": "#"}}});
        assert!(resolved(&tree, &|_| None).to_string().len() < 10_000);
        let both = json!({"allOf": [{"pattern": "a"}, {"pattern": "b"}]});
        assert_eq!(resolved(&both, &|_| None), json!({"pattern": "a", "allOf": null}));
    }
}

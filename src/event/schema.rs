//! One event type's JSON Schema: compiled once, and its examples, which feed demo, preview, checks and tests alike.

mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;

use super::shape::Shape;

/// A compiled schema.
#[derive(Debug)]
pub struct EventSchema {
    validator: Validator,
    document: Value,
    masked: BTreeMap<String, bool>,
    shape: Arc<Shape>,
}

/// A schema file that is not in order.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Not a JSON Schema, or a `$ref` that leads nowhere.
    #[error("not a usable JSON Schema: {0}")]
    Schema(String),
    /// Fewer than two examples: demo, preview and checks live on them.
    #[error("has {0} examples; give \"examples\" at least two, the longest plausible values among them")]
    TooFewExamples(usize),
    /// An example that its own schema refuses.
    #[error("examples/{index} does not fit the schema: {violation}")]
    Example {
        /// Which one.
        index: usize,
        /// Why.
        violation: Violation,
    },
}

/// A place in an event's data that does not fit. Holds no value of the event: it goes into headers and logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Violation {
    /// A JSON pointer that begins with `/data`.
    pub pointer: String,
    /// What.
    pub detail: String,
}

/// Looks up `$ref`s beside the schema; nothing is ever fetched.
struct Beside<F>(F);

impl<F: Fn(&str) -> Option<Value> + Send + Sync> Retrieve for Beside<F> {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().trim_start_matches('/');
        (self.0)(name).ok_or_else(|| format!("{name} is not among the schemas").into())
    }
}

impl EventSchema {
    /// Compiles a schema and checks its examples. `beside` gives the schemas that a `$ref` may name.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn compile(
        text: &str,
        beside: impl Fn(&str) -> Option<Value> + Send + Sync + 'static,
    ) -> Result<Self, SchemaError> {
        let document: Value = serde_json::from_str(text)?;
        let mut masked = Masked::default();
        masked.collect(&document, &beside);
        let shape = Arc::new(Shape::of(&resolve::resolved(&document, &beside)));
        let validator = compile(&document, beside)?;
        let schema = Self { validator, document, masked: masked.names, shape };
        let examples = schema.examples();
        if examples.len() < 2 {
            return Err(SchemaError::TooFewExamples(examples.len()));
        }
        for (index, example) in examples.iter().enumerate() {
            if let Some(violation) = schema.violation(example) {
                return Err(SchemaError::Example { index, violation });
            }
        }
        Ok(schema)
    }

    /// Why `data` does not fit, without any of its values; `None` when it fits.
    pub fn violation(&self, data: &Value) -> Option<Violation> {
        self.validator.validate(data).err().map(|error| describe(&error))
    }

    /// The examples: instances of `data`.
    pub fn examples(&self) -> &[Value] {
        self.document["examples"].as_array().map_or(&[], Vec::as_slice)
    }

    /// What the schema says of a property's value with `"x-masked"`: that a text never shows it whole, or that it may.
    pub fn masks(&self, property: &str) -> Option<bool> {
        self.masked.get(property).copied()
    }

    /// What it says of its data, with every reference followed.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The schema itself, its references unresolved.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// What the type is, for upstream (`description`).
    pub fn description(&self) -> &str {
        self.document["description"].as_str().unwrap_or_default()
    }

    /// What the type is called in Japanese (`title`).
    pub fn title(&self) -> &str {
        self.document["title"].as_str().unwrap_or_default()
    }
}

/// The properties that say `"x-masked"`, by name: what is masked in one place of a type is so in all.
#[derive(Default)]
struct Masked {
    names: BTreeMap<String, bool>,
    seen: BTreeSet<String>,
}

impl Masked {
    fn collect(&mut self, node: &Value, beside: &impl Fn(&str) -> Option<Value>) {
        for (name, property) in node["properties"].as_object().into_iter().flatten() {
            if let Some(masked) = property["x-masked"].as_bool() {
                *self.names.entry(name.clone()).or_default() |= masked;
            }
        }
        let file = node["$ref"].as_str().and_then(|target| target.split('#').next());
        let other = file.filter(|file| !file.is_empty() && self.seen.insert((*file).to_owned()));
        if let Some(other) = other.and_then(beside) {
            self.collect(&other, beside);
        }
        match node {
            Value::Object(fields) => fields.values().for_each(|inner| self.collect(inner, beside)),
            Value::Array(items) => items.iter().for_each(|inner| self.collect(inner, beside)),
            _ => {}
        }
    }
}

fn compile(
    document: &Value,
    beside: impl Fn(&str) -> Option<Value> + Send + Sync + 'static,
) -> Result<Validator, SchemaError> {
    jsonschema::options()
        .with_retriever(Beside(beside))
        .build(document)
        .map_err(|error| SchemaError::Schema(error.to_string()))
}

fn describe(error: &ValidationError<'_>) -> Violation {
    let detail = match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{} is missing", property.as_str().unwrap_or("a property"))
        }
        ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::UnevaluatedProperties { .. }
        | ValidationErrorKind::PropertyNames { .. } => "has a property that is not allowed".to_owned(),
        _ => error.masked_with("the value").to_string(),
    };
    Violation { pointer: pointer(error.instance_path().as_str()), detail }
}

/// A JSON pointer below `/data` whose parts are names from a schema or indices; anything else a sender may have
/// invented (a phone number as a key) is hidden.
fn pointer(path: &str) -> String {
    let part = |part: &str| {
        let name = part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.len() <= 40
            && part.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        let index = part.len() <= 4 && part.chars().all(|c| c.is_ascii_digit());
        if name || index { part.to_owned() } else { "*".to_owned() }
    };
    let parts: Vec<_> = path.split('/').skip(1).map(part).collect();
    if parts.is_empty() { "/data".to_owned() } else { format!("/data/{}", parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(text: &str) -> Result<EventSchema, SchemaError> {
        EventSchema::compile(text, |name| {
            (name == "r.json").then(|| json!({"type": "object", "required": ["user_id"]}))
        })
    }

    const GOOD: &str = r#"{"type": "object", "required": ["recipient", "code"],
        "properties": {"recipient": {"$ref": "r.json"}, "code": {"type": "string", "pattern": "^[0-9]+$"}},
        "examples": [{"recipient": {"user_id": "U1"}, "code": "1"}, {"recipient": {"user_id": "U2"}, "code": "2"}]}"#;

    #[test]
    fn a_violation_names_the_place_and_holds_no_value() {
        let schema = schema(GOOD).expect("in order");
        for (data, place) in [
            (json!({"recipient": {"user_id": "U1"}, "code": "秘密090"}), "/data/code"),
            (json!({"recipient": {"phone": "秘密090"}, "code": "1"}), "/data/recipient: user_id is missing"),
            (json!({"recipient": "秘密090", "code": "1"}), "/data/recipient"),
            (json!({"code": "1"}), "/data: recipient is missing"),
            (json!("秘密090"), "/data"),
        ] {
            let violation = schema.violation(&data).expect("does not fit").to_string();
            assert!(violation.starts_with(place), "{violation}");
            assert!(!violation.contains("秘密") && !violation.contains("090"), "{violation}");
        }
    }

    #[test]
    fn a_schema_without_two_fitting_examples_or_with_a_dangling_reference_is_refused() {
        let too_few = GOOD.replace(r#", {"recipient": {"user_id": "U2"}, "code": "2"}"#, "");
        assert!(matches!(schema(&too_few), Err(SchemaError::TooFewExamples(1))));
        let wrong = GOOD.replace(r#""code": "2""#, r#""code": "x""#);
        assert!(matches!(schema(&wrong), Err(SchemaError::Example { index: 1, .. })));
        assert!(matches!(schema(&GOOD.replace("r.json", "other.json")), Err(SchemaError::Schema(_))));
        assert!(matches!(schema("{"), Err(SchemaError::Json(_))));
    }

    #[test]
    fn a_schema_says_what_a_text_never_shows_whole_also_in_what_it_refers_to() {
        let text = GOOD.replace(r#""pattern""#, r#""x-masked": false, "pattern""#);
        let beside = |_: &str| Some(json!({"properties": {"user_id": {"x-masked": true}, "name": {}}}));
        let schema = EventSchema::compile(&text, beside).expect("in order");
        assert_eq!(
            (schema.masks("user_id"), schema.masks("code"), schema.masks("name")),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn invented_property_names_do_not_show_in_a_place() {
        assert_eq!(pointer("/recipient/settings/09012345678"), "/data/recipient/settings/*");
        assert_eq!(pointer("/changed/0"), "/data/changed/0");
        assert_eq!(pointer(""), "/data");
    }
}

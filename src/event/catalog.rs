//! The catalog: what is done with each event type. Data, not code: `config/events.toml` and `config/schemas/`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::schema::{EventSchema, SchemaError};
use crate::assets::Files;
use crate::config::Span;

/// A queue with its own consumers, so that one kind of event can't hold up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// What a customer loses money by not hearing.
    Critical,
    /// Everything else.
    Standard,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 2] = [Self::Critical, Self::Standard];

    /// As queues and metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Standard => "standard",
        }
    }
}

/// Which channels an event type uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// SMS when the phone is a Japanese mobile number with a configured prefix, otherwise email.
    Auto,
    /// SMS, email when there is no usable number.
    Sms,
    /// Email, SMS when there is no usable address.
    Email,
    /// Both where there are both.
    Both,
}

/// Which of the two addresses mail goes to first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailTo {
    /// The authenticated address, else the contact address.
    Auth,
    /// The contact address, else the authenticated one.
    Contact,
}

/// Which logins are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyWhen {
    /// Each.
    #[default]
    Always,
    /// The first, and those from another device than the one before.
    NewDevice,
}

/// How many events of a type a recipient is told within a window; the others become one summary at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collapse {
    /// So many.
    pub max: NonZeroU32,
    /// From the first of them on.
    pub window: Span,
}

/// What policy says of an event type: one entry of `events.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Queue.
    pub lane: Lane,
    /// Channels.
    pub channels: Channels,
    /// Address for mail.
    pub email_to: EmailTo,
    /// Settings may pick the channel.
    pub user_may_choose: bool,
    /// Settings may say `none`.
    pub user_may_mute: bool,
    /// SMS failed for good → email, and the other way round.
    pub fallback: bool,
    /// Older than this is not sent.
    pub max_age: Span,
    /// Also tell the contact that the event names as old.
    #[serde(default)]
    pub previous_contact: bool,
    /// Which are told.
    #[serde(default)]
    pub notify_when: NotifyWhen,
    /// Many in a short time become one summary.
    pub collapse: Option<Collapse>,
    /// Whether its SMS count against `sms.day_limit`; those of the critical lane do not unless it says so.
    pub sms_day_limit: Option<bool>,
}

/// The longest window: what is over must be told on the same day.
const LONGEST_WINDOW: Span = Span::seconds(24 * 3600);

impl Policy {
    /// Whether SMS of this type count against `sms.day_limit`.
    pub fn counts_sms(&self) -> bool {
        self.sms_day_limit.unwrap_or(self.lane != Lane::Critical)
    }

    /// How old an event may be. A summary has waited for the end of its window, and has as long again for its way.
    pub fn max_age_of(&self, summary: bool) -> Span {
        let window = self.collapse.filter(|_| summary).map(|collapse| collapse.window.0);
        Span(self.max_age.0 + window.unwrap_or_default() * 2)
    }

    /// A key and what is wrong with it.
    fn problem(&self, schema: &EventSchema) -> Option<(&'static str, String)> {
        let has_device = schema.shape().record().is_some_and(|data| data.fields.contains_key("device"));
        if self.notify_when == NotifyWhen::NewDevice && !has_device {
            let mend =
                "is \"new_device\", but the schema has no `device` to compare; write \"always\", or add it";
            return Some(("notify_when", mend.to_owned()));
        }
        let window = self.collapse.map(|collapse| collapse.window)?;
        let out_of_range = window.0.is_zero() || window.0 > LONGEST_WINDOW.0;
        out_of_range.then(|| ("collapse.window", "is not between \"1ms\" and \"24h\"".to_owned()))
    }
}

/// An event type with all that is known of it.
#[derive(Debug)]
pub struct EventType {
    /// CloudEvents `type`.
    pub name: String,
    /// What to do.
    pub policy: Policy,
    /// What its data looks like.
    pub schema: EventSchema,
    /// The schema's file, as messages call it.
    pub file: String,
}

/// Every event type, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    types: BTreeMap<String, Arc<EventType>>,
    schemas: Arc<BTreeMap<String, Value>>,
}

/// Something in the catalog is not in order.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// `events.toml` is missing.
    #[error("{0}: not found; `shirase init DIR` writes the built-in one")]
    Missing(String),
    /// `events.toml` does not read.
    #[error("{file}: {detail}")]
    Toml {
        /// The file.
        file: String,
        /// What toml says, with line and column.
        detail: String,
    },
    /// A type without a schema.
    #[error("{file}: not found, but events.toml lists \"{event_type}\"; add the schema or remove the entry")]
    NoSchema {
        /// The file that is missing.
        file: String,
        /// The type.
        event_type: String,
    },
    /// What one key alone cannot show.
    #[error("{file}: [\"{event_type}\"]: {key} {detail}")]
    Policy {
        /// The file.
        file: String,
        /// The type.
        event_type: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it, and the mend.
        detail: String,
    },
    /// A schema that does not compile or whose examples it refuses.
    #[error("{file}: {source}")]
    Schema {
        /// The file.
        file: String,
        #[source]
        /// What is wrong.
        source: SchemaError,
    },
}

impl Catalog {
    /// Reads `events.toml` and `schemas/<type>.json` from the catalog's folder.
    ///
    /// # Errors
    /// All problems, not only the first.
    pub fn load(files: &Files) -> Result<Self, Vec<CatalogError>> {
        let place = files.place("events.toml");
        let text = files.get("events.toml").ok_or_else(|| vec![CatalogError::Missing(place.clone())])?;
        let policies: BTreeMap<String, toml::Value> = toml::from_str(text)
            .map_err(|error| vec![CatalogError::Toml { file: place.clone(), detail: error.to_string() }])?;

        let schemas = Arc::new(schemas(files));
        let mut catalog = Self { schemas: Arc::clone(&schemas), ..Self::default() };
        let mut problems = Vec::new();
        for (name, policy) in policies {
            match event_type(files, &schemas, &place, &name, policy) {
                Ok(event_type) => drop(catalog.types.insert(name, Arc::new(event_type))),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(catalog) } else { Err(problems) }
    }

    /// One event type.
    pub fn get(&self, name: &str) -> Option<&Arc<EventType>> {
        self.types.get(name)
    }

    /// All event types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.types.values()
    }

    /// Every schema by its file's name, those that no type has but others refer to among them.
    pub fn schemas(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.schemas.iter().map(|(file, schema)| (file.as_str(), schema))
    }

    /// The type as a metric's label: its name when we know it, so that the number of labels is bounded.
    pub fn label<'a>(&self, name: &'a str) -> &'a str {
        if self.types.contains_key(name) { name } else { "unknown" }
    }
}

/// Every schema that reads as JSON, by file name: what a `$ref` may name.
fn schemas(files: &Files) -> BTreeMap<String, Value> {
    let schema = |(name, text): (&str, &str)| {
        Some((name.strip_prefix("schemas/")?.to_owned(), serde_json::from_str(text).ok()?))
    };
    files.iter().filter_map(schema).collect()
}

fn event_type(
    files: &Files,
    schemas: &Arc<BTreeMap<String, Value>>,
    place: &str,
    name: &str,
    policy: toml::Value,
) -> Result<EventType, CatalogError> {
    let policy = Policy::deserialize(policy).map_err(|error| CatalogError::Toml {
        file: place.to_owned(),
        detail: format!("[\"{name}\"]: {}", error.to_string().trim()),
    })?;
    let file = format!("schemas/{name}.json");
    let text = files
        .get(&file)
        .ok_or_else(|| CatalogError::NoSchema { file: files.place(&file), event_type: name.to_owned() })?;
    let schemas = Arc::clone(schemas);
    let schema = EventSchema::compile(text, move |name| schemas.get(name).cloned());
    let schema = schema.map_err(|source| CatalogError::Schema { file: files.place(&file), source })?;
    if let Some((key, detail)) = policy.problem(&schema) {
        let (file, event_type) = (place.to_owned(), name.to_owned());
        return Err(CatalogError::Policy { file, event_type, key, detail });
    }
    Ok(EventType { name: name.to_owned(), policy, schema, file: files.place(&file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalog_holds_the_ten_types_each_with_two_examples() {
        let catalog = Catalog::load(&Files::embedded("config")).expect("the built-in catalog is in order");
        assert_eq!(catalog.iter().count(), 10);
        for event_type in catalog.iter() {
            assert!(event_type.schema.examples().len() >= 2, "{}", event_type.name);
        }
    }

    #[test]
    fn every_problem_of_a_catalog_is_reported_with_its_file() {
        let files: Files = [
            ("events.toml", "[\"a\"]\nlane = \"fast\"\n[\"b\"]\nlane = \"critical\"\nchannels = \"auto\"\nemail_to = \"auth\"\n\
              user_may_choose = true\nuser_may_mute = false\nfallback = true\nmax_age = \"6h\"\n"),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
        let problems = Catalog::load(&files).expect_err("two problems");
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 2, "{text:?}");
        assert!(text[0].contains("[\"a\"]") && text[0].contains("fast"), "{}", text[0]);
        assert!(text[1].contains("schemas/b.json") && text[1].contains("add the schema"), "{}", text[1]);
    }
}

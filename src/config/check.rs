//! The merged configuration against its schema: every problem, each with place, key and mend.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::layers::Layers;
use super::{Certificates, Config, Secret, Span, TextValue};
use crate::broker::AmqpUrl;
use crate::event::{EmailAddress, PhoneNumber};
use crate::gateway::{BreakerConfig, GatewayUrl, Mailbox, RelayUrl, ReturnPath};
use crate::ledger::LedgerUrl;
use crate::lint::RuleName;
use crate::plan::Channel;
use crate::traces::{CollectorUrl, TracesConfig};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File and line, variable, or `built-in`.
    pub place: String,
    /// The key, `sms.gateways.0.url`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    /// A problem with its place.
    pub fn new(place: String, key: &str, message: String) -> Self {
        Self { place, key: key.to_owned(), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.key.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}: {}", self.place, self.key, self.message)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

type FormatCheck = fn(&str) -> Option<String>;

/// Every format that the schema names. A name that is missing here fails the schema's compilation, hence every test.
const FORMATS: [(&str, FormatCheck); 13] = [
    (Span::FORMAT, Span::problem),
    (Secret::FORMAT, Secret::problem),
    (Certificates::FORMAT, Certificates::problem),
    (AmqpUrl::FORMAT, AmqpUrl::problem),
    (LedgerUrl::FORMAT, LedgerUrl::problem),
    (GatewayUrl::FORMAT, GatewayUrl::problem),
    (RelayUrl::FORMAT, RelayUrl::problem),
    (Mailbox::FORMAT, Mailbox::problem),
    (ReturnPath::FORMAT, ReturnPath::problem),
    (RuleName::FORMAT, RuleName::problem),
    (PhoneNumber::FORMAT, PhoneNumber::problem),
    (EmailAddress::FORMAT, EmailAddress::problem),
    (CollectorUrl::FORMAT, CollectorUrl::problem),
];

/// The configuration's JSON Schema, without references.
pub(super) fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
        drop_null(&mut schema);
        schema
    });
    &SCHEMA
}

/// TOML has no null: an optional key is left out, never null, and messages should not offer it.
fn drop_null(node: &mut Value) {
    if let Some(choices) = node.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = choices.as_slice() {
            let only = only.clone();
            *node = only;
        }
    }
    if let Some(types) = node.get_mut("type").filter(|types| types.is_array()) {
        let first = types.as_array().and_then(|types| types.iter().find(|name| *name != "null")).cloned();
        *types = first.unwrap_or(Value::Null);
    }
    match node {
        Value::Object(fields) => fields.values_mut().for_each(drop_null),
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}

fn validator() -> Validator {
    let formats = FORMATS.into_iter().fold(jsonschema::options(), |options, (name, check)| {
        options.with_format(name, move |text: &str| check(text).is_none())
    });
    formats
        .with_format("uint", |_: &str| true)
        .should_validate_formats(true)
        .build(schema())
        .expect("a test compiles the configuration's schema")
}

/// Checks and reads the merged layers.
pub(super) fn read(layers: Layers) -> Result<Config, ConfigError> {
    let found = validator();
    let found = found.iter_errors(&layers.merged).flat_map(|error| describe(&layers, &error));
    let problems: Vec<Problem> = layers.problems.iter().cloned().chain(found).collect();
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let config: Config = serde_json::from_value(layers.merged.clone())
        .map_err(|error| ConfigError(vec![Problem::new(layers.place(&[]), "", error.to_string())]))?;
    let problems: Vec<Problem> = across(&config)
        .into_iter()
        .map(|(key, message)| Problem::new(layers.place(&path_of(&key)), &key, message))
        .collect();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
}

/// What one key alone cannot show.
fn across(config: &Config) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let names = config
        .sms
        .gateways
        .iter()
        .enumerate()
        .map(|(index, gateway)| (format!("sms.gateways.{index}"), &gateway.common.name));
    let relays = config
        .email
        .relays
        .iter()
        .enumerate()
        .map(|(index, relay)| (format!("email.relays.{index}"), &relay.name));
    let names: Vec<_> = names.chain(relays).collect();
    for (index, (key, name)) in names.iter().enumerate() {
        if names[..index].iter().any(|(_, other)| other == name) {
            problems.push((
                format!("{key}.name"),
                format!("\"{name}\" is used twice; metrics and logs tell gateways by name"),
            ));
        }
    }
    for (key, dir) in [("catalog.dir", &config.catalog.dir), ("templates.dir", &config.templates.dir)] {
        if let Some(dir) = dir.as_deref().filter(|dir| !dir.is_dir()) {
            let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
            let mend =
                "relative paths start at the working directory; without the key the built-in one is used";
            problems.push((key.to_owned(), format!("{} is no folder; {mend}", absolute.display())));
        }
    }
    for (index, step) in config.retry.schedule.iter().enumerate() {
        if step.0.as_secs() == 0 || step.0.subsec_nanos() != 0 {
            problems.push((
                format!("retry.schedule.{index}"),
                "is not a whole number of seconds, at least \"1s\"".to_owned(),
            ));
        }
    }
    for (index, prefix) in config.sms.prefixes.iter().enumerate() {
        if prefix.len() < 3 || !prefix.starts_with('0') || !prefix.chars().all(|c| c.is_ascii_digit()) {
            let message = "is no prefix of a Japanese mobile number; write it as \"090\"".to_owned();
            problems.push((format!("sms.prefixes.{index}"), message));
        }
    }
    for (index, gateway) in config.sms.gateways.iter().enumerate() {
        let below = |(key, message): (String, String)| (format!("sms.gateways.{index}.{key}"), message);
        problems.extend(gateway.problems().into_iter().map(below));
    }
    let below = |(key, message): (String, String)| (format!("email.{key}"), message);
    problems.extend(config.email.problems().into_iter().map(below));
    let below = |(key, message): (String, String)| (format!("templates.check.{key}"), message);
    problems.extend(config.templates.check.problems().into_iter().map(below));
    let below = |(key, message): (String, String)| (format!("traces.{key}"), message);
    problems.extend(config.traces.iter().flat_map(TracesConfig::problems).map(below));
    let below = |(key, message): (String, String)| (format!("console.{key}"), message);
    problems.extend(config.console.problems().into_iter().map(below));
    for (key, name) in
        [("broker.prefix", &config.broker.prefix), ("broker.exchange", &config.broker.exchange)]
    {
        if name.is_empty() || name.len() > MAX_NAME {
            problems.push((key.to_owned(), format!("has to be a name of 1 to {MAX_NAME} bytes")));
        }
    }
    problems.extend(times(config));
    problems.extend(canary(config));
    problems
}

/// Its gateway has to be there, and its address has to fit it.
fn canary(config: &Config) -> Vec<(String, String)> {
    let Some(canary) = &config.canary else { return Vec::new() };
    let sms = config.sms.gateways.iter().map(|gateway| (&gateway.common.name, Channel::Sms));
    let relays = config.email.relays.iter().map(|relay| (&relay.name, Channel::Email));
    let channel = sms.chain(relays).find(|(name, _)| **name == canary.gateway).map(|(_, channel)| channel);
    let below = |(key, message): (&str, String)| (format!("canary.{key}"), message);
    canary.problems(channel).into_iter().map(below).collect()
}

/// AMQP bounds names at 255 bytes; ours add a lane and a step.
const MAX_NAME: usize = 200;

/// Lengths of time that do not go together.
fn times(config: &Config) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let gateways = config.sms.gateways.iter().enumerate();
    let timeouts = gateways.flat_map(|(index, gateway)| {
        let key = |name: &str| format!("sms.gateways.{index}.{name}");
        [(key("timeout"), gateway.common.timeout), (key("connect_timeout"), gateway.common.connect_timeout)]
    });
    let relays = config.email.relays.iter().enumerate();
    let relays = relays.map(|(index, relay)| (format!("email.relays.{index}.timeout"), relay.timeout));
    for (key, timeout) in timeouts.chain(relays) {
        if timeout.0.is_zero() {
            problems.push((key, "is nothing: every attempt would fail; give it some seconds".to_owned()));
        }
    }
    for (key, breaker) in breakers(config) {
        let below = |(name, message)| (format!("{key}.breaker.{name}"), message);
        problems.extend(breaker.problems().into_iter().map(below));
    }
    // A notification and its fallback each go through the whole schedule; both must be remembered until then.
    let schedule: Duration = config.retry.schedule.iter().map(|step| step.0).sum();
    if config.ledger.retention.0 <= schedule * 2 {
        let message =
            "is shorter than twice the retry schedule: what was sent would be forgotten and sent again";
        problems.push(("ledger.retention".to_owned(), message.to_owned()));
    }
    problems
}

fn breakers(config: &Config) -> impl Iterator<Item = (String, BreakerConfig)> {
    let gateways = config.sms.gateways.iter().enumerate();
    let gateways = gateways.map(|(index, it)| (format!("sms.gateways.{index}"), it.common.breaker));
    let relays = config.email.relays.iter().enumerate();
    gateways.chain(relays.map(|(index, it)| (format!("email.relays.{index}"), it.breaker)))
}

fn path_of(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

fn describe(layers: &Layers, error: &ValidationError<'_>) -> Vec<Problem> {
    let path: Vec<String> = error.instance_path().as_str().split('/').skip(1).map(str::to_owned).collect();
    let at = |path: &[String], message: String| Problem::new(layers.place(path), &path.join("."), message);
    let below = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = siblings(error);
            unexpected.iter().map(|name| at(&below(name), unknown_key(name, &known))).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![at(&below(name), "is missing; add it".to_owned())]
        }
        ValidationErrorKind::Format { format } => {
            let check = FORMATS.iter().find(|(name, _)| name == format);
            let text = error.instance().as_str().unwrap_or_default();
            let message =
                check.and_then(|(_, check)| check(text)).unwrap_or_else(|| "is not valid".to_owned());
            vec![at(&path, message)]
        }
        ValidationErrorKind::Enum { options } => vec![at(&path, one_of(options.as_array()))],
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
            let choices = schema().pointer(error.schema_path().as_str()).and_then(Value::as_array);
            let constants: Vec<Value> = choices
                .into_iter()
                .flatten()
                .map(|choice| choice.get("const").or(choice.get("type")).cloned().unwrap_or_default())
                .collect();
            vec![at(&path, one_of(Some(&constants)))]
        }
        _ => vec![at(&path, error.masked_with("the value").to_string())],
    }
}

fn one_of(options: Option<&Vec<Value>>) -> String {
    let options: Vec<String> = options.into_iter().flatten().map(ToString::to_string).collect();
    format!("is not among {}", options.join(", "))
}

/// The keys that the schema knows where an unknown one was found.
fn siblings(error: &ValidationError<'_>) -> Vec<String> {
    let place = error.schema_path().as_str();
    let object = place.rsplit_once('/').map_or("", |(object, _)| object);
    let properties = schema().pointer(&format!("{object}/properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

fn unknown_key(name: &str, known: &[String]) -> String {
    let close =
        known.iter().filter(|key| alike(key, name)).map(|key| format!("; did you mean `{key}`?")).next();
    format!("is not a key{}; known here: {}", close.unwrap_or_default(), known.join(", "))
}

/// Close enough to be a slip: one contains the other, or at most two letters differ.
fn alike(one: &str, other: &str) -> bool {
    one.contains(other) || other.contains(one) || distance(one, other) <= 2
}

/// Levenshtein distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

//! The layers of the configuration and where each value came from.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::brand;
use super::check::{ConfigError, Problem, schema};

/// `config/shirase.toml` as the binary carries it.
const BUILT_IN: &str = include_str!("../../config/shirase.toml");

/// In the built-in file these keys show how a house would set them; the binary itself uses what it carries.
const ONLY_IN_FILES: [(&str, &str); 2] = [("templates", "dir"), ("catalog", "dir")];

const ENV_PREFIX: &str = "SHIRASE_";

/// The merged configuration and what it was merged from.
pub(super) struct Layers {
    /// The merged tree.
    pub merged: Value,
    file: Option<(PathBuf, String)>,
    variables: Vec<(String, Vec<String>)>,
    /// What went wrong so far; the check adds its own.
    pub problems: Vec<Problem>,
}

impl Layers {
    /// Reads and merges the three layers.
    pub fn collect(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut merged = parse(BUILT_IN).expect("a test reads the built-in configuration");
        for (section, key) in ONLY_IN_FILES {
            merged.get_mut(section).and_then(Value::as_object_mut).and_then(|section| section.remove(key));
        }
        let file = match file.map(read_file).transpose() {
            Ok(file) => file,
            Err(problem) => return Err(ConfigError(vec![problem])),
        };
        if let Some((path, text)) = &file {
            match parse(text) {
                Ok(layer) => {
                    let said_anew = brand::keys(&layer);
                    brand::forget_translations(&mut merged, said_anew.iter().map(String::as_str));
                    merge(&mut merged, layer);
                }
                Err(error) => {
                    let line = error.span().map_or(1, |span| line_of(text, span.start));
                    let place = format!("{}:{line}", path.display());
                    problems.push(Problem::new(place, "", error.message().to_owned()));
                }
            }
        }
        let mut variables: Vec<_> = environment.into_iter().filter_map(variable).collect();
        variables.sort();
        let said_anew = variables.iter().filter_map(|(_, path, _)| brand::key(path));
        brand::forget_translations(&mut merged, said_anew);
        for (name, path, text) in &variables {
            if let Err(message) = set(&mut merged, path, text) {
                problems.push(Problem::new(format!("environment {name}"), &path.join("."), message));
            }
        }
        let variables = variables.into_iter().map(|(name, path, _)| (name, path)).collect();
        let mut layers = Self { merged, file, variables, problems };
        layers.read_secret_files();
        Ok(layers)
    }

    /// Where the value at `path` was set: a variable, a line of the file, or the built-in configuration.
    pub fn place(&self, path: &[String]) -> String {
        let by_file_key = |set: &[String]| {
            set.last().zip(path.last()).is_some_and(|(set, key)| *set == format!("{key}_file"))
        };
        let set_here = |set: &[String]| set == path || (set.len() == path.len() && by_file_key(set));
        let below = |set: &[String]| !path.is_empty() && set.starts_with(path);
        let exact = self.variables.iter().find(|(_, set)| set_here(set));
        if let Some((name, _)) =
            exact.or_else(|| self.variables.iter().find(|(_, set)| below(set) && !self.in_file(path)))
        {
            return format!("environment {name}");
        }
        let in_file = self.file.as_ref().and_then(|(file, text)| Some((file, line_in(text, path)?)));
        match in_file {
            Some((file, line)) => format!("{}:{line}", file.display()),
            None => match &self.file {
                Some((file, _)) => file.display().to_string(),
                None => "built-in".to_owned(),
            },
        }
    }

    /// `KEY_file = "PATH"` anywhere becomes `KEY = "the file's text"`: secrets need not stand in the configuration. The text is
    /// read as a variable's would be, so that a list (broker.urls) may come from a file too.
    fn read_secret_files(&mut self) {
        let mut merged = std::mem::take(&mut self.merged);
        let mut failed = Vec::new();
        replace_files(&mut merged, &mut Vec::new(), &mut |path, error| {
            let message = format!("{error}; the file must exist and be readable by this process");
            failed.push(Problem::new(self.place(path), &path.join("."), message));
        });
        self.merged = merged;
        self.problems.extend(failed);
    }

    fn in_file(&self, path: &[String]) -> bool {
        self.file.as_ref().is_some_and(|(_, text)| parse(text).is_ok_and(|tree| has(&tree, path)))
    }
}

fn read_file(path: &Path) -> Result<(PathBuf, String), Problem> {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let text = fs::read_to_string(path).map_err(|error| {
        Problem::new(
            shown.display().to_string(),
            "",
            format!("cannot be read: {error}; see `shirase init --help`"),
        )
    })?;
    Ok((path.to_owned(), text))
}

fn parse(text: &str) -> Result<Value, toml::de::Error> {
    let table: toml::Table = toml::from_str(text)?;
    Ok(serde_json::to_value(table).unwrap_or_default())
}

/// `SHIRASE_BROKER__PREFIX` → `["broker", "prefix"]`. Without a double underscore it is none of ours: Kubernetes itself
/// sets `SHIRASE_SERVICE_HOST` and the like for a service of that name.
fn variable((name, text): (String, String)) -> Option<(String, Vec<String>, String)> {
    let path = name.strip_prefix(ENV_PREFIX)?;
    path.contains("__")
        .then(|| (name.clone(), path.to_ascii_lowercase().split("__").map(str::to_owned).collect(), text))
}

/// Tables merge key by key; everything else is replaced, lists as a whole.
fn merge(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(slot) => merge(slot, value),
                    None => drop(below.insert(key, value)),
                }
            }
        }
        (below, above) => *below = above,
    }
}

fn has(tree: &Value, path: &[String]) -> bool {
    let step = |node, part: &String| Value::get(node, part.as_str());
    path.iter().try_fold(tree, step).is_some()
}

/// Sets one value given as text: its type comes from the schema.
fn set(tree: &mut Value, path: &[String], text: &str) -> Result<(), String> {
    let value = typed(&schema_type(path), text);
    let mut node = tree;
    for part in path {
        node = match node {
            Value::Array(items) => {
                let count = items.len();
                let item = part.parse::<usize>().ok().and_then(|index| items.get_mut(index));
                item.ok_or_else(|| {
                    format!("there is no [{part}] in this list of {count}; add it in the file")
                })?
            }
            Value::Object(fields) => fields.entry(part.clone()).or_insert_with(|| Value::Object(Map::new())),
            other => {
                *other = Value::Object(Map::new());
                match other {
                    Value::Object(fields) => fields.entry(part.clone()).or_insert(Value::Null),
                    _ => return Ok(()),
                }
            }
        };
    }
    *node = value;
    Ok(())
}

fn schema_type(path: &[String]) -> String {
    let mut node = schema();
    for part in path {
        node = if part.parse::<usize>().is_ok() && node["items"].is_object() {
            &node["items"]
        } else {
            property(node, part)
        };
    }
    node["type"].as_str().unwrap_or("string").to_owned()
}

/// The schema of a key: its own, that of any kind that has it, or that of every key of a table with free ones.
fn property<'a>(object: &'a Value, name: &str) -> &'a Value {
    let of_kinds =
        object["allOf"].as_array().into_iter().flatten().map(|kind| &kind["then"]["properties"][name]);
    std::iter::once(&object["properties"][name])
        .chain(of_kinds)
        .find(|schema| schema.is_object())
        .unwrap_or(&object["additionalProperties"])
}

fn typed(schema_type: &str, text: &str) -> Value {
    let as_toml =
        || parse(&format!("value = {text}")).ok().and_then(|mut table| Some(table.get_mut("value")?.take()));
    match schema_type {
        "string" => Value::String(text.to_owned()),
        "array" => as_toml()
            .unwrap_or_else(|| text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()),
        _ => as_toml().unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn replace_files(node: &mut Value, path: &mut Vec<String>, failed: &mut impl FnMut(&[String], String)) {
    match node {
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            for key in keys {
                path.push(key.clone());
                match (key.strip_suffix("_file"), fields.get(&key).and_then(Value::as_str)) {
                    (Some(base), Some(file)) => {
                        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"));
                        match text {
                            Ok(text) => {
                                let of_base = [&path[..path.len() - 1], &[base.to_owned()][..]].concat();
                                let value = typed(&schema_type(&of_base), text.trim_end());
                                fields.insert(base.to_owned(), value);
                            }
                            Err(error) => failed(path, error),
                        }
                        fields.remove(&key);
                    }
                    _ => {
                        if let Some(child) = fields.get_mut(&key) {
                            replace_files(child, path, failed);
                        }
                    }
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                replace_files(item, path, failed);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The line at which a key (or, for a missing one, the nearest table above it) stands.
fn line_in(text: &str, path: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut at = None;
    let mut table = Some(document.get_ref());
    let mut array: Option<&toml::de::DeArray<'_>> = None;
    for part in path {
        let (position, value) = if let Some(items) = array.take() {
            let item = items.get(part.parse::<usize>().ok()?)?;
            (item.span().start, item.get_ref())
        } else {
            let wanted = |(key, _): &(&toml::Spanned<toml::de::DeString<'_>>, _)| {
                key.get_ref() == part || *key.get_ref() == format!("{part}_file")
            };
            let Some((key, value)) = table.take().and_then(|table| table.iter().find(wanted)) else { break };
            (key.span().start, value.get_ref())
        };
        at = Some(position);
        match value {
            DeValue::Table(inner) => table = Some(inner),
            DeValue::Array(items) => array = Some(items),
            _ => {}
        }
    }
    at.map(|position| line_of(text, position))
}

fn line_of(text: &str, position: usize) -> usize {
    text[..position.min(text.len())].matches('\n').count() + 1
}

/// The process's own environment, for [`super::Config::load`].
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

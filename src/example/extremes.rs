//! The shortest and the longest data that a schema allows. Pure.
//!
//! Shortest: required fields alone, each as short as it may be. Longest: every field, each as long as it may be. Where fields
//! are one of several codes, one variant for each code; all fields advance together.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::pattern::{FILLER, matching};
use crate::event::shape::{Field, Kind, List, Record, Shape, Text};
use crate::event::{EmailAddress, EventSchema, PhoneNumber};

/// How long a string is taken to be that its schema does not limit, in characters.
pub const UNLIMITED_LENGTH: usize = 128;
/// How many items a list is taken to have that its schema does not limit.
const UNLIMITED_ITEMS: usize = 8;
/// More characters or items are not tried, whatever a schema allows: all of an event's data has to fit into its 256 KiB.
const MOST_LENGTH: usize = 2048;
const MOST_ITEMS: usize = 64;
/// How large an integer is taken to be that its schema does not limit.
const UNLIMITED_WHOLE: i64 = 999_999_999_999;

/// They choose the way and the language, and stand in no text.
const NEVER_SHOWN: [&str; 2] = ["/recipient/settings", "/recipient/locale"];

/// What came of a schema.
#[derive(Debug, Default)]
pub struct Extremes {
    /// `shortest-1`, `longest-1` and so on, and the data. All of it fits the schema.
    pub data: Vec<(String, Value)>,
    /// What could not be made, and why.
    pub problems: BTreeSet<String>,
    /// Where the schema has no limit, as paths of [`Shape`].
    pub unlimited: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Shortest,
    Longest,
}

/// Both extremes of a schema, in all their variants.
pub fn of(schema: &EventSchema) -> Extremes {
    let mut extremes = Extremes::default();
    let shape = schema.shape();
    for end in [End::Shortest, End::Longest] {
        for nth in 0..variants(shape) {
            let mut maker = Maker { end, nth, examples: schema.examples(), extremes: &mut extremes };
            let Some(data) = maker.value(shape) else { continue };
            extremes.take(schema, end, data);
        }
    }
    extremes
}

impl Extremes {
    /// Keeps data that fits and that is not there yet.
    fn take(&mut self, schema: &EventSchema, end: End, data: Value) {
        let end = if end == End::Shortest { "shortest" } else { "longest" };
        if let Some(violation) = schema.violation(&data) {
            self.problems.insert(format!("the {end} data would not fit: {violation}"));
        } else if self.data.iter().all(|(_, other)| *other != data) {
            let nth = self.data.iter().filter(|(name, _)| name.starts_with(end)).count() + 1;
            self.data.push((format!("{end}-{nth}"), data));
        }
    }
}

/// As many as the longest list of codes has.
fn variants(shape: &Shape) -> usize {
    let mut most = 1;
    shape.walk(&mut |shape| {
        if let Kind::Codes(codes) = &shape.kind
            && !is_never_shown(&shape.path)
        {
            most = most.max(codes.len());
        }
    });
    most
}

fn is_never_shown(path: &str) -> bool {
    NEVER_SHOWN.iter().any(|hidden| path.starts_with(hidden))
}

struct Maker<'a> {
    end: End,
    nth: usize,
    examples: &'a [Value],
    extremes: &'a mut Extremes,
}

impl Maker<'_> {
    fn value(&mut self, shape: &Shape) -> Option<Value> {
        if let Some(keyword) = shape.beyond.first() {
            self.problem(shape, &format!("nobody knows what `{keyword}` allows there"));
        }
        match &shape.kind {
            Kind::Record(record) => Some(self.record(record)),
            _ if !shape.beyond.is_empty() => self.example(shape),
            Kind::List(list) => self.list(shape, list),
            Kind::Codes(codes) => codes.get(self.nth % codes.len().max(1)).cloned(),
            Kind::Text(text) => self.text(shape, text),
            Kind::Whole(least, most) => Some(json!(self.whole(shape, *least, *most))),
            Kind::Open => self.example(shape),
        }
    }

    fn record(&mut self, record: &Record) -> Value {
        let wanted = |field: &Field| {
            let hidden = is_never_shown(&field.shape.path);
            field.required || (self.end == End::Longest && !hidden)
        };
        let fields: Vec<_> = record.fields.iter().filter(|(_, field)| wanted(field)).collect();
        let made =
            fields.into_iter().filter_map(|(name, field)| Some((name.clone(), self.value(&field.shape)?)));
        Value::Object(made.collect::<Map<_, _>>())
    }

    fn list(&mut self, shape: &Shape, list: &List) -> Option<Value> {
        if self.end == End::Longest && list.most.is_none() && !is_all_codes(list) {
            self.extremes.unlimited.insert(shape.path.clone());
        }
        let count = match self.end {
            End::Shortest => list.least,
            End::Longest => list.most.unwrap_or(UNLIMITED_ITEMS).min(MOST_ITEMS).max(list.least),
        };
        let items: Vec<Value> = match &list.item.kind {
            Kind::Codes(codes) => {
                let count = if list.unique { count.min(codes.len()) } else { count };
                codes.iter().cycle().skip(self.nth).take(count).cloned().collect()
            }
            _ => {
                let item = self.value(&list.item)?;
                (0..count)
                    .map(|index| if list.unique { numbered(&item, index) } else { item.clone() })
                    .collect()
            }
        };
        Some(items.into())
    }

    fn text(&mut self, shape: &Shape, text: &Text) -> Option<Value> {
        // Masks can only show what is an address; a made-up one would be hidden whole.
        if text.format.is_some() || self.is_address(shape) {
            return self.example(shape);
        }
        let length = match (self.end, text.most) {
            (End::Shortest, _) => text.least,
            (End::Longest, Some(most)) => most.min(MOST_LENGTH).max(text.least),
            (End::Longest, None) => {
                let made = text.pattern.as_deref().and_then(|pattern| matching(pattern, UNLIMITED_LENGTH));
                if made.is_none_or(|made| made.chars().count() >= UNLIMITED_LENGTH) {
                    self.extremes.unlimited.insert(shape.path.clone());
                }
                UNLIMITED_LENGTH.max(text.least)
            }
        };
        match text.pattern.as_deref() {
            None => Some(FILLER.to_string().repeat(length).into()),
            Some(pattern) => matching(pattern, length).map(Value::from).or_else(|| {
                self.problem(shape, &format!("nobody knows what the pattern {pattern} allows"));
                self.example(shape)
            }),
        }
    }

    /// The integer with the fewest or the most characters.
    fn whole(&mut self, shape: &Shape, least: Option<i64>, most: Option<i64>) -> i64 {
        let size = |number: &i64| number.to_string().len();
        let nearest =
            0.clamp(least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX).max(least.unwrap_or(i64::MIN)));
        if self.end == End::Shortest {
            return nearest;
        }
        if most.is_none() {
            self.extremes.unlimited.insert(shape.path.clone());
        }
        [most.unwrap_or(UNLIMITED_WHOLE), least.unwrap_or(nearest)]
            .into_iter()
            .max_by_key(size)
            .unwrap_or(nearest)
    }

    /// Whether all that the examples have there are phone numbers, or all addresses of mail.
    fn is_address(&self, shape: &Shape) -> bool {
        let values = self.examples_of(shape);
        let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        let all = |is: fn(&str) -> bool| !texts.is_empty() && texts.iter().all(|text| is(text));
        all(|text| EmailAddress::parse(text).is_ok()) || all(|text| PhoneNumber::parse(text).is_ok())
    }

    /// The shortest or longest that an example has there.
    fn example(&self, shape: &Shape) -> Option<Value> {
        let values = self.examples_of(shape).into_iter();
        let size = |value: &&Value| value.to_string().chars().count();
        match self.end {
            End::Shortest => values.min_by_key(size),
            End::Longest => values.max_by_key(size),
        }
        .cloned()
    }

    fn examples_of(&self, shape: &Shape) -> Vec<&Value> {
        let mut values: Vec<&Value> = self.examples.iter().collect();
        for part in shape.path.split('/').skip(1) {
            values = values.into_iter().flat_map(|value| below(value, part)).collect();
        }
        values
    }

    fn problem(&mut self, shape: &Shape, why: &str) {
        self.extremes.problems.insert(format!("{}: {why}", shape.path));
    }
}

/// Items that are all different and all of a closed set have a limit.
fn is_all_codes(list: &List) -> bool {
    list.unique && matches!(list.item.kind, Kind::Codes(_))
}

fn below<'a>(value: &'a Value, part: &str) -> Vec<&'a Value> {
    match (value, part) {
        (Value::Array(items), "*") => items.iter().collect(),
        (Value::Object(fields), "*") => fields.values().collect(),
        (value, name) => value.get(name).into_iter().collect(),
    }
}

/// The item with a number in front, as long as it was: for lists in which nothing stands twice.
fn numbered(item: &Value, index: usize) -> Value {
    match item {
        Value::String(text) => {
            let number = index.to_string();
            let rest: String = text.chars().skip(number.len()).collect();
            (number + &rest).into()
        }
        Value::Number(number) => {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            number.as_i64().map_or_else(|| item.clone(), |number| json!(number.saturating_sub(index)))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;

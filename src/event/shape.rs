//! What a schema says of its data, parsed: which fields there are, which may be missing, what they may hold. Templates are
//! checked against it, and the extremes of a schema are made of it; validating stays with the schema itself.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

/// What stands at one place of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Where, as a JSON pointer below `data` in which `*` is any item: `/device/name`, `/changed/*`.
    pub path: String,
    /// It may be null, which a text shows as nothing.
    pub nullable: bool,
    /// What it is.
    pub kind: Kind,
    /// Keywords of the schema that are not reflected here.
    pub beyond: BTreeSet<String>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// An object.
    Record(Record),
    /// An array.
    List(List),
    /// One of these, `true` and `false` among others.
    Codes(Vec<Value>),
    /// A string.
    Text(Text),
    /// An integer, from and to; no bound without.
    Whole(Option<i64>, Option<i64>),
    /// The schema does not say.
    Open,
}

/// An object's fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Those with a name.
    pub fields: BTreeMap<String, Field>,
    /// What every other field is, where the schema says.
    pub others: Option<Arc<Shape>>,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it is.
    pub shape: Arc<Shape>,
    /// It is always there.
    pub required: bool,
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Each item.
    pub item: Arc<Shape>,
    /// Items at least.
    pub least: usize,
    /// Items at most; no bound without.
    pub most: Option<usize>,
    /// No item twice.
    pub unique: bool,
}

/// A string.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// Characters at least.
    pub least: usize,
    /// Characters at most; no bound without.
    pub most: Option<usize>,
    /// A regular expression that it contains a match of.
    pub pattern: Option<String>,
    /// `date-time`, `ipv6` and so on.
    pub format: Option<String>,
}

impl Shape {
    /// Parses a schema without references.
    pub fn of(schema: &Value) -> Self {
        parse::shape(schema, String::new())
    }

    /// What the schema does not say anything of.
    pub fn open(path: &str) -> Self {
        let (path, kind) = (path.to_owned(), Kind::Open);
        Self { path, nullable: false, kind, beyond: BTreeSet::new() }
    }

    /// The fields, where it is an object.
    pub fn record(&self) -> Option<&Record> {
        match &self.kind {
            Kind::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Everything below and itself, objects before their fields.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match &self.kind {
            Kind::Record(record) => record.fields.values().for_each(|field| field.shape.walk(visit)),
            Kind::List(list) => list.item.walk(visit),
            _ => {}
        }
    }
}

//! What a name stands for at a place of a template: the same way from name to value that handlebars goes, over shapes instead
//! of values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::event::EventSchema;
use crate::event::shape::{Field, Kind, Shape};

/// Partials of one registry, and the names of all parameters that some call gives each.
pub type Given<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// What a name stands for.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// What it is.
    pub shape: Arc<Shape>,
    /// What on the way to it may be missing, itself included: paths of shapes.
    pub optional: Vec<String>,
}

/// Why a name stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// There is no such name; the names that there are.
    Unknown(Vec<String>),
    /// A parameter of this partial that other calls give, and this one does not.
    NotGiven(String),
}

/// What a block brings.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    /// What a name without anything before it is looked for in.
    pub this: Arc<Shape>,
    /// Names of its own: parameters of a partial, `as |name|`.
    pub params: Vec<(&'a str, Meaning)>,
    /// The partial that was called, where it is one.
    pub partial: Option<&'a str>,
    /// `@index` and its kind are known.
    pub in_loop: bool,
}

/// Every block around a place, the outermost first.
pub struct Scopes<'a> {
    given: &'a Given<'a>,
    blocks: Vec<Block<'a>>,
}

/// A name as it is written: `../device.name`, `@root.ip`, `@index`, `this.[0]`.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    root: bool,
    local: bool,
    ups: usize,
    parts: Vec<&'a str>,
}

impl Meaning {
    /// What is always there.
    pub fn of(shape: Arc<Shape>) -> Self {
        Self { shape, optional: Vec::new() }
    }

    /// What nothing is known of.
    pub fn open() -> Self {
        Self::of(Arc::new(Shape::open("")))
    }

    fn field(&self, part: &str) -> Option<Self> {
        let Field { shape, required } = field(&self.shape, part)?;
        let mut optional = self.optional.clone();
        if !required {
            optional.push(shape.path.clone());
        }
        Some(Self { shape, optional })
    }
}

impl<'a> Scopes<'a> {
    /// Outside of every block: the event's data and what every template knows.
    pub fn new(schema: &EventSchema, given: &'a Given<'a>) -> Self {
        let this = Arc::new(whole(schema));
        Self { given, blocks: vec![Block { this, params: Vec::new(), partial: None, in_loop: false }] }
    }

    /// Into a block; [`Self::leave`] goes out again.
    pub fn enter(&mut self, block: Block<'a>) {
        self.blocks.push(block);
    }

    /// Out of the innermost block.
    pub fn leave(&mut self) {
        self.blocks.pop();
    }

    /// The innermost block's `this`.
    pub fn this(&self) -> Arc<Shape> {
        Arc::clone(&self.block(0).this)
    }

    /// Whether `@index` is known.
    pub fn in_loop(&self) -> bool {
        self.block(0).in_loop
    }

    fn block(&self, ups: usize) -> &Block<'a> {
        let last = self.blocks.len() - 1;
        &self.blocks[last.saturating_sub(ups)]
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// When it stands for nothing.
    pub fn resolve(&self, raw: &str) -> Result<Meaning, Unresolved> {
        let name = Name::parse(raw);
        if name.local {
            return self.local(&name);
        }
        let mut parts = name.parts.iter();
        let param = name.parts.first().filter(|_| !name.root).and_then(|first| self.param(first));
        let mut meaning = match param {
            Some(meaning) => {
                parts.next();
                meaning.clone()
            }
            None if name.root => Meaning::of(Arc::clone(&self.blocks[0].this)),
            None => Meaning::of(Arc::clone(&self.block(name.ups).this)),
        };
        for part in parts {
            meaning = meaning.field(part).ok_or_else(|| self.unresolved(&name, part, &meaning))?;
        }
        Ok(meaning)
    }

    fn param(&self, name: &str) -> Option<&Meaning> {
        let params = self.blocks.iter().rev().flat_map(|block| &block.params);
        params.into_iter().find(|(one, _)| *one == name).map(|(_, meaning)| meaning)
    }

    fn local(&self, name: &Name<'_>) -> Result<Meaning, Unresolved> {
        const IN_LOOPS: [&str; 4] = ["first", "index", "key", "last"];
        let in_loop = self.block(name.ups).in_loop;
        match name.parts.as_slice() {
            [one] if in_loop && IN_LOOPS.contains(one) => Ok(Meaning::open()),
            _ => {
                let known: &[&str] = if in_loop { &IN_LOOPS } else { &[] };
                Err(Unresolved::Unknown(known.iter().map(|one| format!("@{one}")).collect()))
            }
        }
    }

    fn unresolved(&self, name: &Name<'_>, part: &str, owner: &Meaning) -> Unresolved {
        let calls = self.blocks.iter().rev().filter_map(|block| block.partial);
        let takes = |partial: &&str| self.given.get(partial).is_some_and(|names| names.contains(part));
        if let Some(partial) = calls.into_iter().find(takes).filter(|_| name.parts.first() == Some(&part)) {
            return Unresolved::NotGiven(partial.to_owned());
        }
        let before: String =
            name.parts.iter().take_while(|one| **one != part).map(|one| format!("{one}.")).collect();
        let fields = owner.shape.record().into_iter().flat_map(|record| record.fields.keys());
        Unresolved::Unknown(fields.map(|field| format!("{before}{field}")).collect())
    }
}

/// The event's data, and over it what every template knows.
fn whole(schema: &EventSchema) -> Shape {
    let word = json!({"type": "string"});
    let of = |fields: &[&str]| {
        let properties: serde_json::Map<_, _> =
            fields.iter().map(|name| ((*name).to_owned(), word.clone())).collect();
        json!({"type": "object", "required": fields, "properties": properties})
    };
    let mut notification = of(&["channel", "contact"]);
    notification["properties"]["channel"] = json!({"enum": ["sms", "email"]});
    notification["properties"]["contact"] = json!({"enum": ["current", "previous"]});
    let mut event = of(&["id", "type", "time", "others"]);
    event["properties"]["others"] = json!({"type": "integer", "minimum": 0});
    let ours = json!({"type": "object", "required": ["event", "brand", "notification"], "properties": {
        "event": event, "brand": of(&["company", "phone", "hours"]), "notification": notification
    }});
    let mut whole = Shape::clone(schema.shape());
    if !matches!(whole.kind, Kind::Record(_)) {
        whole.kind = Kind::Record(crate::event::shape::Record::default());
    }
    if let (Kind::Record(whole), Kind::Record(ours)) = (&mut whole.kind, Shape::of(&ours).kind) {
        whole.fields.extend(ours.fields);
    }
    whole
}

fn field(shape: &Shape, part: &str) -> Option<Field> {
    let path = || format!("{}/{part}", shape.path);
    let open = || Field { shape: Arc::new(Shape::open(&path())), required: true };
    match &shape.kind {
        Kind::Open => Some(open()),
        Kind::Record(record) => {
            let other =
                || record.others.as_ref().map(|shape| Field { shape: Arc::clone(shape), required: false });
            // Fields that a shape cannot tell the names of.
            let untold =
                ["patternProperties", "$ref", "allOf"].iter().any(|keyword| shape.beyond.contains(*keyword));
            record.fields.get(part).cloned().or_else(other).or_else(|| untold.then(open))
        }
        Kind::List(list) => {
            let index: usize = part.parse().ok()?;
            Some(Field { shape: Arc::clone(&list.item), required: index < list.least })
        }
        Kind::Codes(_) | Kind::Text(_) | Kind::Whole(..) => None,
    }
}

impl<'a> Name<'a> {
    fn parse(raw: &'a str) -> Self {
        let strip = |text: &'a str, fronts: &[&str]| fronts.iter().find_map(|front| text.strip_prefix(front));
        let mut rest = strip(raw, &["this.", "this/", "./"]).unwrap_or(raw);
        let root = strip(rest, &["@root.", "@root/"]);
        rest = root.unwrap_or(rest);
        let local = rest.strip_prefix('@');
        rest = local.unwrap_or(rest);
        let mut ups = 0;
        while let Some(up) = strip(rest, &["../", "..."]) {
            (ups, rest) = (ups + 1, up);
        }
        let parts = parts(rest).into_iter().filter(|part| *part != "this").collect();
        Self { root: root.is_some(), local: local.is_some(), ups, parts }
    }
}

/// `a.b/[c d]` → `a`, `b`, `c d`
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, more) = match rest.strip_prefix('[').and_then(|key| key.split_once(']')) {
            Some(key) => key,
            None => rest.split_at(rest.find(['.', '/']).unwrap_or(rest.len())),
        };
        parts.push(part);
        rest = more.strip_prefix(['.', '/']).unwrap_or(more);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_handlebars_reads_them() {
        let name = |raw| {
            let Name { root, local, ups, parts } = Name::parse(raw);
            (root, local, ups, parts)
        };
        assert_eq!(name("device.name"), (false, false, 0, vec!["device", "name"]));
        assert_eq!(name("../../a/[b c].d"), (false, false, 2, vec!["a", "b c", "d"]));
        assert_eq!(name("@root.ip"), (true, false, 0, vec!["ip"]));
        assert_eq!(name("@../index"), (false, true, 1, vec!["index"]));
        assert_eq!((name("this"), name("./x")), ((false, false, 0, vec![]), (false, false, 0, vec!["x"])));
    }
}

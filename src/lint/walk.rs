//! Reads templates the way rendering goes: from each part of each event type through its partials, with what each call and each
//! block brings. No value is needed for it, so it sees every branch.

mod condition;
mod gather;

use std::collections::BTreeMap;
use std::sync::Arc;

use handlebars::Template;
use handlebars::template::{BlockParam, DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use serde_json::Value;

use self::condition::Facts;
pub use self::gather::gathered;
use super::Premises;
use super::scope::{Block, Given, Meaning, Scopes, Unresolved};
use super::tags::{Tag, every_tag, placed, spot};
use crate::event::EventType;
use crate::event::shape::{Kind, Shape};
use crate::template::{Part, Place, TemplateSet, is_helper};

/// What was seen of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Its value stands in a text; the path of its shape.
    Shown(String),
    /// There is no such name; the names that there are.
    Unknown(Vec<String>),
    /// The partial needs it, and this call does not give it.
    NotGiven(String),
    /// It has fields or items, which a text cannot show.
    Compound(&'static str),
    /// It may be missing, and no condition around says that it is there.
    Unguarded,
    /// It is compared with something that it never is; what it may be.
    NoCode(String, Vec<String>),
    /// It may be one of these, and no branch names them.
    Unnamed(Vec<String>),
}

/// A name somewhere in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Where.
    pub place: Place,
    /// As it is written.
    pub name: String,
    /// What was seen.
    pub seen: Seen,
}

/// Walks every part of every event type.
pub fn sightings<'a>(premises: &Premises<'a>, set: &'a TemplateSet) -> Vec<(&'a EventType, Sighting)> {
    let given = given(set);
    let mut all = Vec::new();
    for kind in premises.catalog.iter() {
        for locale in set.locales_of(&kind.name) {
            for part in Part::ALL {
                let html = part == Part::Html;
                let name = format!("{}/{}", kind.name, part.file_name());
                let Some((template, file)) = set.template(locale, &name, html) else { continue };
                let Some(given) = given.get(&(locale, html)) else { continue };
                let mut walker = Walker::new(set, locale, html, kind, given, file);
                walker.template(template, file);
                all.extend(walker.seen.into_iter().map(|sighting| (&**kind, sighting)));
            }
        }
    }
    all
}

/// The parameters of partials, in each registry.
fn given(set: &TemplateSet) -> BTreeMap<(&str, bool), Given<'_>> {
    let mut all: BTreeMap<(&str, bool), Given<'_>> = BTreeMap::new();
    for locale in set.locales() {
        all.insert((locale, false), Given::new());
        all.insert((locale, true), Given::new());
    }
    every_tag(set, &mut |locale, html, tag, _| {
        if let Tag::Partial(call) = tag
            && let Some(name) = call.name.as_name()
        {
            let names = call.hash.keys().map(String::as_str);
            all.entry((locale, html)).or_default().entry(name).or_default().extend(names);
        }
    });
    all
}

struct Walker<'a> {
    set: &'a TemplateSet,
    locale: &'a str,
    html: bool,
    scopes: Scopes<'a>,
    /// Paths that are there, as the conditions around say.
    guards: Vec<String>,
    /// Partials on the way here, and where each is called.
    calls: Vec<(&'a str, Place)>,
    file: Place,
    /// The next block continues an `{{else if}}` that has been looked at as a whole.
    continued: bool,
    seen: Vec<Sighting>,
}

impl<'a> Walker<'a> {
    fn new(
        set: &'a TemplateSet,
        locale: &'a str,
        html: bool,
        kind: &EventType,
        given: &'a Given<'a>,
        file: &Place,
    ) -> Self {
        let scopes = Scopes::new(&kind.schema, given);
        let (guards, calls, seen, file) = (Vec::new(), Vec::new(), Vec::new(), file.clone());
        Self { set, locale, html, scopes, guards, calls, file, continued: false, seen }
    }

    fn template(&mut self, template: &'a Template, around: &Place) {
        let file = self.file.clone();
        for (element, at) in placed(template, &file, around) {
            self.element(element, &at);
        }
    }

    fn element(&mut self, element: &'a TemplateElement, at: &Place) {
        match element {
            TemplateElement::Expression(tag) | TemplateElement::HtmlExpression(tag) => {
                self.expression(tag, at)
            }
            TemplateElement::HelperBlock(block) => self.block(block, at),
            TemplateElement::PartialExpression(call) | TemplateElement::PartialBlock(call) => {
                self.call(call, at)
            }
            // Inline partials are refused by a rule.
            _ => {}
        }
    }

    /// `{{name}}` or `{{helper …}}`
    fn expression(&mut self, tag: &'a HelperTemplate, at: &Place) {
        let lone = tag.params.is_empty() && tag.hash.is_empty();
        match tag.name.as_name() {
            Some(name) if lone && !is_helper(name) => {
                let Some(meaning) = self.read(name, at) else { return };
                match meaning.shape.kind {
                    Kind::Record(_) => self.saw(at, name, Seen::Compound("fields")),
                    Kind::List(_) => self.saw(at, name, Seen::Compound("items")),
                    _ => self.saw(at, name, Seen::Shown(meaning.shape.path.clone())),
                }
            }
            Some(_) => self.arguments(tag, at),
            None => self.argument(&tag.name, at),
        }
    }

    fn arguments(&mut self, tag: &'a HelperTemplate, at: &Place) {
        for parameter in tag.params.iter().chain(tag.hash.values()) {
            self.argument(parameter, at);
        }
        self.compared(tag, at);
    }

    /// A value that a helper needs.
    fn argument(&mut self, parameter: &'a Parameter, at: &Place) {
        match parameter {
            Parameter::Subexpression(_) => drop(self.condition(parameter, at)),
            Parameter::Path(_) | Parameter::Name(_) => {
                let name = parameter.as_name().unwrap_or_default();
                if let Some(meaning) = self.read(name, at) {
                    self.saw(at, name, Seen::Shown(meaning.shape.path.clone()));
                }
            }
            _ => {}
        }
    }

    /// What a name stands for, where it has to be there.
    fn read(&mut self, name: &str, at: &Place) -> Option<Meaning> {
        let meaning = self.resolve(name, at)?;
        if meaning.optional.iter().any(|path| !self.is_guarded(path)) {
            self.saw(at, name, Seen::Unguarded);
        }
        Some(meaning)
    }

    /// What a name stands for; what stands for nothing is said.
    fn resolve(&mut self, name: &str, at: &Place) -> Option<Meaning> {
        match self.scopes.resolve(name) {
            Ok(meaning) => Some(meaning),
            Err(Unresolved::Unknown(known)) => {
                self.saw(at, name, Seen::Unknown(known));
                None
            }
            Err(Unresolved::NotGiven(partial)) => {
                let call = self.calls.iter().rev().find(|(name, _)| *name == partial);
                let at = call.map_or_else(|| at.clone(), |(_, at)| at.clone());
                self.seen.push(Sighting { place: at, name: name.to_owned(), seen: Seen::NotGiven(partial) });
                None
            }
        }
    }

    fn is_guarded(&self, path: &str) -> bool {
        let covers = |guard: &String| {
            guard.strip_prefix(path).is_some_and(|more| more.is_empty() || more.starts_with('/'))
        };
        self.guards.iter().any(covers)
    }

    fn saw(&mut self, at: &Place, name: &str, seen: Seen) {
        // Most of what is seen is in order, and nobody asks where.
        let place =
            if matches!(seen, Seen::Shown(_)) { at.clone() } else { spot(self.set.files(), at, name) };
        self.seen.push(Sighting { place, name: name.to_owned(), seen });
    }

    fn block(&mut self, block: &'a HelperTemplate, at: &Place) {
        let continued = std::mem::take(&mut self.continued);
        match (block.name.as_name().unwrap_or_default(), block.params.first()) {
            ("if", Some(condition)) => {
                if !continued {
                    self.unnamed(block, at);
                }
                let facts = self.condition(condition, at);
                self.branches(block, at, facts);
            }
            ("unless", Some(condition)) => {
                let facts = self.condition(condition, at).turned();
                self.branches(block, at, facts);
            }
            ("each" | "with", Some(over)) => self.inside(block, over, at),
            _ => {
                let facts = self.helper(block, at);
                self.branches(block, at, facts);
            }
        }
    }

    fn branches(&mut self, block: &'a HelperTemplate, at: &Place, facts: Facts) {
        if let Some(template) = block.template.as_ref().filter(|_| !facts.never) {
            self.knowing(facts.yes, |walker| walker.template(template, at));
        }
        if let Some(template) = block.inverse.as_ref().filter(|_| !facts.always) {
            self.continued = condition::only_if(template).is_some();
            self.knowing(facts.no, |walker| walker.template(template, at));
            self.continued = false;
        }
    }

    fn knowing(&mut self, guards: Vec<String>, walk: impl FnOnce(&mut Self)) {
        let before = self.guards.len();
        self.guards.extend(guards);
        walk(self);
        self.guards.truncate(before);
    }

    /// `{{#each}}` and `{{#with}}`: they fail over what is missing, unless there is an `{{else}}`.
    fn inside(&mut self, block: &'a HelperTemplate, over: &'a Parameter, at: &Place) {
        let meaning = match over.as_name() {
            Some(name) if block.inverse.is_some() => self.resolve(name, at),
            Some(name) => self.read(name, at),
            None => {
                self.argument(over, at);
                None
            }
        };
        let meaning = meaning.unwrap_or_else(Meaning::open);
        let is_loop = block.name.as_name() == Some("each");
        let this = if is_loop { item(&meaning.shape) } else { Arc::clone(&meaning.shape) };
        let params = block_params(block, &this);
        let in_loop = is_loop || self.scopes.in_loop();
        if let Some(template) = &block.template {
            self.scopes.enter(Block { this, params, partial: None, in_loop });
            self.knowing(vec![meaning.shape.path.clone()], |walker| walker.template(template, at));
            self.scopes.leave();
        }
        block.inverse.iter().for_each(|template| self.template(template, at));
    }

    fn call(&mut self, call: &'a DecoratorTemplate, at: &Place) {
        let Some(name) = call.name.as_name() else { return };
        if name == "@partial-block" {
            // Its text was looked at where the partial is called; here is what stands in for it.
            return call.template.iter().for_each(|template| self.template(template, at));
        }
        let block = self.called(call, name, at);
        self.scopes.enter(block);
        call.template.iter().for_each(|template| self.template(template, at));
        let callee = self.set.template(self.locale, name, self.html);
        // A partial within itself is another rule's.
        if let Some((template, file)) = callee.filter(|_| self.calls.iter().all(|(one, _)| *one != name)) {
            let here = std::mem::replace(&mut self.file, file.clone());
            self.calls.push((name, at.clone()));
            self.template(template, file);
            self.calls.pop();
            self.file = here;
        }
        self.scopes.leave();
    }

    /// What a call brings.
    fn called(&mut self, call: &'a DecoratorTemplate, name: &'a str, at: &Place) -> Block<'a> {
        let this = match call.params.first() {
            None => self.scopes.this(),
            Some(context) => match context.as_name() {
                Some(name) => {
                    self.read(name, at).map_or_else(|| Meaning::open().shape, |meaning| meaning.shape)
                }
                None => Meaning::open().shape,
            },
        };
        let mut params = Vec::new();
        for (key, value) in &call.hash {
            let meaning = match value.as_name() {
                // What may be missing may be handed on: whether it is needed is up to the partial.
                Some(name) => self.resolve(name, at).unwrap_or_else(Meaning::open),
                None => {
                    self.argument(value, at);
                    Meaning::open()
                }
            };
            params.push((key.as_str(), meaning));
        }
        Block { this, params, partial: Some(name), in_loop: self.scopes.in_loop() }
    }
}

fn item(shape: &Shape) -> Arc<Shape> {
    match &shape.kind {
        Kind::List(list) => Arc::clone(&list.item),
        Kind::Record(record) => record.others.clone().unwrap_or_else(|| Arc::new(Shape::open(&shape.path))),
        _ => Arc::new(Shape::open(&shape.path)),
    }
}

/// `as |item index|`
fn block_params<'a>(block: &'a HelperTemplate, this: &Arc<Shape>) -> Vec<(&'a str, Meaning)> {
    let (first, second) = match &block.block_param {
        None => return Vec::new(),
        Some(BlockParam::Single(one)) => (one, None),
        Some(BlockParam::Pair((one, two))) => (one, Some(two)),
        Some(_) => return Vec::new(),
    };
    let first = first.as_name().map(|name| (name, Meaning::of(Arc::clone(this))));
    let second = second.and_then(Parameter::as_name).map(|name| (name, Meaning::open()));
    first.into_iter().chain(second).collect()
}

/// A code as a template would write it.
fn written(code: &Value) -> String {
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

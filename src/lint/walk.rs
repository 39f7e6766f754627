//! Reads templates the way rendering goes: from each part of each event type through its partials, with what each call and each
//! block brings. No value is needed for it, so it sees every branch.

mod condition;
mod gather;
mod inside;

use std::collections::BTreeMap;

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

use self::condition::Facts;
pub use self::gather::gathered;
use super::Premises;
use super::scope::{Given, Meaning, Scopes, Unresolved};
use super::tags::{Tag, every_tag, placed, spot};
use crate::event::EventType;
use crate::event::shape::Kind;
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
                let seen = of_part(set, &given, kind, locale, part);
                all.extend(seen.into_iter().map(|sighting| (&**kind, sighting)));
            }
        }
    }
    all
}

/// Whether a part of an event type shows a value, by the path of its shape, in any of its branches.
pub fn shows(set: &TemplateSet, kind: &EventType, locale: &str, part: Part, path: &str) -> bool {
    let shown = |sighting: &Sighting| matches!(&sighting.seen, Seen::Shown(shown) if shown == path);
    of_part(set, &given(set), kind, locale, part).iter().any(shown)
}

/// Walks one part of an event type, if it is there.
fn of_part(
    set: &TemplateSet,
    given: &BTreeMap<(&str, bool), Given<'_>>,
    kind: &EventType,
    locale: &str,
    part: Part,
) -> Vec<Sighting> {
    let html = part == Part::Html;
    let name = format!("{}/{}", kind.name, part.file_name());
    let Some((template, file)) = set.template(locale, &name, html) else { return Vec::new() };
    let Some(given) = given.get(&(locale, html)) else { return Vec::new() };
    let mut walker = Walker::new(set, locale, html, kind, given, file);
    walker.template(template, file);
    walker.seen
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
}

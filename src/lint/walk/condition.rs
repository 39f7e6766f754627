//! Conditions: what is known to be there behind them, and which codes they name.

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use serde_json::Value;

use super::{Seen, Sighting, Walker};
use crate::event::shape::Kind;
use crate::lint::scope::{Meaning, Unresolved};
use crate::lint::tags::spot;
use crate::template::Place;

/// What a condition says.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Paths that are there when it holds.
    pub yes: Vec<String>,
    /// Paths that are there when it does not.
    pub no: Vec<String>,
    /// It holds in no text: what it asks for is not given.
    pub never: bool,
    /// It holds in every text.
    pub always: bool,
}

impl Facts {
    pub fn turned(self) -> Self {
        Self { yes: self.no, no: self.yes, never: self.always, always: self.never }
    }

    /// Both hold; with `or`, the same of what does not.
    fn and(mut self, other: Self) -> Self {
        self.yes.extend(other.yes);
        Self {
            yes: self.yes,
            no: Vec::new(),
            never: self.never || other.never,
            always: self.always && other.always,
        }
    }
}

impl<'a> Walker<'a> {
    /// Reads a condition: a name in it may be missing, a helper's arguments may not.
    pub(super) fn condition(&mut self, condition: &'a Parameter, at: &Place) -> Facts {
        match condition {
            Parameter::Name(_) | Parameter::Path(_) => {
                self.asked(condition.as_name().unwrap_or_default(), at)
            }
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(tag) => self.helper(tag, at),
                _ => Facts::default(),
            },
            _ => Facts::default(),
        }
    }

    fn asked(&mut self, name: &str, at: &Place) -> Facts {
        // A parameter that this call does not give: that is what was asked.
        if let Err(Unresolved::NotGiven(_)) = self.scopes.resolve(name) {
            return Facts { never: true, ..Facts::default() };
        }
        let meaning = self.resolve(name, at);
        Facts {
            yes: meaning.map(|meaning| meaning.shape.path.clone()).into_iter().collect(),
            ..Facts::default()
        }
    }

    /// A helper with its arguments, as a condition.
    pub(super) fn helper(&mut self, tag: &'a HelperTemplate, at: &Place) -> Facts {
        match (tag.name.as_name().unwrap_or_default(), tag.params.as_slice()) {
            ("and", parameters @ [_, ..]) => self.all(parameters, at, false),
            ("or", parameters @ [_, ..]) => self.all(parameters, at, true).turned(),
            ("not", [parameter]) => {
                if parameter.as_name().is_some() {
                    self.argument(parameter, at);
                    return Facts::default();
                }
                self.condition(parameter, at).turned()
            }
            _ => {
                self.arguments(tag, at);
                Facts::default()
            }
        }
    }

    fn all(&mut self, parameters: &'a [Parameter], at: &Place, turn: bool) -> Facts {
        let mut all = Facts { always: true, ..Facts::default() };
        for parameter in parameters {
            let facts = self.condition(parameter, at);
            all = all.and(if turn { facts.turned() } else { facts });
        }
        all
    }

    /// `(eq via "web")`: is it one of the codes that there are?
    pub(super) fn compared(&mut self, tag: &HelperTemplate, at: &Place) {
        let Some((name, literal)) = comparison(tag) else { return };
        let Some(codes) = self.codes(name) else { return };
        if !codes.contains(literal) {
            let literal = written(literal);
            let place = spot(self.set.files(), at, &literal);
            let seen = Seen::NoCode(literal, codes.iter().map(written).collect());
            self.seen.push(Sighting { place, name: name.to_owned(), seen });
        }
    }

    /// An `{{#if (eq x "a")}} … {{else if (eq x "b")}}` without `{{else}}`: has every code of x its branch?
    pub(super) fn unnamed(&mut self, block: &HelperTemplate, at: &Place) {
        let (arms, has_else) = arms(block);
        let named: Option<Vec<(&str, &Value)>> = arms.iter().map(|arm| equality(arm)).collect();
        let Some(named) = named.filter(|named| named.len() > 1 && !has_else) else { return };
        let name = named[0].0;
        let Some(codes) = self.codes(name).filter(|_| named.iter().all(|(other, _)| *other == name)) else {
            return;
        };
        let missing = codes.iter().filter(|code| named.iter().all(|(_, literal)| literal != code));
        let missing: Vec<String> = missing.map(written).collect();
        if !missing.is_empty() {
            self.saw(at, name, Seen::Unnamed(missing));
        }
    }

    fn codes(&self, name: &str) -> Option<Vec<Value>> {
        let Meaning { shape, .. } = self.scopes.resolve(name).ok()?;
        match &shape.kind {
            Kind::Codes(codes) => Some(codes.clone()),
            _ => None,
        }
    }
}

/// `eq` or `ne` of a name and a literal.
fn comparison(tag: &HelperTemplate) -> Option<(&str, &Value)> {
    tag.name.as_name().filter(|name| matches!(*name, "eq" | "ne"))?;
    match tag.params.as_slice() {
        [name, Parameter::Literal(literal)] | [Parameter::Literal(literal), name] => {
            Some((name.as_name()?, literal))
        }
        _ => None,
    }
}

/// The comparison that an `{{#if (eq …)}}` makes.
fn equality(block: &HelperTemplate) -> Option<(&str, &Value)> {
    let Some(Parameter::Subexpression(inner)) = block.params.first() else { return None };
    let TemplateElement::Expression(tag) = inner.as_element() else { return None };
    comparison(tag).filter(|_| tag.name.as_name() == Some("eq"))
}

/// Every `{{#if}}` and `{{else if}}` of a block, and whether an `{{else}}` ends it.
fn arms(block: &HelperTemplate) -> (Vec<&HelperTemplate>, bool) {
    let mut arms = vec![block];
    let mut last = block;
    while let Some(next) = last.inverse.as_ref().and_then(only_if) {
        arms.push(next);
        last = next;
    }
    (arms, last.inverse.is_some())
}

/// The `{{#if}}` that a template is, where it is nothing else.
pub(super) fn only_if(template: &Template) -> Option<&HelperTemplate> {
    let blank = |element: &&TemplateElement| match element {
        TemplateElement::RawString(text) => text.trim().is_empty(),
        TemplateElement::Comment(_) => true,
        _ => false,
    };
    let mut elements = template.elements.iter().filter(|element| !blank(element));
    match (elements.next(), elements.next()) {
        (Some(TemplateElement::HelperBlock(block)), None) if block.name.as_name() == Some("if") => {
            Some(block)
        }
        _ => None,
    }
}

/// A code as a template would write it.
fn written(code: &Value) -> String {
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

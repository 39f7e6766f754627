//! Marks: private-use characters before each element of a template, which say where what follows came from.

use std::collections::BTreeMap;
use std::mem::take;

use handlebars::Template;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};

use super::super::{Place, Registry};
use super::Source;
use crate::assets::Files;

/// What a mark says.
pub(super) enum Point {
    /// A template's own text begins, behind so many bytes of white space, here.
    Literal(Place, usize),
    /// A value, and the name that it has here.
    Value(Place, Option<String>),
    /// A partial is called, with parameters of these names.
    Enter(Place, BTreeMap<String, Source>),
    Leave,
}

/// Marks are the private-use planes 15 and 16, two characters at the end of each left out: no text has them.
const PLANE: usize = 0xFFFE;

fn mark(index: usize) -> Option<char> {
    let code = match index {
        0..PLANE => 0xF_0000 + index,
        index => 0x10_0000 + index - PLANE,
    };
    char::from_u32(u32::try_from(code).ok()?)
}

pub(super) fn mark_of(c: char) -> Option<usize> {
    let code = usize::try_from(u32::from(c)).ok()?;
    match code {
        0xF_0000..0xF_FFFE => Some(code - 0xF_0000),
        0x10_0000..0x10_FFFE => Some(code - 0x10_0000 + PLANE),
        _ => None,
    }
}

pub(super) fn mark_all(registry: &mut Registry, files: &Files, points: &mut Vec<Point>) {
    // What was written out has no marks.
    registry.written_out.clear();
    let templates: Vec<(String, Template)> = registry
        .templates
        .get_templates()
        .iter()
        .map(|(name, template)| (name.clone(), template.clone()))
        .collect();
    for (name, mut template) in templates {
        let file = registry.place(&name);
        let source = files.get(&file.path).unwrap_or_default();
        Marker { file, source, cursor: 0, points }.mark(&mut template);
        registry.templates.register_template(&name, template);
    }
}

struct Marker<'a> {
    file: Place,
    source: &'a str,
    /// Bytes of the source that are done with.
    cursor: usize,
    points: &'a mut Vec<Point>,
}

impl Marker<'_> {
    fn mark(&mut self, template: &mut Template) {
        let elements = take(&mut template.elements);
        let mapping = take(&mut template.mapping);
        for (index, element) in elements.into_iter().enumerate() {
            // The block of an `{{else if …}}` has none.
            let at =
                mapping.get(index).map(|at| self.file.at(at.0, at.1)).unwrap_or_else(|| self.file.clone());
            let known = mapping.get(index);
            let mut after = None;
            let (before, element) = match element {
                TemplateElement::RawString(text) => (
                    Some(Point::Literal(self.literal(at, &text), space_before(&text))),
                    TemplateElement::RawString(text),
                ),
                TemplateElement::Expression(tag) => {
                    (Some(value(self.tag(at), &tag)), TemplateElement::Expression(tag))
                }
                TemplateElement::HtmlExpression(tag) => {
                    (Some(value(self.tag(at), &tag)), TemplateElement::HtmlExpression(tag))
                }
                TemplateElement::HelperBlock(mut block) => {
                    self.tag(at);
                    for inner in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                        self.mark(inner);
                    }
                    (None, TemplateElement::HelperBlock(block))
                }
                TemplateElement::PartialExpression(call) => {
                    after = Some(Point::Leave);
                    (Some(enter(self.tag(at), &call)), TemplateElement::PartialExpression(call))
                }
                TemplateElement::PartialBlock(mut call) => {
                    after = Some(Point::Leave);
                    let before = enter(self.tag(at), &call);
                    call.template.iter_mut().for_each(|inner| self.mark(inner));
                    (Some(before), TemplateElement::PartialBlock(call))
                }
                other => (None, other),
            };
            let before = before.and_then(|point| self.element(point));
            let after = after.and_then(|point| self.element(point));
            for element in before.into_iter().chain([element]).chain(after) {
                template.elements.push(element);
                template.mapping.extend(known.cloned());
            }
        }
    }

    fn element(&mut self, point: Point) -> Option<TemplateElement> {
        let mark = mark(self.points.len())?;
        self.points.push(point);
        Some(TemplateElement::RawString(mark.to_string()))
    }

    /// Where a template's own text begins. Handlebars names places of tags; a text's lies ahead of or behind the white
    /// space at its front, and a last text has its follower's. So it is looked for behind what came before it.
    fn literal(&mut self, place: Place, text: &str) -> Place {
        let begins = |at: &usize| !text.trim().is_empty() && self.source[*at..].starts_with(text.trim());
        let Some(begin) = self.behind_tags().filter(begins) else { return place };
        self.cursor = begin + text.trim().len();
        self.file.at(1, 1).behind(&self.source[..begin])
    }

    /// The first byte from the cursor on that is neither white space nor part of a tag.
    fn behind_tags(&self) -> Option<usize> {
        let mut at = self.cursor;
        loop {
            let rest = &self.source[at..];
            let text = rest.trim_start();
            at += rest.len() - text.len();
            let end = match text {
                text if text.starts_with("{{!--") => "--}}",
                text if text.starts_with("{{") => "}}",
                _ => return Some(at),
            };
            at += text.find(end)? + end.len();
        }
    }

    /// A tag's place; what follows is behind it.
    fn tag(&mut self, at: Place) -> Place {
        self.cursor = self.cursor.max(at.offset(self.source));
        at
    }
}

fn space_before(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn value(place: Place, tag: &HelperTemplate) -> Point {
    let name = tag.params.first().unwrap_or(&tag.name).as_name();
    Point::Value(place, name.map(str::to_owned))
}

fn enter(place: Place, call: &DecoratorTemplate) -> Point {
    let source = |parameter: &Parameter| match parameter {
        Parameter::Literal(_) => Source::House,
        named => source_of(named.as_name()),
    };
    Point::Enter(place, call.hash.iter().map(|(name, given)| (name.clone(), source(given))).collect())
}

pub(super) fn source_of(name: Option<&str>) -> Source {
    match name.and_then(|name| name.split_once('.')) {
        Some(("brand", _)) => Source::House,
        Some(("event", _)) => Source::Event,
        _ => Source::Data,
    }
}

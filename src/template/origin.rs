//! Which character of a rendered text came from where: a second rendering of the same templates, in which each element is
//! preceded by a mark (a private-use character), and the marks taken out again. So a rule looks at what customers would
//! read, and its finding still names file, line and column.

use std::collections::BTreeMap;
use std::mem::take;

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Context, Template};

use super::{Brand, Locale, Part, Place, Registry, RenderError, TemplateSet, address, context, name};
use crate::assets::Files;
use crate::event::Event;
use crate::plan::{Channel, Notification};

/// A rendered text that knows where each of its characters came from.
pub struct Traced {
    /// What would be sent.
    text: String,
    /// The same text from marked templates; its white space may be other.
    marked: String,
    spans: Vec<Span>,
    file: Place,
}

/// The parts of a message.
pub enum Texts {
    /// An SMS.
    Sms(Traced),
    /// A mail.
    Email {
        /// One line.
        subject: Traced,
        /// Plain text.
        text: Traced,
        /// HTML, where the type has such a template.
        html: Option<Box<Traced>>,
    },
}

/// A set whose texts know where they came from. For checks: rendering takes twice as long.
pub struct TracedSet<'a> {
    set: &'a TemplateSet,
    marked: BTreeMap<String, Locale>,
    points: Vec<Point>,
}

/// From here on, a text came from there.
#[derive(Clone)]
struct Span {
    start: usize,
    place: Place,
    source: Source,
}

/// Whose words a stretch of text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Text of the template itself, whose characters have places of their own.
    Literal,
    /// The house's as well: a literal parameter of a partial, `brand`.
    House,
    /// What the worker knows of the event: `event`.
    Event,
    /// The event's data.
    Data,
}

/// What a mark says.
enum Point {
    /// A template's own text begins, behind so many bytes of white space, here.
    Literal(Place, usize),
    /// A value, and the name that it has here.
    Value(Place, Option<String>),
    /// A partial is called, with parameters of these names.
    Enter(Place, BTreeMap<String, Source>),
    Leave,
}

impl Traced {
    /// What would be sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file whose text it is, for what is said of the text as a whole.
    pub fn file(&self) -> &Place {
        &self.file
    }

    /// Where the character at a byte of [`Self::text`] came from: in a template's own text its very place, for a value the
    /// tag that brings it, for a partial's parameter the call that gives it.
    pub fn place(&self, at: usize) -> Place {
        let (span, at) = self.span(at);
        let literal = self.marked.get(span.start..at).filter(|_| span.source == Source::Literal);
        literal.map_or_else(|| span.place.clone(), |text| span.place.behind(text))
    }

    /// Whether the character at a byte of [`Self::text`] is the house's own, from a template or `brand`.
    pub fn is_own(&self, at: usize) -> bool {
        matches!(self.span(at).0.source, Source::Literal | Source::House)
    }

    /// Whether it is a value of the event's data.
    pub fn is_data(&self, at: usize) -> bool {
        self.span(at).0.source == Source::Data
    }

    /// The span of a byte of the text, and where that byte is in the marked twin.
    fn span(&self, at: usize) -> (&Span, usize) {
        let nth = visible(self.text.get(..at).unwrap_or(&self.text)).count();
        let at = visible(&self.marked).nth(nth).map_or(self.marked.len(), |(at, _)| at);
        let behind = self.spans.partition_point(|span| span.start <= at);
        (&self.spans[behind.saturating_sub(1)], at)
    }

    /// The text as it is sent, with what is known of its marked twin. Should that have other characters, all of it comes from
    /// one place.
    fn new(text: String, twin: (String, Vec<Span>), file: Place) -> Self {
        let (marked, spans) = twin;
        let same = visible(&text).map(|(_, c)| c).eq(visible(&marked).map(|(_, c)| c));
        if same && !spans.is_empty() {
            return Self { text, marked, spans, file };
        }
        let spans = vec![Span { start: 0, place: file.clone(), source: Source::Data }];
        Self { marked: text.clone(), text, spans, file }
    }
}

/// The characters that marks cannot move: they take part in how handlebars indents partials and cuts lines.
fn visible(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().filter(|(_, c)| !c.is_whitespace())
}

impl Texts {
    /// Each part that there is.
    pub fn parts(&self) -> Vec<(Part, &Traced)> {
        match self {
            Self::Sms(text) => vec![(Part::Sms, text)],
            Self::Email { subject, text, html } => {
                let mut parts = vec![(Part::Subject, subject), (Part::Text, text)];
                parts.extend(html.as_deref().map(|html| (Part::Html, html)));
                parts
            }
        }
    }
}

impl<'a> TracedSet<'a> {
    /// Marks every template of a set.
    pub fn new(set: &'a TemplateSet) -> Self {
        let mut marked = set.locales.clone();
        let mut points = Vec::new();
        for locale in marked.values_mut() {
            for registry in [&mut locale.text, &mut locale.html] {
                mark_all(registry, &set.files, &mut points);
            }
        }
        Self { set, marked, points }
    }

    /// Renders one notification of an event in a locale, whatever the recipient's is.
    ///
    /// # Errors
    /// As [`TemplateSet::render`].
    pub fn render(
        &self,
        locale: &str,
        event: &Event,
        notification: &Notification,
        brand: &Brand,
    ) -> Result<Texts, RenderError> {
        let mut context = Context::from(context(event, brand.voice(locale)));
        let channel = address(&mut context, notification);
        let event_type = event.kind.name.as_str();
        let part = |part| self.part(locale, &context, event_type, part);
        Ok(match channel {
            Channel::Sms => Texts::Sms(part(Part::Sms)?),
            Channel::Email => {
                let has_html = self.set.locales.get(locale).is_some_and(|it| it.has(event_type, Part::Html));
                let html = if has_html { Some(Box::new(part(Part::Html)?)) } else { None };
                Texts::Email { subject: part(Part::Subject)?, text: part(Part::Text)?, html }
            }
        })
    }

    fn part(
        &self,
        locale: &str,
        context: &Context,
        event_type: &str,
        part: Part,
    ) -> Result<Traced, RenderError> {
        let (plain, marked) = (&self.set.locales[locale], &self.marked[locale]);
        let text = plain.part(context, event_type, part)?;
        let name = name(event_type, part);
        let twin = self.untangle(&marked.registry(part).render(context, &name)?);
        Ok(Traced::new(text, twin, plain.registry(part).place(&name)))
    }

    /// Takes the marks out.
    fn untangle(&self, marked: &str) -> (String, Vec<Span>) {
        let mut whole = String::with_capacity(marked.len());
        let mut spans = Vec::new();
        let mut calls: Vec<(&Place, &BTreeMap<String, Source>)> = Vec::new();
        for c in marked.chars() {
            let start = whole.len();
            match mark_of(c).and_then(|index| self.points.get(index)) {
                None => whole.push(c),
                Some(Point::Literal(place, space)) => {
                    spans.push(Span { start: start + space, place: place.clone(), source: Source::Literal })
                }
                Some(Point::Value(place, name)) => {
                    let given =
                        calls.last().and_then(|(call, names)| Some((*call, *names.get(name.as_ref()?)?)));
                    let (place, source) = given.unwrap_or((place, source_of(name.as_deref())));
                    spans.push(Span { start, place: place.clone(), source });
                }
                Some(Point::Enter(place, names)) => calls.push((place, names)),
                Some(Point::Leave) => drop(calls.pop()),
            }
        }
        (whole, spans)
    }
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

fn mark_of(c: char) -> Option<usize> {
    let code = usize::try_from(u32::from(c)).ok()?;
    match code {
        0xF_0000..0xF_FFFE => Some(code - 0xF_0000),
        0x10_0000..0x10_FFFE => Some(code - 0x10_0000 + PLANE),
        _ => None,
    }
}

fn mark_all(registry: &mut Registry, files: &Files, points: &mut Vec<Point>) {
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

fn source_of(name: Option<&str>) -> Source {
    match name.and_then(|name| name.split_once('.')) {
        Some(("brand", _)) => Source::House,
        Some(("event", _)) => Source::Event,
        _ => Source::Data,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{HTML, SMS, TEXT, brand, event, notification, set};
    use super::*;

    /// Where each of the needles came from, as `path:line:column`.
    fn places(files: &[(&str, &str)], part: Part, needles: &[&str]) -> Vec<String> {
        let set = set(files).unwrap_or_else(|problems| panic!("{problems:?}"));
        let channel = if part == Part::Sms { Channel::Sms } else { Channel::Email };
        let event = event(json!({"device": {"name": "携帯"}, "all": ["a", "b"]}));
        let texts =
            TracedSet::new(&set).render("ja", &event, &notification(channel), &brand()).expect("renders");
        let (_, traced) = texts.parts().into_iter().find(|(one, _)| *one == part).expect("that part");
        assert!(traced.text().chars().all(|c| mark_of(c).is_none()));
        let place = |needle: &&str| {
            let place = traced
                .place(traced.text().find(*needle).unwrap_or_else(|| panic!("{needle}: {}", traced.text())));
            format!("{}:{}:{}", place.path, place.line, place.column)
        };
        needles.iter().map(place).collect()
    }

    #[test]
    fn a_character_of_a_template_and_a_value_each_know_their_place() {
        let sms = "  \n 一行目\n{{~#if device.name}}\n二行目 {{device.name}} 三\n{{/if}}\n";
        assert_eq!(
            places(&[(SMS, sms)], Part::Sms, &["一", "行目", "二", "携帯", "三"]),
            [
                format!("{SMS}:2:2"),
                format!("{SMS}:2:3"),
                format!("{SMS}:4:1"),
                format!("{SMS}:4:5"),
                format!("{SMS}:4:21")
            ]
        );
    }

    #[test]
    fn a_partials_own_text_is_its_own_and_its_parameter_is_its_callers() {
        let row = ("ja/_partials/row.hbs", "{{label}}は{{> @partial-block~}}です");
        let files = [
            row,
            (TEXT, "前\n{{#> row label=\"名前\"}}{{device.name}}{{/row}}後"),
            (HTML, "<p>{{#each all}}[{{this}}]{{/each}}</p>"),
        ];
        assert_eq!(
            places(&files, Part::Text, &["名前", "は", "携帯", "です", "後"]),
            [
                format!("{TEXT}:2:1"),
                "ja/_partials/row.hbs:1:10".to_owned(),
                format!("{TEXT}:2:22"),
                "ja/_partials/row.hbs:1:32".to_owned(),
                format!("{TEXT}:2:45"),
            ]
        );
        assert_eq!(
            places(&files, Part::Html, &["[b", "</p>"]),
            [format!("{HTML}:1:17"), format!("{HTML}:1:36")]
        );
    }
}

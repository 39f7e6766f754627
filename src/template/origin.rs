//! Which character of a rendered text came from where: a second rendering of the same templates, in which each element is
//! preceded by a mark (a private-use character), and the marks taken out again. So a rule looks at what customers would
//! read, and its finding still names file, line and column.

mod mark;

use std::collections::BTreeMap;

use handlebars::Context;

use self::mark::{Point, mark_all, mark_of, source_of};
use super::{Brand, Locale, Part, Place, RenderError, TemplateSet, address, context, name};
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

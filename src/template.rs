//! Templates: from an event and its notifications to messages. Pure once loaded.
//!
//! Two registries for each locale: one escapes for HTML, the other escapes nothing; a template belongs to one of them
//! by its file name. Strict mode: a variable that is not there is an error, not a hole in a text.

mod brand;
mod character;
mod helpers;
mod link;
mod load;
mod narrow;
mod origin;
mod place;
mod sanitize;
mod segments;
mod shift_jis;
mod written_out;

use std::collections::BTreeMap;

use handlebars::{Context, Handlebars, RenderContext, RenderErrorReason, Renderable, StringOutput, Template};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::brand::{Brand, LocaleBrand, Voice};
pub use self::character::{is_emoji, is_invisible, is_private};
pub use self::helpers::{HELPERS, Helper, Signature, is_helper, signatures};
pub use self::link::{Link, links, spelling};
pub(crate) use self::load::Slot;
pub use self::load::TemplateProblem;
pub use self::narrow::narrow;
pub use self::origin::{Texts, Traced, TracedSet};
pub use self::place::Place;
pub use self::segments::{Encoding, Segments, borders, segments};
pub use self::shift_jis::{in_shift_jis, substituted};
use self::written_out::written_out;
use crate::assets::Files;
use crate::event::Event;
use crate::plan::{Channel, Notification};

/// The locale that every event type must have, and that others fall back to.
pub const DEFAULT_LOCALE: &str = "ja";

/// The rendered text of a notification. Holds personal data, hence no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// An SMS.
    Sms {
        /// The text.
        text: String,
    },
    /// A mail.
    Email {
        /// What its texts are written in, as `Content-Language` names it.
        language: String,
        /// One line.
        subject: String,
        /// Plain text.
        text: String,
        /// HTML, where the type has such a template.
        html: Option<String>,
    },
}

/// One of the files of an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `sms.hbs`
    Sms,
    /// `email.subject.hbs`
    Subject,
    /// `email.txt.hbs`
    Text,
    /// `email.html.hbs`
    Html,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Sms, Self::Subject, Self::Text, Self::Html];

    /// Its file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Sms => "sms.hbs",
            Self::Subject => "email.subject.hbs",
            Self::Text => "email.txt.hbs",
            Self::Html => "email.html.hbs",
        }
    }

    /// The HTML part may be left out.
    pub fn is_optional(self) -> bool {
        self == Self::Html
    }
}

/// A template did not give a message that may be sent. Holds no value of the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Handlebars failed.
    #[error("{place}: {detail}")]
    Failed {
        /// Where.
        place: Place,
        /// What handlebars says: names, no values.
        detail: String,
    },
    /// Nothing but white space.
    #[error("{place}: renders to nothing; nothing empty is sent")]
    Empty {
        /// Which file.
        place: Place,
    },
    /// A subject of several lines.
    #[error("{place}: renders to more than one line; a subject is one line")]
    Lines {
        /// Which file.
        place: Place,
    },
}

/// Every template of a folder, loaded as a whole.
#[derive(Debug)]
pub struct TemplateSet {
    locales: BTreeMap<String, Locale>,
    files: Files,
    version: String,
}

/// One locale's two registries.
#[derive(Debug, Clone, Default)]
struct Locale {
    text: Registry,
    html: Registry,
}

/// Templates by name, and where each came from.
#[derive(Debug, Clone, Default)]
struct Registry {
    templates: Handlebars<'static>,
    /// Those that are rendered as a whole and can be written out.
    written_out: BTreeMap<String, Template>,
    places: BTreeMap<String, Place>,
}

impl TemplateSet {
    /// A short hash of all files: which wording was in force.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The files that it was made of.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Its locales.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// Its locales that have templates of an event type.
    pub fn locales_of(&self, event_type: &str) -> impl Iterator<Item = &str> {
        let has_type = move |(_, locale): &(&String, &Locale)| locale.has(event_type, Part::Sms);
        self.locales.iter().filter(has_type).map(|(name, _)| name.as_str())
    }

    /// The name, the parsed template and the file of everything in one of a locale's two registries, by name.
    pub fn templates(&self, locale: &str, html: bool) -> impl Iterator<Item = (&str, &Template, &Place)> {
        let registry = self.locales.get(locale).map(|locale| if html { &locale.html } else { &locale.text });
        registry.into_iter().flat_map(|registry| {
            let template = |name: &String| registry.templates.get_template(name);
            registry
                .places
                .iter()
                .filter_map(move |(name, place)| Some((name.as_str(), template(name)?, place)))
        })
    }

    /// The parsed template of a file and the registry's name for partials: `html` says which of the two registries.
    pub fn template(&self, locale: &str, name: &str, html: bool) -> Option<(&Template, &Place)> {
        let locale = self.locales.get(locale)?;
        let registry = if html { &locale.html } else { &locale.text };
        Some((registry.templates.get_template(name)?, registry.places.get(name)?))
    }

    /// Renders each notification and each fallback of an event, before any of them is sent.
    ///
    /// # Errors
    /// The first template that fails; then nothing of this event may be sent.
    pub fn render(
        &self,
        event: &Event,
        notifications: &[Notification],
        brand: &Brand,
    ) -> Result<Vec<Rendered>, RenderError> {
        let (name, locale) = self.locale(event);
        let mut context = Context::from(context(event, brand.voice(name)));
        notifications
            .iter()
            .map(|notification| {
                let message = locale.message(name, &mut context, event, notification)?;
                let fallback = notification
                    .fallback()
                    .map(|next| locale.message(name, &mut context, event, &next))
                    .transpose()?;
                Ok(Rendered { message, fallback })
            })
            .collect()
    }

    /// The locale of an event's texts: the recipient's where the type has templates in it, else Japanese.
    pub fn locale_of(&self, event: &Event) -> &str {
        self.locale(event).0
    }

    fn locale(&self, event: &Event) -> (&str, &Locale) {
        let has_type = |locale: &&Locale| locale.has(&event.kind.name, Part::Sms);
        let wanted =
            self.locales.get_key_value(&event.recipient.locale).filter(|(_, locale)| has_type(locale));
        let (name, locale) = wanted
            .or_else(|| self.locales.get_key_value(DEFAULT_LOCALE))
            .expect("load refuses a set without the default locale");
        (name, locale)
    }
}

/// The messages of one notification.
#[derive(Clone)]
pub struct Rendered {
    /// What is sent first.
    pub message: Message,
    /// What is sent when that channel has failed for good.
    pub fallback: Option<Message>,
}

impl Locale {
    fn registry(&self, part: Part) -> &Registry {
        if part == Part::Html { &self.html } else { &self.text }
    }

    fn has(&self, event_type: &str, part: Part) -> bool {
        self.registry(part).places.contains_key(&name(event_type, part))
    }

    fn message(
        &self,
        language: &str,
        context: &mut Context,
        event: &Event,
        notification: &Notification,
    ) -> Result<Message, RenderError> {
        let channel = address(context, notification);
        let part = |part: Part| self.part(context, &event.kind.name, part);
        Ok(match channel {
            Channel::Sms => Message::Sms { text: part(Part::Sms)? },
            Channel::Email => Message::Email {
                language: language.to_owned(),
                subject: part(Part::Subject)?,
                text: part(Part::Text)?,
                html: if self.has(&event.kind.name, Part::Html) { Some(part(Part::Html)?) } else { None },
            },
        })
    }

    fn part(&self, context: &Context, event_type: &str, part: Part) -> Result<String, RenderError> {
        let rendered = self.registry(part).render(context, &name(event_type, part))?;
        let text = rendered.trim();
        self.sendable(text, event_type, part)?;
        Ok(text.to_owned())
    }

    /// Nothing empty is sent, and no subject of two lines.
    fn sendable(&self, text: &str, event_type: &str, part: Part) -> Result<(), RenderError> {
        let place = || self.registry(part).place(&name(event_type, part));
        if text.is_empty() {
            return Err(RenderError::Empty { place: place() });
        }
        if part == Part::Subject && text.contains(['\r', '\n']) {
            return Err(RenderError::Lines { place: place() });
        }
        Ok(())
    }
}

impl Registry {
    fn place(&self, name: &str) -> Place {
        self.places.get(name).cloned().unwrap_or_else(|| Place::file(name, name))
    }

    fn render(&self, context: &Context, name: &str) -> Result<String, RenderError> {
        if let Some(text) = self.written_out.get(name).and_then(|whole| self.render_whole(context, whole)) {
            return Ok(text);
        }
        self.templates.render_with_context(name, context).map_err(|error| {
            let file = self.place(error.template_name.as_deref().unwrap_or(name));
            let place = match (error.line_no, error.column_no) {
                (Some(line), Some(column)) => file.at(line, column),
                _ => file,
            };
            RenderError::Failed { place, detail: in_words(error.reason()) }
        })
    }

    /// Nothing when it fails: the template as it was written knows where.
    fn render_whole(&self, context: &Context, whole: &Template) -> Option<String> {
        let mut text = StringOutput::new();
        whole.render(&self.templates, context, &mut RenderContext::new(None), &mut text).ok()?;
        text.into_string().ok()
    }

    /// Writes out what `names` say, now that every partial is there.
    fn write_out(&mut self) {
        let whole = self.places.keys().filter(|name| name.contains('/'));
        let whole = whole.filter_map(|name| Some((name.clone(), written_out(&self.templates, name)?)));
        self.written_out = whole.collect();
    }
}

/// What handlebars says of a name that is not there is for programmers.
fn in_words(reason: &RenderErrorReason) -> String {
    match reason {
        RenderErrorReason::MissingVariable(Some(name)) => format!("there is no `{name}` in this event"),
        reason => reason.to_string(),
    }
}

/// Tells templates which notification they speak for.
fn address(context: &mut Context, notification: &Notification) -> Channel {
    let channel = notification.address.channel();
    context.data_mut()["notification"] =
        json!({"channel": channel.as_str(), "contact": notification.contact.as_str()});
    channel
}

/// A template's name in its registry.
fn name(event_type: &str, part: Part) -> String {
    format!("{event_type}/{}", part.file_name())
}

/// What templates see: the event's data made safe, `event` and `brand`; ours win over a field of the same name.
fn context(event: &Event, brand: Voice<'_>) -> Value {
    let mut data = event.data.clone();
    sanitize::sanitize(&mut data);
    let others = event.others.unwrap_or_default();
    data["event"] = json!({
        "id": event.id, "type": event.kind.name, "time": event.time.to_string(), "others": others
    });
    data["brand"] = json!(brand);
    data
}

#[cfg(test)]
mod tests;

//! Loading a set of templates as a whole: all problems at once, or a set that is complete.

use std::collections::BTreeMap;

use handlebars::{Template, TemplateError, TemplateErrorReason, no_escape};
use ring::digest::{Context as Digest, SHA256};

use super::{DEFAULT_LOCALE, Locale, Part, Place, Registry, TemplateSet, helpers, name};
use crate::assets::Files;
use crate::event::Catalog;
use crate::hex::hex;

/// Something in a folder of templates is not in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// A template that does not parse.
    #[error("{place}: {detail}")]
    Parse {
        /// Where.
        place: Place,
        /// What handlebars says.
        detail: String,
    },
    /// A file that no rule of the folder knows.
    #[error(
        "{0}: is not a template; expected <locale>/<event type>/(sms|email.subject|email.txt|email.html).hbs or \
             <locale>/_partials/NAME.hbs, NAME.txt.hbs, NAME.html.hbs; a locale is two or three small letters"
    )]
    Stray(Place),
    /// An event type of the catalog lacks a part.
    #[error("{0}: not found; every event type of the catalog needs it")]
    Missing(Place),
}

impl TemplateProblem {
    /// Where.
    pub fn place(&self) -> &Place {
        match self {
            Self::Parse { place, .. } | Self::Stray(place) | Self::Missing(place) => place,
        }
    }

    /// What is wrong there.
    pub fn what(&self) -> String {
        let whole = self.to_string();
        whole.strip_prefix(&format!("{}: ", self.place())).unwrap_or(&whole).to_owned()
    }
}

impl TemplateSet {
    /// Parses every template and sees that each event type of the catalog has its parts in the default locale, and
    /// all or none of them in any other.
    ///
    /// # Errors
    /// All problems, not only the first.
    pub fn load(files: &Files, catalog: &Catalog) -> Result<Self, Vec<TemplateProblem>> {
        let mut locales: BTreeMap<String, Locale> = BTreeMap::new();
        let mut problems = Vec::new();
        locales.insert(DEFAULT_LOCALE.to_owned(), Locale::empty());
        for (path, text) in files.iter() {
            let place = Place::file(path, &files.place(path));
            let Some(slot) = Slot::of(path) else {
                problems.push(TemplateProblem::Stray(place));
                continue;
            };
            let locale = locales.entry(slot.locale().to_owned()).or_insert_with(Locale::empty);
            if let Err(error) = locale.add(&slot, &place, text) {
                problems.push(parse_problem(&place, &error));
            }
        }
        for (name, locale) in &locales {
            problems.extend(missing(files, name, locale, catalog));
        }
        locales.values_mut().for_each(Locale::write_out);
        let version = Self::version_of(files);
        if problems.is_empty() { Ok(Self { locales, files: files.clone(), version }) } else { Err(problems) }
    }

    /// The version that a set of these files has: the first 12 hex digits of a SHA-256 over names and texts.
    pub fn version_of(files: &Files) -> String {
        let mut digest = Digest::new(&SHA256);
        for (path, text) in files.iter() {
            for part in [path, text] {
                digest.update(&part.len().to_be_bytes());
                digest.update(part.as_bytes());
            }
        }
        hex(&digest.finish().as_ref()[..6])
    }
}

/// What a path says of a file.
pub(crate) enum Slot<'a> {
    Partial { locale: &'a str, name: &'a str, text: bool, html: bool },
    Template { locale: &'a str, event_type: &'a str, part: Part },
}

impl<'a> Slot<'a> {
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.split('/');
        let (locale, folder, file) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !is_language(locale) {
            return None;
        }
        if folder != "_partials" {
            let part = Part::ALL.into_iter().find(|part| part.file_name() == file)?;
            return Some(Self::Template { locale, event_type: folder, part });
        }
        let name = file.strip_suffix(".hbs")?;
        Some(match (name.strip_suffix(".txt"), name.strip_suffix(".html")) {
            (Some(name), _) => Self::Partial { locale, name, text: true, html: false },
            (_, Some(name)) => Self::Partial { locale, name, text: false, html: true },
            _ => Self::Partial { locale, name, text: true, html: true },
        })
    }

    fn locale(&self) -> &'a str {
        match self {
            Self::Partial { locale, .. } | Self::Template { locale, .. } => locale,
        }
    }
}

/// A recipient's locale counts by its language alone (`en-US` is `en`), so a folder `en-US` would never be read.
fn is_language(folder: &str) -> bool {
    matches!(folder.len(), 2 | 3) && folder.bytes().all(|byte| byte.is_ascii_lowercase())
}

impl Locale {
    fn empty() -> Self {
        let mut locale = Self::default();
        locale.text.templates.register_escape_fn(no_escape);
        for registry in [&mut locale.text, &mut locale.html] {
            registry.templates.set_strict_mode(true);
            helpers::register(&mut registry.templates);
        }
        locale
    }

    fn write_out(&mut self) {
        self.text.write_out();
        self.html.write_out();
    }

    fn add(&mut self, slot: &Slot<'_>, place: &Place, text: &str) -> Result<(), TemplateError> {
        match *slot {
            Slot::Partial { name, text: in_text, html: in_html, .. } => {
                if in_text {
                    self.text.add(name, place, text)?;
                }
                if in_html {
                    self.html.add(name, place, text)?;
                }
                Ok(())
            }
            Slot::Template { event_type, part, .. } => {
                let registry = if part == Part::Html { &mut self.html } else { &mut self.text };
                registry.add(&name(event_type, part), place, text)
            }
        }
    }
}

impl Registry {
    fn add(&mut self, name: &str, place: &Place, text: &str) -> Result<(), TemplateError> {
        // Known even when it does not parse: it is broken, not missing.
        self.places.insert(name.to_owned(), place.clone());
        let template = Template::compile_with_name(text, name.to_owned())?;
        self.templates.register_template(name, template);
        Ok(())
    }
}

fn parse_problem(place: &Place, error: &TemplateError) -> TemplateProblem {
    let place = match error.pos() {
        Some((line, column)) => place.at(line, column),
        None => place.clone(),
    };
    TemplateProblem::Parse { place, detail: in_words(error.reason()) }
}

/// The grammar's own message lists its rules, which helps nobody who writes texts.
fn in_words(reason: &TemplateErrorReason) -> String {
    match reason {
        TemplateErrorReason::InvalidSyntax(_) => {
            "is no valid handlebars here; usually a {{#block}} without its {{/block}}, or {{ without }}"
                .to_owned()
        }
        reason => reason.to_string(),
    }
}

/// Parts that the catalog's types lack. A locale that has nothing of a type falls back to the default one.
fn missing(files: &Files, locale_name: &str, locale: &Locale, catalog: &Catalog) -> Vec<TemplateProblem> {
    let mut problems = Vec::new();
    for event_type in catalog.iter() {
        let lacks = |part: &Part| !part.is_optional() && !locale.has(&event_type.name, *part);
        let translated = Part::ALL.iter().any(|part| locale.has(&event_type.name, *part));
        if locale_name != DEFAULT_LOCALE && !translated {
            continue;
        }
        let path = |part: Part| {
            let path = format!("{locale_name}/{}", name(&event_type.name, part));
            Place::file(&path, &files.place(&path))
        };
        problems.extend(Part::ALL.into_iter().filter(lacks).map(|part| TemplateProblem::Missing(path(part))));
    }
    problems
}

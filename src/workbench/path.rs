//! Which file of a set is meant: only names that a set of templates knows, so that no request leads anywhere else.

use std::fmt;

use serde::Serialize;

use crate::event::Catalog;
use crate::template::Slot;

/// The path of a template or partial within a set: `ja/security.login/sms.hbs`. It names no folder above.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TemplatePath(String);

/// A text that is no [`TemplatePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no file of the set; expected <locale>/<event type>/sms.hbs and the like, or <locale>/_partials/NAME.hbs"
)]
pub struct TemplatePathError;

impl TemplatePath {
    /// Reads a path; its event type has to be in the catalog.
    ///
    /// # Errors
    /// When no set has a file of that name.
    pub fn parse(text: &str, catalog: &Catalog) -> Result<Self, TemplatePathError> {
        let known = match Slot::of(text).ok_or(TemplatePathError)? {
            Slot::Partial { locale, name, .. } => is_name(locale) && is_name(name),
            Slot::Template { locale, event_type, .. } => is_name(locale) && catalog.get(event_type).is_some(),
        };
        if known { Ok(Self(text.to_owned())) } else { Err(TemplatePathError) }
    }

    /// Within the set, `/` between the parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The locale that it belongs to.
    pub fn locale(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Its event type; none for a partial.
    pub fn event_type(&self) -> Option<&str> {
        self.0.split('/').nth(1).filter(|folder| *folder != "_partials")
    }
}

impl fmt::Display for TemplatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters, digits and what stands between them: no separator, nothing hidden, no `..`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assets::Files;

    fn catalog() -> Catalog {
        Catalog::load(&Files::embedded("config")).expect("built in")
    }

    #[test]
    fn every_file_of_the_built_in_set_is_a_path() {
        let (files, catalog) = (Files::embedded("templates"), catalog());
        for (path, _) in files.iter() {
            assert!(TemplatePath::parse(path, &catalog).is_ok(), "{path}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let catalog = catalog();
        for path in [
            "",
            "ja/security.login/../../../etc/passwd",
            "../security.login/sms.hbs",
            "ja/../sms.hbs",
            "/etc/_partials/x.hbs",
            "ja/_partials/../x.hbs",
            "ja/_partials/.hidden.hbs",
            ".drafts/_partials/x.hbs",
            "ja/_partials/a\\b.hbs",
            "ja/_partials/a\0.hbs",
            "ja/nobody.knows/sms.hbs",
            "ja/security.login/sms.txt",
            "ja//sms.hbs",
        ] {
            assert_eq!(TemplatePath::parse(path, &catalog), Err(TemplatePathError), "{path:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_accepted_stays_three_levels_below_the_folder(path in "[a-z./_\\\\-]{0,12}/(_partials|[a-z./]{0,6})/[a-z./_-]{0,8}\\.hbs") {
            if let Ok(path) = TemplatePath::parse(&path, &catalog()) {
                let parts: Vec<_> = std::path::Path::new(path.as_str()).components().collect();
                prop_assert!(parts.len() == 3 && parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}

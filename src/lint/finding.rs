//! What a rule says: where, what, which example shows it, and the mend.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Specimen};
use crate::template::Place;

/// What a finding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A set with it is not used.
    Error,
    /// It is shown.
    Warning,
    /// It is not shown.
    Off,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Off => "off",
        })
    }
}

/// What a rule saw, before severities and exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// What is wrong, without the mend. The same words at the same place are one finding.
    pub what: String,
    /// What to do.
    pub mend: String,
    /// The event type that shows it, where one does.
    pub event_type: Option<String>,
    /// The example that shows it, where one does.
    pub example: Option<String>,
    /// The link, where it is one that could be approved, in its one spelling.
    pub link: Option<String>,
}

/// A mistake in a set of templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What it does.
    pub severity: Severity,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
    /// The event type that shows it.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// The first example that shows it.
    pub example: Option<String>,
    /// How many messages show it.
    pub shown_by: usize,
}

impl Found {
    /// Seen in the files, with no example.
    pub fn new(place: Place, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place, what: what.into(), mend: mend.into(), event_type: None, example: None, link: None }
    }

    /// The example that shows it.
    #[must_use]
    pub fn shown_by(mut self, specimen: &Specimen) -> Self {
        self.event_type = Some(specimen.event.kind.name.clone());
        self.example = Some(specimen.event.id.clone());
        self
    }

    /// The link that it is about, which may be an approved one.
    #[must_use]
    pub fn of_link(mut self, spelling: String) -> Self {
        self.link = Some(spelling);
        self
    }

    /// The event type that shows it.
    #[must_use]
    pub fn of_type(mut self, event_type: &str) -> Self {
        self.event_type = Some(event_type.to_owned());
        self
    }
}

impl Finding {
    pub(super) fn new(rule: &Rule, found: Found) -> Self {
        let Found { place, what, mend, event_type, example, link: _ } = found;
        Self { rule: rule.name, severity: rule.severity, place, what, mend, event_type, example, shown_by: 0 }
    }

    pub(super) fn error(rule: &'static str, place: Place, what: String, mend: &str) -> Self {
        let (severity, mend) = (Severity::Error, mend.to_owned());
        Self { rule, severity, place, what, mend, event_type: None, example: None, shown_by: 0 }
    }
}

/// `templates/ja/…/sms.hbs:1:7: error: what; mend [rule] (example …)`: what editors and terminals open.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, severity, place, what, mend, .. } = self;
        write!(f, "{place}: {severity}: {what}; {mend} [{rule}]")?;
        match (&self.example, &self.event_type) {
            (Some(example), _) if self.shown_by > 1 => {
                write!(f, " (example {example} and {} more)", self.shown_by - 1)
            }
            (Some(example), _) => write!(f, " (example {example})"),
            (None, Some(event_type)) => write!(f, " (type {event_type})"),
            (None, None) => Ok(()),
        }
    }
}

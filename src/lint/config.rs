//! `[templates.check]`: limits, severities, and exceptions with their reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::finding::Found;
use super::{Finding, RENDERS, RULES, Severity};
use crate::config::text_value;
use crate::template::spelling;

/// `[templates.check]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckConfig {
    /// Segments that an SMS may take in the worst case that its schema allows.
    #[serde(default = "default_max_segments")]
    pub max_segments: NonZeroUsize,
    /// Characters that a mail's subject may have in the worst case.
    #[serde(default = "default_max_subject")]
    pub max_subject: NonZeroUsize,
    /// Rule to severity, for all templates.
    #[serde(default)]
    pub severity: BTreeMap<RuleName, Severity>,
    /// Links that somebody answerable approved.
    #[serde(default)]
    pub links: Vec<AllowedLink>,
    /// Rules that count otherwise for some templates.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
}

/// A link that may stand in a text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedLink {
    /// As it stands in the text: `www.example.jp/help`.
    pub text: String,
    /// Who approved it, and when.
    pub reason: String,
}

/// A rule that counts otherwise for some templates.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Which rule.
    pub rule: RuleName,
    /// Which files: a path within the set, where `*` stands for anything: `ja/security.login/*`.
    #[schemars(length(min = 1))]
    pub template: String,
    /// What it does there.
    #[serde(default = "default_exception")]
    pub severity: Severity,
    /// Why, for whoever asks later.
    pub reason: String,
}

/// The name of a rule that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(&'static str);

/// A text that is no rule's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no rule that can be set otherwise; those that can: {}", names().collect::<Vec<_>>().join(", "))]
pub struct RuleNameError;

impl FromStr for RuleName {
    type Err = RuleNameError;

    fn from_str(text: &str) -> Result<Self, RuleNameError> {
        names().find(|name| *name == text).map(Self).ok_or(RuleNameError)
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

text_value!(RuleName, "rule");

/// The rules that a house may set otherwise.
fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name).filter(|name| *name != RENDERS)
}

fn default_max_segments() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(2)
}

/// Mail programs show about so many full-width characters of a subject, phones about half.
fn default_max_subject() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(59)
}

fn default_exception() -> Severity {
    Severity::Off
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            max_segments: default_max_segments(),
            max_subject: default_max_subject(),
            severity: BTreeMap::new(),
            links: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

/// Which of the exceptions and approved links were met, by their numbers.
#[derive(Debug, Default)]
pub struct Used {
    /// Of [`CheckConfig::exceptions`].
    pub exceptions: BTreeSet<usize>,
    /// Of [`CheckConfig::links`].
    pub links: BTreeSet<usize>,
}

impl CheckConfig {
    /// What one key alone cannot show: keys below `templates.check`, and what is wrong with them.
    pub fn problems(&self) -> Vec<(String, String)> {
        let links = self.links.iter().enumerate().flat_map(|(index, link)| {
            [(format!("links.{index}.text"), &link.text), (format!("links.{index}.reason"), &link.reason)]
        });
        let exceptions = self.exceptions.iter().enumerate().flat_map(|(index, it)| {
            let key = |name: &str| format!("exceptions.{index}.{name}");
            [(key("template"), &it.template), (key("reason"), &it.reason)]
        });
        let blank = links.chain(exceptions).filter(|(_, text)| text.trim().is_empty());
        blank.map(|(key, _)| (key, "is blank; write it for whoever asks later".to_owned())).collect()
    }

    /// Whether it is a link that somebody approved: that very one, in whatever width it is written.
    pub(super) fn approves(&self, found: &Found, used: &mut Used) -> bool {
        let Some(link) = &found.link else { return false };
        let approved = self.links.iter().position(|allowed| spelling(&allowed.text) == *link);
        used.links.extend(approved);
        approved.is_some()
    }

    /// A finding with the severity that counts here; nothing when it is off. The last exception that fits wins.
    pub(super) fn judge(&self, mut finding: Finding, used: &mut Used) -> Option<Finding> {
        let named =
            self.severity.iter().find(|(name, _)| name.0 == finding.rule).map(|(_, severity)| *severity);
        let fitting = self.exceptions.iter().enumerate().filter(|(_, exception)| exception.fits(&finding));
        let fitting: Vec<(usize, &Exception)> = fitting.collect();
        used.exceptions.extend(fitting.iter().map(|(number, _)| number));
        let severity = fitting.last().map(|(_, exception)| exception.severity).or(named);
        finding.severity = severity.unwrap_or(finding.severity);
        (finding.severity != Severity::Off).then_some(finding)
    }
}

impl Exception {
    fn fits(&self, finding: &Finding) -> bool {
        self.rule.0 == finding.rule && fits(&self.template, &finding.place.path)
    }
}

/// Whether a path fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut path) = path.strip_prefix(head) else { return false };
    while let Some((middle, more)) = rest.split_once('*') {
        let Some(at) = path.find(middle) else { return false };
        (path, rest) = (&path[at + middle.len()..], more);
    }
    path.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, path, fit) in [
            ("ja/security.login/sms.hbs", "ja/security.login/sms.hbs", true),
            ("ja/security.login/*", "ja/security.login/sms.hbs", true),
            ("*/sms.hbs", "en/security.login/sms.hbs", true),
            ("ja/*/email.*.hbs", "ja/security.login/email.txt.hbs", true),
            ("ja/*", "en/security.login/sms.hbs", false),
            ("ja/security.login/sms.hbs", "ja/security.login/sms.hbs2", false),
        ] {
            assert_eq!(fits(pattern, path), fit, "{pattern} {path}");
        }
    }
}

//! Checks of wording: rules, one file each, over every template × every example × the extremes of each schema. Pure.
//!
//! A rule looks at the files ([`Check::Set`]), at the names in them ([`Check::Names`]), at each message as a customer would read it ([`Check::Message`]), or at each
//! event type in a locale with all its messages ([`Check::Type`]). What it finds names file, line, column, the example that
//! shows it, and the mend.

mod config;
mod finding;
mod html;
mod near;
mod parallel;
mod rules;
mod scope;
mod specimen;
mod tags;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

pub use self::config::{AllowedLink, CheckConfig, Exception, RuleName, Used};
use self::finding::Found;
pub use self::finding::{Finding, Severity};
use self::parallel::on_all_cores;
use self::rules::RENDERS;
pub use self::rules::RULES;
pub use self::specimen::Specimen;
use self::specimen::specimens;
use self::walk::{Sighting, sightings};
use crate::assets::Files;
use crate::event::{Catalog, EventType};
use crate::gateway::SmsConfig;
use crate::template::{Brand, TemplateProblem, TemplateSet, TracedSet};

/// What a house has beside its templates; the rules look at all of it.
#[derive(Clone, Copy)]
pub struct Premises<'a> {
    /// Event types with their schemas and examples.
    pub catalog: &'a Catalog,
    /// Who speaks.
    pub brand: &'a Brand,
    /// The routes that have to carry an SMS.
    pub sms: &'a SmsConfig,
    /// Severities, exceptions, limits.
    pub config: &'a CheckConfig,
}

/// One rule. What it looks for is in its file.
pub struct Rule {
    /// As configuration and findings call it.
    pub name: &'static str,
    /// Unless the configuration says otherwise.
    pub severity: Severity,
    /// What it wants, and why, in a sentence.
    pub about: &'static str,
    /// What it looks at.
    pub check: Check,
}

/// What a rule looks at.
pub enum Check {
    /// The files, before anything is rendered.
    Set(fn(&Premises<'_>, &TemplateSet) -> Vec<Found>),
    /// Every name in every branch of them, with what it means there.
    Names(fn(&[(&EventType, Sighting)]) -> Vec<Found>),
    /// One message.
    Message(fn(&Premises<'_>, &Specimen) -> Vec<Found>),
    /// An event type in one locale, with all its messages.
    Type(fn(&Premises<'_>, &EventType, &[Specimen]) -> Vec<Found>),
    /// What the house excepts, beside everything that the other rules found.
    Excepted(fn(&CheckConfig, &Used) -> Vec<Found>),
}

/// What checking a set gave.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By severity, then place.
    pub findings: Vec<Finding>,
    /// How many messages were looked at.
    pub messages: usize,
    /// How many of them are SMS.
    pub sms: usize,
    /// Examples, not extremes, whose SMS takes several segments: not wrong, but billed.
    pub long_sms: Vec<String>,
}

impl Report {
    /// Whether the set may be sent from: no finding is an error.
    pub fn passes(&self) -> bool {
        self.errors().next().is_none()
    }

    /// The findings that keep a set from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

/// Loads a set of templates and checks it. The set comes back when it may be sent from.
///
/// # Errors
/// The report alone, when it may not.
pub fn load(premises: &Premises<'_>, files: &Files, now: Timestamp) -> Result<(TemplateSet, Report), Report> {
    let set = TemplateSet::load(files, premises.catalog).map_err(|problems| Report {
        findings: problems.into_iter().map(unloadable).collect(),
        ..Report::default()
    })?;
    let report = check(premises, &set, now);
    if report.passes() { Ok((set, report)) } else { Err(report) }
}

/// Checks a set that loaded.
pub fn check(premises: &Premises<'_>, set: &TemplateSet, now: Timestamp) -> Report {
    let traced = TracedSet::new(set);
    let locales = |kind: &Arc<EventType>| {
        set.locales_of(&kind.name).map(|locale| (Arc::clone(kind), locale)).collect::<Vec<_>>()
    };
    let told: Vec<_> = premises.catalog.iter().flat_map(locales).collect();
    let looks = on_all_cores(&told, |(kind, locale)| {
        let specimens = specimens(premises, &traced, kind, locale, now);
        (Report::of(&specimens), in_messages(premises, kind, &specimens))
    });
    let (mut report, mut found) = (Report::default(), Vec::new());
    for (part, more) in looks {
        report.add(part);
        found.extend(more);
    }
    found.extend(in_files(premises, set));
    report.findings = without_echoes(judged(premises.config, found));
    report
}

/// What the rules find in the messages of an event type in one locale.
fn in_messages(
    premises: &Premises<'_>,
    kind: &EventType,
    specimens: &[Specimen],
) -> Vec<(&'static Rule, Found)> {
    let of = |rule: &'static Rule| {
        let found: Vec<Found> = match rule.check {
            Check::Message(check) => specimens.iter().flat_map(|one| check(premises, one)).collect(),
            Check::Type(check) => check(premises, kind, specimens),
            Check::Set(_) | Check::Names(_) | Check::Excepted(_) => Vec::new(),
        };
        found.into_iter().map(move |one| (rule, one))
    };
    RULES.iter().flat_map(of).collect()
}

/// What the rules find that render nothing.
fn in_files(premises: &Premises<'_>, set: &TemplateSet) -> Vec<(&'static Rule, Found)> {
    let seen = sightings(premises, set);
    let of = |rule: &'static Rule| {
        let found = match rule.check {
            Check::Set(check) => check(premises, set),
            Check::Names(check) => check(&seen),
            Check::Message(_) | Check::Type(_) | Check::Excepted(_) => Vec::new(),
        };
        found.into_iter().map(move |one| (rule, one))
    };
    RULES.iter().flat_map(of).collect()
}

impl Report {
    /// The counts of some messages.
    fn of(specimens: &[Specimen]) -> Self {
        let mut report = Self::default();
        specimens.iter().for_each(|specimen| report.count(specimen));
        report
    }

    fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.messages += other.messages;
        self.sms += other.sms;
        self.long_sms.extend(other.long_sms);
    }

    fn count(&mut self, specimen: &Specimen) {
        self.messages += 1;
        if let Some(sms) = specimen.sms() {
            self.sms += 1;
            if !specimen.extreme && crate::template::segments(sms.text()).segments > 1 {
                self.long_sms.push(specimen.event.id.clone());
            }
        }
    }
}

/// A tag that a rule of the files explains also fails to render: once is enough, and the rule's words are the better ones.
fn without_echoes(mut findings: Vec<Finding>) -> Vec<Finding> {
    let reads_files = |name: &str| {
        RULES.iter().any(|it| it.name == name && matches!(it.check, Check::Set(_) | Check::Names(_)))
    };
    let explains =
        |it: &&Finding| it.severity == Severity::Error && it.place.line > 0 && reads_files(it.rule);
    let line = |it: &Finding| (Arc::clone(&it.place.path), it.place.line);
    let explained: BTreeSet<_> = findings.iter().filter(explains).map(line).collect();
    findings.retain(|it| it.rule != RENDERS || !explained.contains(&line(it)));
    findings
}

/// The same mistake shows in many examples: one finding, with the first of them. Then severities and exceptions.
fn judged(config: &CheckConfig, found: Vec<(&Rule, Found)>) -> Vec<Finding> {
    let mut used = Used::default();
    let mut first: BTreeMap<_, Finding> = BTreeMap::new();
    for (rule, found) in found.into_iter().filter(|(_, found)| !config.approves(found, &mut used)) {
        let key = (rule.name, found.place.clone(), found.what.clone());
        let finding = first.entry(key).or_insert_with(|| Finding::new(rule, found));
        finding.shown_by += 1;
    }
    let mut findings: Vec<Finding> =
        first.into_values().filter_map(|finding| config.judge(finding, &mut used)).collect();
    for rule in RULES {
        if let Check::Excepted(check) = rule.check {
            let excepted = check(config, &used).into_iter().map(|found| Finding::new(rule, found));
            // An exception from the check of exceptions would never be unused.
            findings.extend(excepted.filter_map(|finding| config.judge(finding, &mut Used::default())));
        }
    }
    findings.sort_by(|a, b| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
    findings
}

/// What keeps a set from loading is always an error.
fn unloadable(problem: TemplateProblem) -> Finding {
    let (rule, mend) = match &problem {
        TemplateProblem::Parse { .. } => ("parses", "mend the tag at this place"),
        TemplateProblem::Stray(_) => ("stray-file", "rename or remove it"),
        TemplateProblem::Missing(_) => ("complete", "write the file; `shirase init DIR` shows one"),
    };
    let what = problem.what();
    Finding::error(rule, problem.place().clone(), what, mend)
}

#[cfg(test)]
mod tests;

//! Each alert says whom it wakes and what he does then.

use std::collections::BTreeSet;

use super::{ALERTS, CASES, RUNBOOK};

/// An entry of alerts.yml; several may have the same name.
struct Alert {
    name: &'static str,
    text: &'static str,
}

impl Alert {
    /// The first value of a key below it.
    fn value(&self, key: &str) -> &'static str {
        let key = format!("{key}: ");
        self.text.lines().find_map(|line| line.trim().strip_prefix(&key)).unwrap_or_default()
    }
}

fn alerts() -> Vec<Alert> {
    let entries = ALERTS.split("- alert: ").skip(1);
    let alerts: Vec<_> =
        entries.map(|text| Alert { name: text.lines().next().unwrap_or_default(), text }).collect();
    assert!(alerts.len() > 20, "{} alerts", alerts.len());
    alerts
}

/// A heading's text as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn sections() -> Vec<(&'static str, &'static str)> {
    RUNBOOK.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_is_the_matter() {
    for alert in alerts() {
        let severity = alert.value("severity");
        assert!(["page", "ticket", "info"].contains(&severity), "{}: severity {severity:?}", alert.name);
        assert!(alert.name.starts_with("Shirase"), "{}: whose is it?", alert.name);
        for key in ["summary", "description"] {
            assert!(!alert.value(key).is_empty(), "{}: no {key}", alert.name);
        }
    }
}

#[test]
fn every_alert_has_a_section_in_the_runbook_with_something_to_copy_and_no_section_is_left_over() {
    let mut left: BTreeSet<&str> = sections()
        .iter()
        .map(|(heading, _)| *heading)
        .filter(|heading| heading.starts_with("Shirase"))
        .collect();
    for alert in alerts() {
        let link = format!("docs/runbook.md#{}", anchor(alert.name));
        assert_eq!(alert.value("runbook_url"), link, "{}", alert.name);
        let section = sections().into_iter().find(|(heading, _)| *heading == alert.name);
        let (_, text) = section.unwrap_or_else(|| panic!("{}: no section", alert.name));
        assert!(text.contains("Confirm"), "{}: how to confirm it?", alert.name);
        assert!(text.contains('`'), "{}: nothing to copy", alert.name);
        left.remove(alert.name);
    }
    assert!(left.is_empty(), "sections without an alert: {left:?}");
}

#[test]
fn every_link_within_the_runbook_leads_somewhere() {
    let anchors: BTreeSet<String> = sections().iter().map(|(heading, _)| anchor(heading)).collect();
    let links = RUNBOOK.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    let broken: Vec<_> = links.filter(|link| !anchors.contains(*link)).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_stays_silent() {
    let cases = CASES.concat();
    for alert in alerts() {
        let fires = format!(r#"alertname="{}",severity="{}""#, alert.name, alert.value("severity"));
        assert!(cases.contains(&fires), "no case in which {fires} fires");
        for what in ["fires: ", "stays silent: "] {
            let case = format!(r#"- name: "{} {what}"#, alert.name);
            assert!(cases.contains(&case), "{case}");
        }
    }
}

use serde_json::json;

use super::rules::testing::{HTML, House, SMS, TEXT};
use super::*;
use crate::config::Config;

fn now() -> Timestamp {
    "2026-11-22T06:05:00Z".parse().expect("a time")
}

fn built_in() -> (Catalog, Config) {
    (Catalog::load(&Files::embedded("config")).expect("built in"), Config::built_in())
}

fn premises<'a>(catalog: &'a Catalog, config: &'a Config) -> Premises<'a> {
    Premises { catalog, brand: &config.brand, sms: &config.sms, config: &config.templates.check }
}

#[test]
fn the_built_in_set_passes_every_rule() {
    let (catalog, config) = built_in();
    let premises = premises(&catalog, &config);
    let (set, report) = load(&premises, &Files::embedded("templates"), now())
        .unwrap_or_else(|report| panic!("{:#?}", report.findings));
    assert_eq!(report.findings, []);
    let types = catalog.iter().count();
    assert!(report.messages >= types * 4 && set.version().len() == 12, "{} messages", report.messages);
}

#[test]
fn rules_are_known_by_names_of_their_own() {
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn the_documentation_has_every_rule_with_its_severity() {
    let documentation = include_str!("../../docs/templates.md");
    for Rule { name, severity, .. } in RULES {
        let mut rows = documentation.lines().filter(|line| line.starts_with(&format!("| `{name}` |")));
        let row = rows.next().unwrap_or_else(|| panic!("docs/templates.md lacks {name}"));
        assert!(row.contains(&format!("| {severity} |")) && rows.next().is_none(), "{row}");
    }
}

/// What is said of a text without a company's name, and with which severity.
fn brand_with(check: &str) -> Vec<(Severity, &'static str)> {
    let report = House::new(json!({})).with(check).report(&[(SMS, "0120-000-000")]);
    report.findings.iter().map(|finding| (finding.severity, finding.rule)).collect()
}

#[test]
fn a_severity_counts_everywhere_and_an_exception_where_it_fits_and_the_last_one_wins() {
    let exception = |template: &str, severity: &str| {
        format!("[[exceptions]]\nrule = \"brand\"\ntemplate = \"{template}\"\nreason = \"r\"\n{severity}\n")
    };
    let warning = "severity = \"warning\"";
    let (error, warned) = ((Severity::Error, "brand"), (Severity::Warning, "brand"));
    let unused = (Severity::Warning, "unused-exception");
    for (check, found) in [
        (String::new(), vec![error]),
        ("severity = { brand = \"warning\" }".to_owned(), vec![warned]),
        ("severity = { brand = \"off\" }".to_owned(), vec![]),
        (exception("ja/security.login/sms.hbs", ""), vec![]),
        (exception("*/sms.hbs", warning), vec![warned]),
        (exception("en/*", ""), vec![error, unused]),
        (exception("ja/*", "") + &exception("*/sms.hbs", warning), vec![warned]),
        (exception("*/sms.hbs", warning) + &exception("ja/*", ""), vec![]),
        (format!("severity = {{ brand = \"off\" }}\n{}", exception("ja/*", warning)), vec![warned]),
        (format!("severity = {{ unused-exception = \"off\" }}\n{}", exception("en/*", "")), vec![error]),
    ] {
        assert_eq!(brand_with(&check), found, "{check}");
    }
}

#[test]
fn a_set_with_an_error_may_not_be_sent_from_and_one_with_a_warning_may() {
    let house = |check| House::new(json!({})).with(check).report(&[(SMS, "0120-000-000")]).passes();
    assert!(!house("") && house("severity = { brand = \"warning\" }"));
}

#[test]
fn a_mail_without_a_text_part_is_refused_and_one_without_html_is_not() {
    let house = House::new(json!({}));
    let found = |file| house.report(&[(file, "absent")]).findings;
    let refused = found(TEXT);
    assert!(
        refused.len() == 1 && refused[0].rule == "complete" && &*refused[0].place.path == TEXT,
        "{refused:?}"
    );
    assert_eq!(found(HTML), []);
}

#[test]
fn the_same_mistake_in_several_messages_is_one_finding_with_the_first_example() {
    let found = House::new(json!({})).report(&[(SMS, "【見本銀行】0120-000-000 ①と①")]).findings;
    let shown: Vec<_> =
        found.iter().map(|it| (it.place.column, it.example.as_deref(), it.shown_by > 1)).collect();
    assert_eq!(shown, [(20, Some("security.login-1"), true), (22, Some("security.login-1"), true)]);
}

#[test]
fn a_mistake_in_a_shared_partial_is_one_finding_that_names_its_types() {
    let (catalog, config) = built_in();
    let premises = premises(&catalog, &config);
    let broken = |(name, text): (&str, &str)| {
        let text =
            if name.starts_with("ja/") { text.replace("{{location}}", "{{lokation}}") } else { text.into() };
        (name.to_owned(), text)
    };
    let files: Files = Files::embedded("templates").iter().map(broken).collect();
    let report = load(&premises, &files, now()).expect_err("broken");
    let variables: Vec<_> = report.findings.iter().filter(|finding| finding.rule == "variables").collect();
    assert_eq!(variables.len(), 1, "{variables:?}");
    let finding = variables[0].to_string();
    assert!(finding.contains("_partials/login-facts.hbs:17:28: error: there is no `lokation`"), "{finding}");
    assert!(finding.contains("(in security.login, security.login.new_device)"), "{finding}");
    assert!(finding.contains("did you mean `location`?"), "{finding}");
}

#[test]
fn every_character_of_the_built_in_messages_is_found_in_its_file() {
    let (catalog, config) = built_in();
    let premises = premises(&catalog, &config);
    let set = TemplateSet::load(&Files::embedded("templates"), &catalog).expect("built in");
    let traced = TracedSet::new(&set);
    let mut literal = 0;
    for kind in catalog.iter() {
        for specimen in specimens(&premises, &traced, kind, "ja", now()) {
            let texts = specimen.texts.expect("renders");
            for (_, part) in texts.parts() {
                for (at, c) in part.text().char_indices().filter(|(_, c)| !c.is_whitespace()).step_by(23) {
                    let place = part.place(at);
                    let source = set.files().get(&place.path).expect("a file of the set");
                    let line = source.lines().nth(place.line - 1).unwrap_or_default();
                    let there = line.chars().nth(place.column - 1);
                    literal += usize::from(there == Some(c));
                    assert!(there == Some(c) || there == Some('{'), "{c} at {place}: {line}");
                }
            }
        }
    }
    assert!(literal > 1_000, "{literal} characters of the templates' own");
}

#[test]
fn a_name_that_is_not_there_is_said_once_by_the_rule_that_knows_what_was_meant() {
    let text = "{{brand.company}} {{brand.phone}} {{brand.fone}}";
    let of = |check: &str| House::new(json!({})).with(check).report(&[(SMS, text)]).findings;
    let rules = |findings: &[Finding]| findings.iter().map(|it| it.rule).collect::<Vec<_>>();
    let found = of("");
    assert_eq!(rules(&found), ["variables"], "{found:?}");
    assert!(found[0].mend.contains("`brand.phone`"), "{found:?}");
    // Whoever takes that rule back still cannot use what does not render.
    let found = of("severity = { variables = \"off\" }");
    assert_eq!(rules(&found), ["renders"], "{found:?}");
    assert!(found[0].what.contains("`brand.fone`"), "{found:?}");
}

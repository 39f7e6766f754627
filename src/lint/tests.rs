use super::*;
use crate::config::Config;

fn now() -> Timestamp {
    "2026-11-22T06:05:00Z".parse().expect("a time")
}

#[test]
fn the_built_in_set_passes_every_rule() {
    let (catalog, config) =
        (Catalog::load(&Files::embedded("config")).expect("built in"), Config::built_in());
    let premises = Premises {
        catalog: &catalog,
        brand: &config.brand,
        sms: &config.sms,
        config: &config.templates.check,
    };
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
fn a_mistake_in_a_shared_partial_is_one_finding_that_names_its_types() {
    let (catalog, config) =
        (Catalog::load(&Files::embedded("config")).expect("built in"), Config::built_in());
    let premises = Premises {
        catalog: &catalog,
        brand: &config.brand,
        sms: &config.sms,
        config: &config.templates.check,
    };
    let broken = |(name, text): (&str, &str)| (name.to_owned(), text.replace("{{location}}", "{{lokation}}"));
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
    let (catalog, config) =
        (Catalog::load(&Files::embedded("config")).expect("built in"), Config::built_in());
    let premises = Premises {
        catalog: &catalog,
        brand: &config.brand,
        sms: &config.sms,
        config: &config.templates.check,
    };
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

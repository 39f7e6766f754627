//! Exceptions and approved links that nothing needs any more.

use super::super::finding::Found;
use super::super::{Check, CheckConfig, Rule, Severity, Used};
use crate::template::Place;

pub const RULE: Rule = Rule {
    name: "unused-exception",
    severity: Severity::Warning,
    about: "an exception or an approved link that fits nothing is taken out: it would hide the next mistake",
    check: Check::Excepted(check),
};

fn check(config: &CheckConfig, used: &Used) -> Vec<Found> {
    let exceptions = (0..config.exceptions.len()).filter(|number| !used.exceptions.contains(number));
    let exceptions = exceptions.map(|number| (format!("exceptions.{number}"), "fits no finding"));
    let links = (0..config.links.len()).filter(|number| !used.links.contains(number));
    let links = links.map(|number| (format!("links.{number}"), "is in no text"));
    let found = |(key, what)| {
        let key = format!("templates.check.{key}");
        Found::new(Place::file(&key, &key), what, "remove it, or correct it")
    };
    exceptions.chain(links).map(found).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS};
    use super::*;

    #[test]
    fn what_is_needed_passes_and_what_fits_nothing_is_named_by_its_key() {
        let config = "[[links]]\ntext = \"www.example.jp\"\nreason = \"Legal\"\n\
                      [[exceptions]]\nrule = \"html\"\ntemplate = \"ja/*\"\nreason = \"old\"\n\
                      [[exceptions]]\nrule = \"brand\"\ntemplate = \"*/sms.hbs\"\nreason = \"old\"\n";
        let house = House::new(json!({})).with(config);
        assert_eq!(house.findings(&RULE, &[(SMS, "0120-000-000 <b>www.example.jp")]), [""; 0]);
        let found = house.findings(&RULE, &[(SMS, "【見本銀行】短文")]);
        assert_eq!(
            found,
            [
                "templates.check.exceptions.0: warning: fits no finding; remove it, or correct it [unused-exception]",
                "templates.check.exceptions.1: warning: fits no finding; remove it, or correct it [unused-exception]",
                "templates.check.links.0: warning: is in no text; remove it, or correct it [unused-exception]",
            ]
        );
    }
}

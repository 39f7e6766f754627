//! Every message says who sends it.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{Texts, narrow};

pub const RULE: Rule = Rule {
    name: "brand",
    severity: Severity::Error,
    about: "the company's name is in every SMS, and in the subject or the text of every mail: carriers want it, and customers look for it",
    check: Check::Message(check),
};

fn check(premises: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let company = plain(premises.brand.voice(&specimen.locale).company);
    let (places, file) = match texts {
        Texts::Sms(text) => (vec![text], text.file()),
        Texts::Email { subject, text, .. } => (vec![subject, text], text.file()),
    };
    if places.iter().any(|text| plain(text.text()).contains(&company)) {
        return Vec::new();
    }
    let found = Found::new(file.clone(), "does not say who sends it", "name {{brand.company}}");
    vec![found.shown_by(specimen)]
}

/// A name is the same in any width, and however its line is broken.
pub(super) fn plain(text: &str) -> String {
    narrow(text).map(|(_, c)| c).filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS, SUBJECT, TEXT};
    use super::*;

    #[test]
    fn a_message_that_names_the_company_passes_and_one_that_does_not_fails() {
        let house = House::new(json!({}));
        let named = "{{brand.company}}から";
        for files in
            [&[(SMS, named)][..], &[(SUBJECT, "件名"), (TEXT, named)], &[(SUBJECT, named), (TEXT, "本文")]]
        {
            assert_eq!(house.findings(&RULE, files), [""; 0]);
        }
        for (files, file) in [(&[(SMS, "短文")][..], SMS), (&[(SUBJECT, "件名"), (TEXT, "本文")], TEXT)]
        {
            let found = house.findings(&RULE, files);
            assert!(found.len() == 1 && found[0].starts_with(file), "{found:?}");
        }
    }

    #[test]
    fn a_message_that_names_it_in_some_cases_only_fails_with_an_example_that_shows_it() {
        let house = House::with_schema(json!({"type": "object", "examples": [{"x": "a"}, {}]}));
        let found = house.findings(&RULE, &[(SMS, "短文{{#if x}}見本銀行{{/if}}")]);
        assert!(found.len() == 1 && found[0].contains("(example security.login-2)"), "{found:?}");
    }
}

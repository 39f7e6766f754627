//! A mail's subject is short enough to be read.

use unicode_segmentation::UnicodeSegmentation;

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::event::EventType;
use crate::template::{Texts, Traced};

pub const RULE: Rule = Rule {
    name: "subject",
    severity: Severity::Error,
    about: "a mail's subject has at most templates.check.max_subject characters in the worst case: mail programs cut what is longer",
    check: Check::Type(check),
};

fn check(premises: &Premises<'_>, _: &EventType, specimens: &[Specimen]) -> Vec<Found> {
    // The last of the longest counts: an example rather than an extreme.
    let sized = specimens.iter().rev().filter_map(|specimen| {
        let subject = subject(specimen)?;
        Some((specimen, subject, subject.text().graphemes(true).count()))
    });
    let most = premises.config.max_subject.get();
    let Some((specimen, subject, count)) = sized.max_by_key(|(_, _, count)| *count).filter(|it| it.2 > most)
    else {
        return Vec::new();
    };
    let what = format!("has {count} characters in the worst case; {most} are allowed");
    let mend = "shorten it: what happened comes first, details are for the text";
    vec![Found::new(subject.file().clone(), what, mend).shown_by(specimen)]
}

fn subject(specimen: &Specimen) -> Option<&Traced> {
    match &specimen.texts {
        Ok(Texts::Email { subject, .. }) => Some(subject),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SUBJECT};
    use super::*;

    #[test]
    fn a_subject_of_sixty_characters_passes_and_one_more_fails_in_the_example_that_shows_it() {
        let long = "あ".repeat(56);
        let house = House::with_schema(json!({
            "type": "object", "required": ["x"], "properties": {"x": {"enum": ["", "か"]}},
            "examples": [{"x": ""}, {"x": "か"}]
        }));
        assert_eq!(house.findings(&RULE, &[(SUBJECT, &format!("見本銀{long}が"))]), [""; 0]);
        let found = house.findings(&RULE, &[(SUBJECT, &format!("見本銀行{long}{{{{x}}}}"))]);
        assert!(found.len() == 1 && found[0].contains("61 characters"), "{found:?}");
        assert!(found[0].contains("(example security.login-2)"), "{found:?}");
        assert_eq!(
            house.with("max_subject = 61").findings(&RULE, &[(SUBJECT, &format!("見本銀行{long}か"))]),
            [""; 0]
        );
    }

    #[test]
    fn a_subject_of_two_lines_or_of_nothing_fails_and_blanks_at_its_ends_are_cut() {
        let house = House::new(json!({}));
        assert_eq!(house.findings(&RULE, &[(SUBJECT, " 見本銀行 \u{3000}\n")]), [""; 0]);
        for (text, word) in [("見本\n銀行", "more than one line"), (" \n", "renders to nothing")] {
            let found = house.findings(&RULE, &[(SUBJECT, text)]);
            assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
        }
    }
}

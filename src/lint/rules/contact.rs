//! Every message says whom to call.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use super::brand::plain;
use crate::template::Texts;

pub const RULE: Rule = Rule {
    name: "contact",
    severity: Severity::Error,
    about: "the phone number to call is in every SMS and in the text of every mail, there with its hours: who did not do it has to act at once",
    check: Check::Message(check),
};

fn check(premises: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let (text, is_mail) = match texts {
        Texts::Sms(text) => (text, false),
        Texts::Email { text, .. } => (text, true),
    };
    let brand = premises.brand.voice(&specimen.locale);
    let plain_text = plain(text.text());
    let lacks = |wanted: &str| !plain_text.contains(&plain(wanted));
    let found = |what, mend| Found::new(text.file().clone(), what, mend).shown_by(specimen);
    let mut all = Vec::new();
    if lacks(brand.phone) {
        all.push(found("has no phone number to call", "name {{brand.phone}}"));
    }
    if is_mail && lacks(brand.hours) {
        all.push(found("does not say when the phone is answered", "name {{brand.hours}}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS, TEXT};
    use super::*;

    #[test]
    fn a_message_with_phone_and_hours_passes_and_one_without_fails() {
        let house = House::new(json!({}));
        let good = [(SMS, "見本銀行 ０１２０-000-000"), (TEXT, "{{brand.phone}}\n（{{brand.hours}}）")];
        assert_eq!(house.findings(&RULE, &good), [""; 0]);
        for (file, text, lacks) in [
            (SMS, "見本銀行 0120-000-001", "no phone number"),
            (TEXT, "{{brand.hours}}", "no phone number"),
            (TEXT, "{{brand.phone}}", "when the phone is answered"),
        ] {
            let found = house.findings(&RULE, &[(file, text)]);
            assert!(found.len() == 1 && found[0].starts_with(file) && found[0].contains(lacks), "{found:?}");
        }
    }
}

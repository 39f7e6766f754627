//! A summary says for how many events it stands.

use super::super::finding::Found;
use super::super::walk::shows;
use super::super::{Check, Premises, Rule, Severity};
use crate::event::EventType;
use crate::template::{Part, TemplateSet};

pub const RULE: Rule = Rule {
    name: "others",
    severity: Severity::Error,
    about: "a type with `collapse` says {{event.others}} in its SMS and in every text of its mail: a summary that reads like one event hides the others",
    check: Check::Set(check),
};

/// Where the number stands.
const PATH: &str = "/event/others";

/// A subject may be too short for it.
const PARTS: [Part; 3] = [Part::Sms, Part::Text, Part::Html];

fn check(premises: &Premises<'_>, set: &TemplateSet) -> Vec<Found> {
    let collapsing = premises.catalog.iter().filter(|kind| kind.policy.collapse.is_some());
    let of_type = |kind: &EventType| {
        let locales = set.locales_of(&kind.name);
        locales.flat_map(|locale| in_locale(set, kind, locale)).collect::<Vec<_>>()
    };
    collapsing.flat_map(|kind| of_type(kind)).collect()
}

fn in_locale(set: &TemplateSet, kind: &EventType, locale: &str) -> Vec<Found> {
    let silent = |part: &Part| {
        let name = format!("{}/{}", kind.name, part.file_name());
        let (_, file) = set.template(locale, &name, *part == Part::Html)?;
        (!shows(set, kind, locale, *part, PATH)).then(|| file.clone())
    };
    let mend =
        "write {{#if event.others}}（ほか{{event.others}}件）{{/if}}, or remove `collapse` from events.toml";
    let found = |file| Found::new(file, "does not say how many others a summary stands for", mend);
    PARTS.iter().filter_map(silent).map(found).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, SMS, TEXT};
    use super::*;

    #[test]
    fn a_type_that_collapses_says_how_many_others_and_another_need_not() {
        let house = House::new(json!({})).with_policy("collapse = { max = 3, window = \"10m\" }");
        let others = "{{#if event.others}}ほか{{event.others}}件{{/if}}";
        let sms = format!("【見本銀行】短文{others} 0120-000-000");
        let text = format!("本文{others} 0120-000-000 24時間365日");
        let html = format!("<p>{text}</p>");
        let good = [(SMS, sms.as_str()), (TEXT, text.as_str()), (HTML, html.as_str())];
        assert_eq!(house.findings(&RULE, &good), [""; 0]);
        for left_out in 0..3 {
            let mut files = good.to_vec();
            let (file, _) = files.remove(left_out);
            let found = house.findings(&RULE, &files);
            assert!(found.len() == 1 && found[0].starts_with(file), "{found:?}");
        }
        assert_eq!(House::new(json!({})).findings(&RULE, &[]), [""; 0]);
    }
}

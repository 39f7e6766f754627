//! What the schema calls optional stands inside a condition that says that it is there.

use super::super::finding::Found;
use super::super::walk::{Seen, Sighting, gathered};
use super::super::{Check, Rule, Severity};
use crate::event::EventType;

pub const RULE: Rule = Rule {
    name: "guards",
    severity: Severity::Error,
    about: "what the schema calls optional stands inside {{#if}}: without it, such an event would be a dead letter",
    check: Check::Names(check),
};

fn check(seen: &[(&EventType, Sighting)]) -> Vec<Found> {
    gathered(seen, |sighting| {
        let name = &sighting.name;
        let mend = || format!("put it inside {{{{#if {name}}}}} … {{{{/if}}}}");
        matches!(sighting.seen, Seen::Unguarded).then(|| (format!("`{name}` may be missing"), mend()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{SMS, renders, trial};
    use super::*;

    const PARTIALS: [(&str, &str); 2] = [
        ("ja/_partials/account.hbs", "{{bank}}"),
        ("ja/_partials/value.hbs", "{{#if value}}{{value}}{{/if}}"),
    ];

    /// The rule and handlebars itself are of one mind about each.
    #[test]
    fn what_is_guarded_passes_and_renders() {
        for text in [
            "{{#if note}}{{note}}{{/if}}",
            "{{#unless note}}x{{else}}{{note}}{{/unless}}",
            "{{#if previous}}{{previous.bank}}{{/if}}",
            "{{#if previous.old}}{{previous.bank}}{{previous.old}}{{/if}}",
            "{{#if (and note how)}}{{note}}{{#if (eq how \"x\")}}y{{/if}}{{/if}}",
            "{{#if how}}{{#if (eq how \"x\")}}y{{else if (eq how \"y\")}}z{{/if}}{{/if}}",
            "{{#if (or note how)}}x{{else}}y{{/if}}",
            "{{#with previous}}{{bank}}{{else}}x{{/with}}",
            "{{#if previous}}{{#with previous}}{{bank}}{{/with}}{{> account previous}}{{/if}}",
            "{{> value value=note}}",
            "{{#each list}}{{this}}{{/each}}",
        ] {
            let files = [(SMS, text), PARTIALS[0], PARTIALS[1]];
            assert_eq!(trial(&RULE, &files), [""; 0], "{text}");
            assert_eq!(renders(&files), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_may_be_missing_is_found_and_would_not_render() {
        for (text, place) in [
            ("{{note}}", "1:3"),
            ("{{#if how}}{{note}}{{/if}}", "1:14"),
            ("{{#unless note}}{{note}}{{/unless}}", "1:11"),
            ("{{#if note}}x{{else}}{{note}}{{/if}}", "1:24"),
            ("{{#if (eq how \"x\")}}y{{/if}}", "1:11"),
            ("{{#if (and how (eq how \"x\"))}}y{{/if}}", "1:12"),
            ("{{#if (not how)}}y{{/if}}", "1:12"),
            ("{{#with previous}}{{bank}}{{/with}}", "1:9"),
            ("{{previous.bank}}", "1:3"),
            ("{{#if previous}}{{previous.old}}{{/if}}", "1:19"),
            ("{{> account previous}}", "1:13"),
        ] {
            let files = [(SMS, text), PARTIALS[0], PARTIALS[1]];
            let found = trial(&RULE, &files);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("may be missing; put it inside {{#if "), "{found:?}");
            if !text.contains("unless") && !text.contains("(and") {
                assert!(found[0].starts_with(&format!("{SMS}:{place}: ")), "{text}: {found:?}");
            }
            assert!(renders(&files).is_err(), "{text}");
        }
    }
}

//! What the schemas leave open, and so the checks too.

use std::collections::{BTreeMap, BTreeSet};

use super::super::finding::Found;
use super::super::walk::{Seen, Sighting};
use super::super::{Check, Premises, Rule, Severity};
use crate::event::EventType;
use crate::example::extremes::{UNLIMITED_LENGTH, of};
use crate::template::{Place, TemplateSet};

pub const BOUNDS: Rule = Rule {
    name: "schema-bounds",
    severity: Severity::Warning,
    about: "what a text shows has a limit in its schema: without one, nobody can say how long the text gets",
    check: Check::Names(bounds),
};

pub const EXTREMES: Rule = Rule {
    name: "extremes",
    severity: Severity::Warning,
    about: "the shortest and the longest data of a schema can be made: else examples alone show what a text becomes",
    check: Check::Set(extremes),
};

fn bounds(seen: &[(&EventType, Sighting)]) -> Vec<Found> {
    let mut types: BTreeMap<&str, &EventType> = BTreeMap::new();
    let mut shown: BTreeSet<(&str, String)> = BTreeSet::new();
    for (kind, sighting) in seen {
        types.insert(&kind.name, kind);
        if let Seen::Shown(path) = &sighting.seen {
            shown.insert((&kind.name, path.clone()));
        }
    }
    let mut found = Vec::new();
    for kind in types.into_values() {
        let is_shown = |path: &&String| {
            let items = format!("{path}/*");
            [path.as_str(), &items].into_iter().any(|path| shown.contains(&(&kind.name, path.to_owned())))
        };
        for path in of(&kind.schema).unlimited.iter().filter(is_shown) {
            let what = format!(
                "{path} is shown, and the schema does not limit it; {UNLIMITED_LENGTH} characters are assumed"
            );
            found.push(of_schema(kind, what, "give it a maxLength, a maximum or maxItems"));
        }
    }
    found
}

fn extremes(premises: &Premises<'_>, _: &TemplateSet) -> Vec<Found> {
    let of_kind = |kind: &EventType| -> Vec<Found> {
        let found = |problem: &String| {
            let what = format!(
                "the extremes of this schema cannot be made: {problem}; only examples are checked there"
            );
            of_schema(kind, what, "say it with type, enum, maxLength, minimum, maximum, items or properties")
        };
        of(&kind.schema).problems.iter().map(found).collect()
    };
    premises.catalog.iter().flat_map(|kind| of_kind(kind)).collect()
}

fn of_schema(kind: &EventType, what: String, mend: &str) -> Found {
    let place = Place::file(&format!("schemas/{}.json", kind.name), &kind.file);
    Found::new(place, what, mend).of_type(&kind.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::trial::{SMS, trial, trial_with};
    use super::*;

    #[test]
    fn a_schema_that_says_it_all_passes() {
        let files = [(SMS, "{{amount}}{{#each list}}{{this}}{{/each}}")];
        assert_eq!(trial(&BOUNDS, &files), [""; 0]);
        assert_eq!(trial(&EXTREMES, &files), [""; 0]);
    }

    #[test]
    fn what_is_shown_without_a_limit_is_found_and_what_is_not_shown_is_not() {
        let schema = json!({"type": "object", "properties": {
            "free": {"type": "string"}, "hidden": {"type": "string"}, "list": {"type": "array", "items": {"type": "string", "maxLength": 2}}
        }, "examples": [{}, {}]});
        let text = "x{{#if free}}{{free}}{{/if}}{{#if list}}{{#each list}}{{this}}{{/each}}{{/if}}{{#if hidden}}y{{/if}}";
        let found = trial_with(&BOUNDS, &schema, &[(SMS, text)]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("schemas/t.x.json: /free is shown") && found[1].contains("/list is shown")
        );
    }

    #[test]
    fn a_schema_that_goes_beyond_is_found() {
        let schema = json!({"type": "object", "properties": {"x": {"oneOf": [{"type": "string"}, {"type": "null"}]}},
            "examples": [{}, {}]});
        let found = trial_with(&EXTREMES, &schema, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("cannot be made: /x: nobody knows what `oneOf` allows there"), "{found:?}");
    }
}

//! What the schemas leave open, and so the checks too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::finding::Found;
use super::super::walk::{Seen, Sighting};
use super::super::{Check, Premises, Rule, Severity};
use crate::event::EventType;
use crate::example::extremes::{UNLIMITED_LENGTH, of};
use crate::example::{extremes_of_type, of_type};
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
    premises.catalog.iter().flat_map(|kind| of_kind(premises, kind)).collect()
}

fn of_kind(premises: &Premises<'_>, kind: &EventType) -> Vec<Found> {
    let extremes = of(&kind.schema);
    // Only whether they are events: when they happened says nothing.
    let some_time = Timestamp::UNIX_EPOCH;
    let too_large = extremes.data.len() - extremes_of_type(kind, premises.catalog, some_time).len();
    let mut all = Vec::new();
    if let Err(error) = of_type(kind, premises.catalog, some_time) {
        let what = format!("an example is no event: {error}; no example is checked");
        all.push(of_schema(kind, what, "mend the example"));
    }
    if too_large > 0 {
        let what = format!("{too_large} of its extremes are too large for an event; they are not checked");
        all.push(of_schema(kind, what, "give its fields smaller limits"));
    }
    let found = |problem: &String| {
        let what =
            format!("the extremes of this schema cannot be made: {problem}; only examples are checked there");
        of_schema(kind, what, "say it with type, enum, maxLength, minimum, maximum, items or properties")
    };
    all.extend(extremes.problems.iter().map(found));
    all
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

    #[test]
    fn what_no_event_could_hold_is_said_and_not_passed_over() {
        let field = |index: usize| (format!("f{index}"), json!({"type": "string", "maxLength": 100_000}));
        let properties: serde_json::Map<_, _> = (0..60).map(field).collect();
        let schema = json!({"type": "object", "properties": properties, "examples": [{}, {}]});
        let found = trial_with(&EXTREMES, &schema, &[]);
        assert!(found.len() == 1 && found[0].contains("1 of its extremes are too large"), "{found:?}");
        let schema = json!({"type": "object", "examples": [{}, {"x": "国".repeat(90_000)}]});
        let found = trial_with(&EXTREMES, &schema, &[]);
        assert!(found.len() == 1 && found[0].contains("an example is no event"), "{found:?}");
    }
}

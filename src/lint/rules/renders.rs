//! Every message of every example and every extreme renders.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::RenderError;

/// Its name. Nobody can set it off: what does not render is never sent, so that would only hide it.
pub const NAME: &str = "renders";

pub const RULE: Rule = Rule {
    name: NAME,
    severity: Severity::Error,
    about: "every message of every example and extreme renders: one that does not would be a dead letter",
    check: Check::Message(check),
};

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Err(error) = &specimen.texts else { return Vec::new() };
    let (place, what, mend) = match error {
        RenderError::Failed { place, detail } => {
            (place, detail.clone(), "correct the name, or put what is optional inside {{#if …}}")
        }
        RenderError::Empty { place } => {
            (place, "renders to nothing".to_owned(), "nothing empty is sent: write a text")
        }
        RenderError::Lines { place } => {
            (place, "renders to more than one line".to_owned(), "a subject is one line: join them")
        }
    };
    vec![Found::new(place.clone(), what, mend).shown_by(specimen)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS, TEXT};
    use super::*;

    #[test]
    fn what_is_optional_passes_inside_a_guard_and_fails_without_one_in_the_example_that_lacks_it() {
        // The rule that knows why would say it in the place of this one.
        let schema = json!({"type": "object", "examples": [{"x": "a"}, {}]});
        let house = House::with_schema(schema).with("severity = { guards = \"off\", variables = \"off\" }");
        assert_eq!(house.findings(&RULE, &[(SMS, "{{#if x}}{{x}}{{/if}}可")]), [""; 0]);
        let found = house.findings(&RULE, &[(TEXT, "本文\n{{x}}")]);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{TEXT}:2:")), "{found:?}");
        assert!(found[0].contains("(example security.login-2)"), "{found:?}");
        assert!(house.findings(&RULE, &[(SMS, " \n")])[0].contains("renders to nothing"));
    }
}

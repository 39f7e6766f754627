//! Every message of every example and every extreme renders.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::RenderError;

pub const RULE: Rule = Rule {
    name: "renders",
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

//! An SMS takes no more segments than configured, in the worst case that its schema allows.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::event::EventType;
use crate::template::segments;

pub const RULE: Rule = Rule {
    name: "segments",
    severity: Severity::Error,
    about: "an SMS stays within templates.check.max_segments in the worst case: each segment is billed",
    check: Check::Type(check),
};

/// Longer texts are cut or refused on the way, whatever the configuration allows.
const CARRIERS_STOP_AT: usize = 660;

fn check(premises: &Premises<'_>, _: &EventType, specimens: &[Specimen]) -> Vec<Found> {
    let sized = specimens.iter().filter_map(|specimen| {
        let sms = specimen.sms()?;
        Some((specimen, sms, segments(sms.text())))
    });
    let Some((specimen, sms, size)) = sized.max_by_key(|(_, _, size)| size.units) else { return Vec::new() };
    let most = premises.config.max_segments.get();
    let allowed = match size {
        size if size.units > CARRIERS_STOP_AT => format!("carriers stop at {CARRIERS_STOP_AT} units"),
        size if size.segments > most => format!("{most} are allowed"),
        _ => return Vec::new(),
    };
    let what =
        format!("takes {} segments ({} units) in the worst case; {allowed}", size.segments, size.units);
    let mend = "shorten it, give the schema a smaller maxLength, or raise templates.check.max_segments";
    vec![Found::new(sms.file().clone(), what, mend).shown_by(specimen)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS};
    use super::*;

    #[test]
    fn a_text_of_as_many_segments_as_are_allowed_passes_and_one_more_character_fails() {
        let house = |check| House::new(json!({})).with(check);
        let text = |length| "あ".repeat(length);
        assert_eq!(house("").findings(&RULE, &[(SMS, &text(3 * 67))]), [""; 0]);
        let found = house("").findings(&RULE, &[(SMS, &text(3 * 67 + 1))]);
        assert!(found.len() == 1 && found[0].contains("takes 4 segments (202 units)"), "{found:?}");
        assert_eq!(house("max_segments = 1").findings(&RULE, &[(SMS, &text(71))]).len(), 1);
        assert!(
            house("max_segments = 99").findings(&RULE, &[(SMS, &text(661))])[0]
                .contains("carriers stop at 660")
        );
    }
}

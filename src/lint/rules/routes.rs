//! At least one configured SMS gateway can carry the text as it is.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::event::EventType;

pub const RULE: Rule = Rule {
    name: "routes",
    severity: Severity::Error,
    about: "at least one SMS gateway can carry the text: else it would be told over the other channel, or not at all",
    check: Check::Type(check),
};

fn check(premises: &Premises<'_>, _: &EventType, specimens: &[Specimen]) -> Vec<Found> {
    let refused = |specimen| refused(premises, specimen);
    specimens.iter().find_map(refused).into_iter().collect()
}

fn refused(premises: &Premises<'_>, specimen: &Specimen) -> Option<Found> {
    let sms = specimen.sms()?;
    let gateways = &premises.sms.gateways;
    let refusals: Vec<_> =
        gateways.iter().map_while(|gateway| gateway.size(sms.text()).err().zip(Some(gateway))).collect();
    let (failure, gateway) = refusals.first().filter(|_| refusals.len() == gateways.len())?;
    let what = format!("no SMS gateway can carry it ({}: {failure})", gateway.common.name);
    let mend = "change the text, or a gateway's limits";
    Some(Found::new(sms.file().clone(), what, mend).shown_by(specimen))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS};
    use super::*;

    #[test]
    fn a_text_that_a_gateway_carries_passes_and_one_that_none_carries_fails() {
        let house = House::new(json!({})).with_gateways(|gateway| gateway.common.shift_jis = true);
        assert_eq!(house.findings(&RULE, &[(SMS, "見本銀行〜")]), [""; 0]);
        let found = house.findings(&RULE, &[(SMS, "見本銀行🔒")]);
        assert!(found.len() == 1 && found[0].contains("outside Shift_JIS"), "{found:?}");
    }
}

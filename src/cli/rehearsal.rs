//! Every template with every example, before anything is sent: what `check` reports, and what keeps `run` from starting.

use super::examples;
use super::house::House;
use crate::clock::Clock;
use crate::gateway::SmsGatewayConfig;
use crate::template::{Message, segments};

/// What came of rendering every template with every example.
#[derive(Default)]
pub(super) struct Rehearsal {
    pub findings: Vec<String>,
    pub messages: usize,
    pub sms: usize,
    /// Examples whose SMS takes several segments.
    pub long_sms: Vec<String>,
}

/// Renders every template with every example.
///
/// # Errors
/// When an example is no event of its type.
pub(super) fn rehearse(house: &House) -> anyhow::Result<Rehearsal> {
    let now = Clock::system().now();
    let mut checked = Rehearsal::default();
    for kind in house.catalog.iter() {
        for event in examples::of_type(house, kind, now)? {
            let shown = examples::on_every_channel(house, &event, now).into_iter();
            let notifications: Vec<_> = shown.map(|one| one.notification).collect();
            match examples::render(house, &event, &notifications) {
                Err(error) => checked.findings.push(format!("{error} (example {})", event.id)),
                Ok(rendered) => rendered.iter().for_each(|one| checked.add(house, &event.id, &one.message)),
            }
        }
    }
    Ok(checked)
}

impl Rehearsal {
    fn add(&mut self, house: &House, id: &str, message: &Message) {
        self.messages += 1;
        let Message::Sms { text } = message else { return };
        self.sms += 1;
        if segments(text).segments > 1 {
            self.long_sms.push(id.to_owned());
        }
        self.findings.extend(too_long(id, text));
        self.findings.extend(carried_by_none(&house.config.sms.gateways, id, text));
    }
}

/// Carriers stop at 660 characters, and gateways cut what is longer without a word.
fn too_long(id: &str, text: &str) -> Option<String> {
    const CARRIERS_STOP_AT: usize = 660;
    let units = segments(text).units;
    (units > CARRIERS_STOP_AT).then(|| {
        format!("sms.hbs: {units} units with example {id}; carriers stop at {CARRIERS_STOP_AT}, shorten it")
    })
}

/// A text that no gateway can carry would be told over the other channel, or not at all.
fn carried_by_none(gateways: &[SmsGatewayConfig], id: &str, text: &str) -> Option<String> {
    let refusals: Vec<_> =
        gateways.iter().map_while(|gateway| gateway.size(text).err().zip(Some(gateway))).collect();
    let (failure, gateway) = refusals.first().filter(|_| refusals.len() == gateways.len())?;
    let name = &gateway.common.name;
    Some(format!(
        "sms.hbs: no SMS gateway can carry example {id} ({name}: {failure}); change the text, or a gateway's limits"
    ))
}

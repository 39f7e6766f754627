//! Whether a gateway works.

use metrics::{counter, gauge, histogram};
use tracing::{info, warn};

use super::receipts;
use super::trouble::over;
use crate::drain::Drain;
use crate::gateway::{Circuit, Gateway, Reason};
use crate::plan::Channel;

/// A gateway was configured: it counts as up until an attempt shows otherwise, so that its series are there.
pub fn gateway_configured(gateway: &Gateway) {
    let name = gateway.name().to_owned();
    gauge!("shirase_gateway_up", "gateway" => name.clone()).set(1.0);
    gauge!("shirase_gateway_circuit", "gateway" => name.clone()).set(circuit_value(Circuit::Closed));
    counter!("shirase_gateway_circuit_openings_total", "gateway" => name.clone()).absolute(0);
    drained_series(&name, gateway.drained().is_some());
    let channel = gateway.channel();
    let accepted = [
        ("channel", channel.as_str().to_owned()),
        ("gateway", name.clone()),
        ("outcome", "accepted".to_owned()),
        ("reason", String::new()),
    ];
    counter!("shirase_attempts_total", &accepted).absolute(0);
    let _ = histogram!("shirase_attempt_seconds", "channel" => channel.as_str(), "gateway" => name.clone());
    if channel == Channel::Sms {
        counter!("shirase_sms_segments_total", "gateway" => name.clone()).absolute(0);
    }
    if gateway.takes_receipts() {
        receipts::series(&name);
    }
    let rate = gateway.rate().map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    let (channel, at_once) = (channel.as_str(), gateway.at_once());
    info!(gateway = name, channel, rate, at_once, "gateway");
}

fn circuit_value(circuit: Circuit) -> f64 {
    match circuit {
        Circuit::Closed => 0.0,
        Circuit::HalfOpen => 1.0,
        Circuit::Open => 2.0,
    }
}

/// A gateway's circuit went from one state to the other; `reason` is of the last failure. One line when the trouble begins
/// and one when it is over: probes between them have their own.
pub fn circuit_changed(gateway: &str, channel: Channel, change: (Circuit, Circuit), reason: Option<Reason>) {
    let channel = channel.as_str();
    gauge!("shirase_gateway_circuit", "gateway" => gateway.to_owned()).set(circuit_value(change.1));
    if change.1 == Circuit::Open {
        gauge!("shirase_gateway_up", "gateway" => gateway.to_owned()).set(0.0);
        counter!("shirase_gateway_circuit_openings_total", "gateway" => gateway.to_owned()).increment(1);
    }
    match change {
        (Circuit::Closed, _) => {
            let reason = reason.map(Reason::as_str);
            warn!(
                gateway,
                channel, reason, "circuit opened: the gateway is left alone but for a probe now and then"
            );
        }
        (_, Circuit::Closed) => {
            over(|trouble| trouble.gateway.as_deref() == Some(gateway));
            info!(gateway, channel, "circuit closed: the gateway works again");
        }
        (Circuit::HalfOpen | Circuit::Open, Circuit::HalfOpen | Circuit::Open) => {}
    }
}

fn drained_series(gateway: &str, drained: bool) {
    gauge!("shirase_gateway_drained", "gateway" => gateway.to_owned()).set(f64::from(u8::from(drained)));
}

/// Somebody drained a gateway, or changed its drain.
pub fn gateway_drained(gateway: &str, channel: Channel, drain: &Drain) {
    drained_series(gateway, true);
    let Drain { until, reason, by, .. } = drain;
    warn!(gateway, channel = channel.as_str(), %until, by, reason, "drained: the gateway is not asked");
}

/// A gateway is asked again: somebody resumed it, or the drain's time is over.
pub fn gateway_resumed(gateway: &str, channel: Channel) {
    drained_series(gateway, false);
    info!(gateway, channel = channel.as_str(), "no longer drained: the gateway is asked again");
}

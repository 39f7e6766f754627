//! Whether a gateway works.

use metrics::{counter, gauge};
use tracing::{info, warn};

use crate::gateway::{Circuit, Gateway, Reason};
use crate::plan::Channel;

/// A gateway was configured: it counts as up until an attempt shows otherwise, so that its series are there.
pub fn gateway_configured(gateway: &Gateway) {
    let name = gateway.name().to_owned();
    gauge!("shirase_gateway_up", "gateway" => name.clone()).set(1.0);
    gauge!("shirase_gateway_circuit", "gateway" => name.clone()).set(circuit_value(Circuit::Closed));
    counter!("shirase_gateway_circuit_openings_total", "gateway" => name.clone()).absolute(0);
    let rate = gateway.rate().map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    let (channel, at_once) = (gateway.channel().as_str(), gateway.at_once());
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
        (_, Circuit::Closed) => info!(gateway, channel, "circuit closed: the gateway works again"),
        (Circuit::HalfOpen | Circuit::Open, Circuit::HalfOpen | Circuit::Open) => {}
    }
}

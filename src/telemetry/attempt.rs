//! What a gateway made of a message.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::warn;

use crate::event::Event;
use crate::gateway::{Accepted, Circuit, Class, Failure, Gateway, Reason};

/// An attempt ended.
pub fn attempted(event: &Event, gateway: &Gateway, result: Result<&Accepted, &Failure>, took: Duration) {
    let (outcome, reason) = match result {
        Ok(_) => ("accepted", ""),
        Err(failure) => (failure.class.as_str(), failure.reason.as_str()),
    };
    let channel = gateway.channel().as_str();
    let name = gateway.name().to_owned();
    let labels = [
        ("channel", channel.to_owned()),
        ("gateway", name.clone()),
        ("outcome", outcome.into()),
        ("reason", reason.into()),
    ];
    counter!("shirase_attempts_total", &labels).increment(1);
    if result.as_ref().is_err_and(|failure| failure.reason == Reason::OwnLimit) {
        return; // The gateway was not asked: it says nothing about it.
    }
    histogram!("shirase_attempt_seconds", "channel" => channel, "gateway" => name.clone())
        .record(took.as_secs_f64());
    let reached = match result {
        Ok(_) => true,
        Err(failure) => !matches!(failure.class, Class::Retryable | Class::Credentials | Class::Unknown),
    };
    let up = reached && gateway.circuit() != Circuit::Open;
    gauge!("shirase_gateway_up", "gateway" => name.clone()).set(f64::from(u8::from(up)));
    if let Err(failure) = result {
        let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        warn!(
            event_id,
            event_type,
            channel,
            gateway = name,
            outcome,
            reason,
            detail = failure.detail,
            ms,
            "attempt failed"
        );
    }
}

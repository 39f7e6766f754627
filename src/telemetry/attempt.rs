//! What a gateway made of a message.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{Level, debug};

use super::trouble::{Trouble, say};
use super::{ms, shown};
use crate::event::Event;
use crate::gateway::{Accepted, Circuit, Class, Failure, Gateway, Reason};

/// An attempt as it ended.
pub struct Attempted<'a> {
    /// Whose notification.
    pub event: &'a Event,
    /// Its lane.
    pub lane: &'static str,
    /// With which gateway.
    pub gateway: &'a Gateway,
    /// Which claim of the notification it was under, from 1.
    pub attempt: u32,
    /// The templates that its message is of.
    pub template_version: &'a str,
    /// How it ended.
    pub result: Result<&'a Accepted, &'a Failure>,
    /// How long it took.
    pub took: Duration,
}

/// An attempt ended. An accepted one is told by its notification's line.
pub fn attempted(attempted: &Attempted<'_>) {
    let Attempted { event, lane, gateway, attempt, template_version, result, took } = attempted;
    let outcome = result.err().map_or("accepted", |failure| failure.class.as_str());
    counted(attempted, outcome);
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let trace_id = shown(&trace_id);
    let (channel, name, ms) = (gateway.channel().as_str(), gateway.name(), ms(*took));
    let Err(failure) = result else {
        debug!(
            event_id,
            event_type,
            trace_id,
            lane,
            channel,
            gateway = name,
            outcome,
            attempt,
            template_version,
            ms,
            "attempt"
        );
        return;
    };
    let trouble = Trouble {
        lane: Some(*lane),
        channel: Some(channel),
        gateway: Some(name.to_owned()),
        outcome: Some(outcome),
        reason: Some(failure.reason.as_str().into()),
        ..Trouble::new(Level::WARN, "attempt failed")
    };
    let detail = failure.detail.as_str();
    say!(trouble, event_id, event_type, trace_id, detail, attempt, template_version, ms);
}

fn counted(attempted: &Attempted<'_>, outcome: &'static str) {
    let Attempted { gateway, result, took, .. } = attempted;
    let (channel, name) = (gateway.channel().as_str(), gateway.name().to_owned());
    let labels = [
        ("channel", channel.to_owned()),
        ("gateway", name.clone()),
        ("outcome", outcome.to_owned()),
        ("reason", result.err().map_or("", |failure| failure.reason.as_str()).to_owned()),
    ];
    counter!("shirase_attempts_total", &labels).increment(1);
    if result.is_err_and(|failure| failure.reason == Reason::OwnLimit) {
        return; // The gateway was not asked: it says nothing about it.
    }
    histogram!("shirase_attempt_seconds", "channel" => channel, "gateway" => name.clone())
        .record(took.as_secs_f64());
    let reached = match result {
        Ok(_) => true,
        Err(failure) => !matches!(failure.class, Class::Retryable | Class::Credentials | Class::Unknown),
    };
    let up = reached && gateway.circuit() != Circuit::Open;
    gauge!("shirase_gateway_up", "gateway" => name).set(f64::from(u8::from(up)));
}

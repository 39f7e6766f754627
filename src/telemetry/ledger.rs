//! Whether the ledger can be written, and who holds a claim.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{Level, warn};

use super::shown;
use super::trouble::{Trouble, say};
use crate::event::Event;
use crate::ledger::{Attempt, UnknownAttempt};
use crate::plan::Notification;

/// The ledger counts as up until it shows otherwise, which it does at its first commit.
pub(super) fn series() {
    gauge!("shirase_ledger_up").set(1.0);
    let _ = histogram!("shirase_ledger_commit_seconds");
}

/// A ledger transaction is durable.
pub fn ledger_committed(took: Duration) {
    histogram!("shirase_ledger_commit_seconds").record(took.as_secs_f64());
}

/// The ledger cannot be written: nothing is sent until it can.
pub fn ledger_in_trouble(detail: &str) {
    gauge!("shirase_ledger_up").set(0.0);
    let what = "the ledger cannot be written; nothing is sent or acknowledged until it can";
    let trouble = Trouble { detail: Some(detail.to_owned()), ..Trouble::new(Level::ERROR, what) };
    say!(trouble, detail);
}

/// The ledger can be written again.
pub fn ledger_recovered() {
    gauge!("shirase_ledger_up").set(1.0);
    say!(Trouble::new(Level::INFO, "the ledger can be written again"));
}

/// A claim was taken over from a crashed or stuck attempt: whether that was accepted nobody knows, and what is done now is
/// what its gateway's `on_unknown` says.
pub fn claim_taken_over(event: &Event, notification: &Notification, unknown: Option<&UnknownAttempt>) {
    counter!("shirase_claims_taken_over_total").increment(1);
    let (channel, target_name) = (notification.address.channel().as_str(), notification.target());
    let gateway = unknown.and_then(|unknown| unknown.gateway.clone()).unwrap_or_default();
    let labels = [
        ("channel", channel.to_owned()),
        ("gateway", gateway.clone()),
        ("outcome", Attempt::UNKNOWN.to_owned()),
        ("reason", Attempt::LOST.to_owned()),
    ];
    counter!("shirase_attempts_total", &labels).increment(1);
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let (trace_id, gateway) = (shown(&trace_id), shown(&gateway));
    warn!(
        event_id,
        event_type, trace_id, channel, target_name, gateway, "taken over after an attempt without an answer"
    );
}

/// Our claim had been taken over before we could settle it.
pub fn fenced_out(event: &Event, notification: &Notification) {
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let trace_id = shown(&trace_id);
    warn!(
        event_id,
        event_type,
        trace_id,
        target_name = notification.target(),
        "settlement fenced out: another worker has the claim"
    );
}

//! One function a happening: it emits the log line and the metric together. Neither ever holds a phone number, an
//! address, a name or a text.

mod logging;
mod receipts;
mod recorder;
mod registry;
mod waiting;
mod wording;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge, histogram};
use tracing::{debug, error, info, warn};

pub use self::logging::start_logging;
pub use self::receipts::{BOUNCE, kept_event_unreadable, receipt_refused, receipt_taken, receipts_deferred};
pub use self::recorder::start_metrics;
pub use self::registry::{Kind, METRICS, Metric};
pub use self::waiting::waiting;
pub use self::wording::{wording_reloaded, wording_watched};
use crate::dispatch::{DeadReason, Disposition, NotificationReport, NotificationResult, Report};
use crate::event::{Event, Lane};
use crate::gateway::{Accepted, Circuit, Class, Failure, Gateway, Reason};
use crate::ledger::{Attempt, UnknownAttempt};
use crate::plan::{Channel, NoSms, Notification, sms_route};

/// An event's way ended.
pub fn event_ended(report: &Report, took: Duration) {
    let id = report.event_id.as_deref().unwrap_or("");
    let (event_type, lane) = (report.event_type.as_str(), report.lane.as_str());
    let Some(result) = report.result() else {
        return info!(event_id = id, event_type, lane, "left to the broker: stopping");
    };
    counter!("shirase_events_total", "type" => report.event_type.clone(), "result" => result).increment(1);
    if let Some(result) = not_planned(report) {
        let labels =
            [("type", report.event_type.clone()), ("channel", "none".into()), ("result", result.into())];
        counter!("shirase_notifications_total", &labels).increment(1);
    }
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match &report.disposition {
        Disposition::Dead { reason, detail } => {
            counter!("shirase_dead_letters_total", "reason" => reason.as_str()).increment(1);
            warn!(
                event_id = id,
                event_type,
                lane,
                reason = reason.as_str(),
                detail,
                attempt = report.attempts,
                ms,
                "dead letter"
            );
        }
        // While a gateway is left alone this happens to every event that needs it: its circuit has said so once.
        Disposition::Retry { delay, .. } if report.waits_for_a_gateway() => {
            debug!(event_id = id, event_type, lane, delay_s = delay.as_secs(), ms, "waits for a gateway");
        }
        Disposition::Retry { delay, .. } => {
            info!(
                event_id = id,
                event_type,
                lane,
                attempt = report.attempts,
                delay_s = delay.as_secs(),
                ms,
                "retry"
            );
        }
        Disposition::Done => debug!(event_id = id, event_type, lane, muted = report.muted, ms, "done"),
        Disposition::Abandon => {}
    }
    for notification in report.notifications.iter().filter(|one| one.result == NotificationResult::Duplicate)
    {
        notification_counter(&report.event_type, notification);
    }
}

/// Why an event became no notification on any channel, where that was right so.
fn not_planned(report: &Report) -> Option<&'static str> {
    match &report.disposition {
        Disposition::Done if report.muted => Some("muted"),
        Disposition::Dead { reason: DeadReason::Expired, .. } if report.notifications.is_empty() => {
            Some("expired")
        }
        _ => None,
    }
}

/// An event was decoded: counts mobile numbers that get no SMS because their prefix is not configured.
pub fn decoded(event: &Event, prefixes: &[String]) {
    if let Err(NoSms::PrefixNotConfigured(prefix)) = sms_route(&event.recipient.phone, prefixes) {
        counter!("shirase_phones_outside_prefixes_total", "prefix" => prefix).increment(1);
    }
}

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

/// A notification's part of a delivery ended and is settled.
pub fn notification_ended(event: &Event, lane: &'static str, report: &NotificationReport, now: Timestamp) {
    if !matches!(
        report.result,
        NotificationResult::Retry | NotificationResult::Waiting | NotificationResult::Busy
    ) {
        notification_counter(&event.kind.name, report);
    }
    let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
    let (channel, contact, gateway) =
        (report.channel, report.contact, report.gateway.as_deref().unwrap_or(""));
    if report.result == NotificationResult::Waiting {
        return debug!(event_id, event_type, lane, channel, contact, gateway, "waits for a gateway");
    }
    if report.result != NotificationResult::Accepted {
        let (result, reason) = (report.result.as_str(), report.reason.as_deref().unwrap_or(""));
        return info!(event_id, event_type, lane, channel, contact, gateway, result, reason, "notification");
    }
    let seconds = now.duration_since(event.time).as_secs_f64().max(0.0);
    histogram!("shirase_notify_seconds", "lane" => lane, "channel" => channel).record(seconds);
    // To the millisecond: more is noise for whoever reads a log.
    let seconds = (seconds * 1000.0).round() / 1000.0;
    if let Some(segments) = report.segments {
        counter!("shirase_sms_segments_total", "gateway" => gateway.to_owned()).increment(segments as u64);
    }
    info!(
        event_id,
        event_type,
        lane,
        channel,
        contact,
        gateway,
        result = "accepted",
        seconds,
        "notification"
    );
}

fn notification_counter(event_type: &str, report: &NotificationReport) {
    let labels = [
        ("type", event_type.to_owned()),
        ("channel", report.channel.into()),
        ("result", report.result.as_str().into()),
    ];
    counter!("shirase_notifications_total", &labels).increment(1);
}

/// Dispatching an event panicked: a bug, and a dead letter.
pub fn event_panicked(lane: Lane) {
    counter!("shirase_events_total", "type" => "unknown", "result" => "dead").increment(1);
    counter!("shirase_dead_letters_total", "reason" => DeadReason::Internal.as_str()).increment(1);
    error!(
        lane = lane.as_str(),
        reason = DeadReason::Internal.as_str(),
        "dead letter: the worker panicked on an event"
    );
}

/// The other channel takes over.
pub fn fell_back(event: &Event, next: &Notification) {
    let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
    info!(event_id, event_type, channel = next.address.channel().as_str(), "fallback channel takes over");
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
    let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
    warn!(event_id, event_type, target_name, gateway, "taken over after an attempt without an answer");
}

/// Our claim had been taken over before we could settle it.
pub fn fenced_out(event: &Event, notification: &Notification) {
    let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
    warn!(
        event_id,
        event_type,
        target_name = notification.target(),
        "settlement fenced out: another worker has the claim"
    );
}

/// A ledger transaction is durable.
pub fn ledger_committed(took: Duration) {
    histogram!("shirase_ledger_commit_seconds").record(took.as_secs_f64());
}

/// The ledger cannot be written: nothing is sent until it can.
pub fn ledger_in_trouble(detail: &str) {
    error!(detail, "the ledger cannot be written; nothing is sent or acknowledged until it can");
}

/// The ledger can be written again.
pub fn ledger_recovered() {
    info!("the ledger can be written again");
}

/// How old the oldest event of a lane is that is still to be told.
pub fn oldest_event(lane: Lane, age: Option<SignedDuration>) {
    let seconds = age.map_or(0.0, |age| age.as_secs_f64().max(0.0));
    gauge!("shirase_oldest_event_seconds", "lane" => lane.as_str()).set(seconds);
}

/// An event was taken from or given back to a lane.
pub fn in_flight(lane: Lane, change: f64) {
    gauge!("shirase_in_flight", "lane" => lane.as_str()).increment(change);
}

/// A broker connection is up. `role` is a lane's name or `publish`.
pub fn broker_connected(role: &'static str, host: &str) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "connected").increment(1);
    info!(role, host, "broker connected");
}

/// A broker connection failed or ended; it will be tried again.
pub fn broker_lost(role: &'static str, host: &str, detail: &str, retry_in: Duration) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "lost").increment(1);
    let retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
    warn!(role, host, detail, retry_ms, "broker connection lost; trying again");
}

/// A retry or dead letter could not be handed to the broker; it is tried until it can.
pub fn publish_failed(queue: &str, detail: &str) {
    warn!(queue, detail, "publish failed; trying again");
}

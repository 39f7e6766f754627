//! What becomes of an event.

use std::time::Duration;

use jiff::SignedDuration;
use metrics::{counter, gauge};
use tracing::{debug, error, info, warn};

use super::notification::notification_counter;
use crate::dispatch::{DeadReason, Disposition, NotificationResult, Report};
use crate::event::{Event, Lane};
use crate::plan::{NoSms, sms_route};

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

/// An event was taken from or given back to a lane.
pub fn in_flight(lane: Lane, change: f64) {
    gauge!("shirase_in_flight", "lane" => lane.as_str()).increment(change);
}

/// How old the oldest event of a lane is that is still to be told.
pub fn oldest_event(lane: Lane, age: Option<SignedDuration>) {
    let seconds = age.map_or(0.0, |age| age.as_secs_f64().max(0.0));
    gauge!("shirase_oldest_event_seconds", "lane" => lane.as_str()).set(seconds);
}

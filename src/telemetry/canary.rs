//! What becomes of canaries: the events that workers send themselves.

use jiff::Timestamp;
use metrics::{counter, gauge};
use tracing::{debug, info, warn};

use super::ms;
use crate::canary::Flight;
use crate::dispatch::NotificationReport;
use crate::event::Event;

/// Every end of a canary, and of trying to send one.
const RESULTS: [&str; 4] = ["sent", "unsent", "accepted", "failed"];

/// Canaries are configured. The last one that was accepted counts from the worker's start on, so that an alert on silence
/// waits as long after a start as after the last one.
pub fn canary_configured(start: Timestamp) {
    for result in RESULTS {
        counter!("shirase_canary_total", "result" => result).absolute(0);
    }
    gauge!("shirase_canary_last_accepted_timestamp_seconds").set(start.as_duration().as_secs_f64());
}

/// The broker has one.
pub fn canary_sent(event_id: &str) {
    count("sent");
    debug!(event_id, "canary sent");
}

/// The broker did not take one; `news` when it had taken the one before.
pub fn canary_unsent(detail: &str, news: bool) {
    count("unsent");
    if news {
        warn!(detail, "canary not sent: the broker does not take it");
    } else {
        debug!(detail, "canary not sent");
    }
}

/// A gateway took one. It is not among notifications, but it is paid for.
pub fn canary_accepted(event: &Event, report: &NotificationReport, flight: Flight, recovered: bool) {
    count("accepted");
    let seconds = flight.round_trip.as_secs_f64();
    gauge!("shirase_canary_round_trip_seconds").set(seconds);
    gauge!("shirase_canary_last_accepted_timestamp_seconds")
        .set(flight.accepted_at.as_duration().as_secs_f64());
    let (event_id, gateway) = (event.id.as_str(), report.gateway.as_deref());
    if let Some(segments) = report.segments {
        counter!("shirase_sms_segments_total", "gateway" => gateway.unwrap_or_default().to_owned())
            .increment(segments as u64);
    }
    let since_event_ms = ms(flight.round_trip);
    if recovered {
        info!(event_id, gateway, since_event_ms, "canary accepted again");
    } else {
        debug!(event_id, gateway, since_event_ms, "canary accepted");
    }
}

/// One was not accepted; `news` when the one before was, or failed for another reason.
pub fn canary_failed(event: &Event, report: &NotificationReport, reason: &str, news: bool) {
    count("failed");
    let (event_id, gateway) = (event.id.as_str(), report.gateway.as_deref());
    let detail = report.detail.as_deref();
    if news {
        warn!(event_id, gateway, reason, detail, "canary failed");
    } else {
        debug!(event_id, gateway, reason, detail, "canary failed");
    }
}

fn count(result: &'static str) {
    counter!("shirase_canary_total", "result" => result).increment(1);
}

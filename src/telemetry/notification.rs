//! What becomes of a notification.

use jiff::Timestamp;
use metrics::{counter, histogram};
use tracing::{debug, info};

use crate::dispatch::{NotificationReport, NotificationResult};
use crate::event::Event;
use crate::plan::Notification;

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

/// Counts how a notification ended.
pub(super) fn notification_counter(event_type: &str, report: &NotificationReport) {
    let labels = [
        ("type", event_type.to_owned()),
        ("channel", report.channel.into()),
        ("result", report.result.as_str().into()),
    ];
    counter!("shirase_notifications_total", &labels).increment(1);
}

/// The other channel takes over.
pub fn fell_back(event: &Event, next: &Notification) {
    let (event_id, event_type) = (event.id.as_str(), event.kind.name.as_str());
    info!(event_id, event_type, channel = next.address.channel().as_str(), "fallback channel takes over");
}

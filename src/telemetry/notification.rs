//! What becomes of a notification.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, histogram};
use tracing::{Level, debug, info};

use super::trouble::{Trouble, say};
use super::{ms, shown};
use crate::dispatch::{NotificationReport, NotificationResult};
use crate::event::Event;
use crate::plan::Notification;

/// A notification's part of a delivery as it ended.
pub struct NotificationEnd<'a> {
    /// Of which event.
    pub event: &'a Event,
    /// Its lane.
    pub lane: &'static str,
    /// How it ended.
    pub report: &'a NotificationReport,
    /// Which claim of the notification this was, from 1.
    pub attempt: u32,
    /// The templates that its message is of.
    pub template_version: &'a str,
    /// How long the last gateway that was asked took.
    pub took: Option<Duration>,
    /// When it ended.
    pub now: Timestamp,
}

/// A notification's part of a delivery ended and is settled.
pub fn notification_ended(end: &NotificationEnd<'_>) {
    let kind = &end.event.kind.name;
    match end.report.result {
        NotificationResult::Accepted => {
            notification_counter(kind, end.report);
            accepted(end);
        }
        // A line for each gateway that failed and one of the event say more.
        NotificationResult::Retry | NotificationResult::Waiting | NotificationResult::Busy => later(end),
        NotificationResult::Duplicate
        | NotificationResult::Unknown
        | NotificationResult::Failed
        | NotificationResult::Expired
        | NotificationResult::HeldBack => {
            notification_counter(kind, end.report);
            failed(end);
        }
    }
}

fn accepted(end: &NotificationEnd<'_>) {
    let NotificationEnd { event, lane, report, attempt, template_version, .. } = end;
    let since_event = Duration::try_from(end.now.duration_since(event.time)).unwrap_or_default();
    // A summary has waited for its window's end, and so says nothing of how fast we are.
    if event.others.is_none() {
        histogram!("shirase_notify_seconds", "lane" => *lane, "channel" => report.channel)
            .record(since_event.as_secs_f64());
    }
    let gateway = report.gateway.as_deref();
    if let Some(segments) = report.segments {
        counter!("shirase_sms_segments_total", "gateway" => gateway.unwrap_or_default().to_owned())
            .increment(segments as u64);
    }
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let (trace_id, channel, contact) = (shown(&trace_id), report.channel, report.contact);
    let (ms, since_event_ms) = (end.took.map(ms), ms(since_event));
    info!(
        event_id,
        event_type,
        trace_id,
        lane,
        channel,
        contact,
        gateway,
        result = "accepted",
        attempt,
        template_version,
        ms,
        since_event_ms,
        "notification"
    );
}

fn later(end: &NotificationEnd<'_>) {
    let NotificationEnd { event, lane, report, attempt, .. } = end;
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let (trace_id, channel, contact) = (shown(&trace_id), report.channel, report.contact);
    let (gateway, result, reason) =
        (report.gateway.as_deref(), report.result.as_str(), report.reason.as_deref());
    debug!(
        event_id,
        event_type, trace_id, lane, channel, contact, gateway, result, reason, attempt, "notification"
    );
}

fn failed(end: &NotificationEnd<'_>) {
    let NotificationEnd { event, lane, report, attempt, template_version, .. } = end;
    let trouble = Trouble {
        lane: Some(*lane),
        channel: Some(report.channel),
        gateway: report.gateway.clone(),
        result: Some(report.result.as_str()),
        reason: report.reason.clone(),
        ..Trouble::new(Level::INFO, "notification")
    };
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let (trace_id, contact, ms) = (shown(&trace_id), report.contact, end.took.map(ms));
    let detail = report.detail.as_deref();
    say!(trouble, event_id, event_type, trace_id, contact, detail, attempt, template_version, ms);
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
    let trouble = Trouble {
        channel: Some(next.address.channel().as_str()),
        ..Trouble::new(Level::INFO, "fallback channel takes over")
    };
    let (event_id, event_type, trace_id) = (event.id.as_str(), event.kind.name.as_str(), event.trace_id());
    let trace_id = shown(&trace_id);
    say!(trouble, event_id, event_type, trace_id);
}

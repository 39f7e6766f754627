//! What becomes of an event.

use std::time::Duration;

use jiff::SignedDuration;
use metrics::{counter, gauge};
use tracing::{Level, debug, info};

use super::notification::notification_counter;
use super::protection;
use super::trouble::{Trouble, say};
use super::{ms, shown};
use crate::dispatch::{DeadReason, Disposition, NotificationResult, Report};
use crate::event::{Event, Lane};
use crate::ledger::HeldBack;
use crate::plan::{NoSms, sms_route};

/// An event's way ended: one line, at info where no line of a notification says it all.
pub fn event_ended(report: &Report, took: Duration) {
    let Some(result) = report.result() else {
        let (event_id, event_type) = (report.event_id.as_deref(), report.event_type.as_str());
        return info!(event_id, event_type, lane = report.lane.as_str(), "left to the broker: stopping");
    };
    counted(report, result);
    if matches!(report.disposition, Disposition::Done | Disposition::Dead { .. }) {
        protection::held_back(report);
    }
    match &report.disposition {
        Disposition::Done => done(report, took),
        Disposition::Retry { delay, .. } => retried(report, *delay, took),
        Disposition::Dead { reason, detail } => dead(report, *reason, detail, took),
        Disposition::Abandon => {}
    }
}

fn counted(report: &Report, result: &'static str) {
    counter!("shirase_events_total", "type" => report.event_type.clone(), "result" => result).increment(1);
    if let Some(result) = not_planned(report) {
        let labels =
            [("type", report.event_type.clone()), ("channel", "none".into()), ("result", result.into())];
        counter!("shirase_notifications_total", &labels).increment(1);
    }
    if let Disposition::Dead { reason, .. } = report.disposition {
        given_up(report.lane, reason);
    }
    for notification in report.notifications.iter().filter(|one| one.result == NotificationResult::Duplicate)
    {
        notification_counter(&report.event_type, notification);
    }
}

/// What was told has a line a notification; that it was not to be told, or was told before, is said here.
fn done(report: &Report, took: Duration) {
    let result = match report {
        Report { muted: true, .. } => "muted",
        Report { held_back: Some(_), .. } => "held_back",
        Report { duplicate: true, .. } => "duplicate",
        _ => "done",
    };
    let (lane, (event_id, event_type, trace_id)) = (report.lane.as_str(), named(report));
    let (attempt, template_version, ms) = (report.attempts, report.template_version.as_deref(), ms(took));
    let reason = report.held_back.map(HeldBack::as_str);
    if report.muted || report.duplicate || reason.is_some() {
        info!(event_id, event_type, trace_id, lane, result, reason, attempt, template_version, ms, "done");
    } else {
        debug!(event_id, event_type, trace_id, lane, result, attempt, template_version, ms, "done");
    }
}

fn retried(report: &Report, delay: Duration, took: Duration) {
    let lane = Some(report.lane.as_str());
    let (event_id, event_type, trace_id) = named(report);
    let (attempt, retry_ms, ms) = (report.attempts, ms(delay), ms(took));
    // While a gateway is left alone this happens to every event that needs it: its circuit has said so once.
    if report.waits_for_a_gateway() {
        return debug!(event_id, event_type, trace_id, lane, attempt, retry_ms, ms, "waits for a gateway");
    }
    let open = report.open();
    let trouble = Trouble {
        lane,
        channel: open.map(|one| one.channel),
        gateway: open.and_then(|one| one.gateway.clone()),
        result: Some("retried"),
        reason: open.and_then(|one| one.reason.clone()),
        ..Trouble::new(Level::INFO, "retry")
    };
    say!(trouble, event_id, event_type, trace_id, attempt, retry_ms, ms);
}

fn dead(report: &Report, reason: DeadReason, detail: &str, took: Duration) {
    let trouble = Trouble {
        lane: Some(report.lane.as_str()),
        result: Some("dead"),
        reason: Some(reason.as_str().into()),
        ..Trouble::new(Level::WARN, "dead letter")
    };
    let (event_id, event_type, trace_id) = named(report);
    let (attempt, template_version, ms) = (report.attempts, report.template_version.as_deref(), ms(took));
    say!(trouble, event_id, event_type, trace_id, detail, attempt, template_version, ms);
}

fn named(report: &Report) -> (Option<&str>, &str, Option<&str>) {
    (report.event_id.as_deref(), report.event_type.as_str(), shown(&report.trace_id))
}

fn given_up(lane: Lane, reason: DeadReason) {
    let reason = reason.as_str();
    counter!("shirase_dead_letters_total", "reason" => reason).increment(1);
    counter!("shirase_untold_total", "lane" => lane.as_str(), "reason" => reason).increment(1);
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
    given_up(lane, DeadReason::Internal);
    let trouble = Trouble {
        lane: Some(lane.as_str()),
        result: Some("dead"),
        reason: Some(DeadReason::Internal.as_str().into()),
        ..Trouble::new(Level::ERROR, "dead letter: the worker panicked on an event")
    };
    say!(trouble);
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

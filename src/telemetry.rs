//! One function a happening: it emits the log line and the metric together. Neither ever holds a phone number, an
//! address, a name or a text.

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::dispatch::{DeadReason, Disposition, NotificationReport, NotificationResult, Report};
use crate::event::{Event, Lane};
use crate::gateway::receipt::{CallbackError, Loss, Report as Receipt, Status};
use crate::gateway::{Accepted, Circuit, Class, Failure, Gateway, Reason};
use crate::ledger::{Attempt, ReceiptAnswer, UnknownAttempt};
use crate::plan::{Channel, NoSms, Notification, sms_route};

/// What libraries may log, whatever the filter asks for: handlebars shows every value that it renders at debug, lapin
/// shows frames, and a returned message with its whole body even at warn.
const OTHERS_AT_MOST: LevelFilter = LevelFilter::WARN;
const SILENCED: &str = "lapin::returned_messages=off";

/// Starts logging to stderr: text on a terminal, JSON lines otherwise. `filter` is in tracing's syntax (`SHIRASE_LOG`).
pub fn start_logging(filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(allowed(filter));
    std::panic::set_hook(Box::new(panicked));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}

/// The filter as far as it may be followed: our own modules as asked, everybody else's at most at warn.
fn allowed(filter: &str) -> String {
    let mut directives = vec![format!("{OTHERS_AT_MOST}")];
    for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        if target.starts_with("shirase") || directive.starts_with("shirase") {
            directives.push(directive.to_owned());
            continue;
        }
        let Ok(level) = level.parse::<LevelFilter>() else { continue };
        let capped = level.min(OTHERS_AT_MOST);
        if target.is_empty() {
            directives.extend([capped.to_string(), format!("shirase={level}")]);
        } else {
            directives.push(format!("{target}={capped}"));
        }
    }
    directives.push(SILENCED.to_owned());
    directives.join(",")
}

/// A panic's message may have been made of data; where it happened has not, nor has a literal.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown: it may hold data)");
    error!(place, payload, "panic: this is a bug");
}

/// Seconds from event to acceptance: dense around the objectives of 5 and 30 seconds.
const NOTIFY_BUCKETS: [f64; 14] =
    [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 21600.0];
const ATTEMPT_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COMMIT_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];

/// Starts collecting metrics; the handle renders them for Prometheus.
///
/// # Errors
/// When the process has a recorder already.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("shirase_notify_seconds".to_owned()), &NOTIFY_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("shirase_attempt_seconds".to_owned()), &ATTEMPT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("shirase_ledger_commit_seconds".to_owned()), &COMMIT_BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!("shirase_events_total", "Events by type and result: done, retried, dead");
    describe_counter!("shirase_notifications_total", "Notifications by type, channel and result");
    describe_counter!("shirase_attempts_total", "Attempts by channel, gateway, outcome and reason");
    describe_histogram!("shirase_attempt_seconds", "Seconds an attempt took");
    describe_histogram!("shirase_notify_seconds", "Seconds from the event's time to acceptance");
    describe_counter!("shirase_sms_segments_total", "SMS segments accepted");
    describe_counter!("shirase_dead_letters_total", "Events given up, by reason");
    describe_gauge!("shirase_in_flight", "Events being worked on");
    describe_gauge!(
        "shirase_gateway_up",
        "1 when the last attempt reached the gateway, 0 when it did not or its circuit is open"
    );
    describe_gauge!("shirase_gateway_circuit", "0 closed, 1 half-open, 2 open: the gateway is left alone");
    describe_counter!(
        "shirase_gateway_circuit_openings_total",
        "Circuits opened, again after a failed probe too"
    );
    describe_histogram!("shirase_ledger_commit_seconds", "Seconds a ledger transaction took");
    describe_counter!(
        "shirase_phones_outside_prefixes_total",
        "Mobile numbers whose prefix is not among sms.prefixes"
    );
    describe_gauge!(
        "shirase_oldest_event_seconds",
        "Age of the oldest event that is still to be told, by lane; 0 when there is none"
    );
    describe_counter!("shirase_broker_connections_total", "Broker connections by role and result");
    describe_counter!(
        "shirase_receipts_total",
        "Receipts by gateway and status: underway, delivered, undelivered, stale, stranger, forged, unreadable, deferred"
    );
    describe_counter!("shirase_undelivered_total", "Messages that did not arrive, by gateway and reason");
    describe_counter!("shirase_claims_taken_over_total", "Claims of a crashed or stuck attempt taken over");
}

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

/// In the place of a gateway's name: a bounce may come by any relay.
pub const BOUNCE: &str = "bounce";

fn receipt_counter(gateway: &str, status: &'static str) {
    counter!("shirase_receipts_total", "gateway" => gateway.to_owned(), "status" => status).increment(1);
}

/// A receipt is written down, or says nothing that is not known.
pub fn receipt_taken(gateway: Option<&str>, report: &Receipt, answer: &ReceiptAnswer) {
    let (gateway, code) = (gateway.unwrap_or(BOUNCE), report.code.as_deref().unwrap_or(""));
    let event_id = match answer {
        ReceiptAnswer::Stale => return receipt_counter(gateway, "stale"),
        ReceiptAnswer::Stranger => return receipt_counter(gateway, "stranger"),
        ReceiptAnswer::Applied { event_id, .. } => event_id,
    };
    let status = report.status.as_str();
    receipt_counter(gateway, status);
    let Status::Undelivered(loss) = report.status else {
        return debug!(event_id, gateway, status, code, "receipt");
    };
    let reason = loss.as_str();
    counter!("shirase_undelivered_total", "gateway" => gateway.to_owned(), "reason" => reason).increment(1);
    let fallback = matches!(answer, ReceiptAnswer::Applied { reopened: Some(_), .. });
    if fallback && loss != Loss::Filtered {
        info!(event_id, gateway, status, reason, code, fallback, "receipt");
    } else {
        // Nobody else tells the customer; or a text is taken for spam, and the next ones will be.
        warn!(event_id, gateway, status, reason, code, fallback, "receipt");
    }
}

/// A callback was not used.
pub fn receipt_refused(gateway: &str, error: CallbackError) {
    receipt_counter(gateway, error.as_str());
    warn!(gateway, reason = error.as_str(), detail = %error, "callback refused");
}

/// A callback was answered before it could be written down: its sender is asked to bring it again.
pub fn receipts_deferred(gateway: Option<&str>) {
    receipt_counter(gateway.unwrap_or(BOUNCE), "deferred");
}

/// An event that was kept for a receipt cannot be opened, so that no other channel can take over.
pub fn kept_event_unreadable(target: &str) {
    error!(
        target_name = target,
        "an event kept for its receipt cannot be decrypted: ledger.recipient_key is not the one that it was kept with"
    );
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

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn whatever_is_asked_for_libraries_log_at_most_warnings_and_never_a_message_s_body() {
        for (asked, given) in [
            ("info", "warn,warn,shirase=info,lapin::returned_messages=off"),
            ("trace", "warn,warn,shirase=trace,lapin::returned_messages=off"),
            ("error", "warn,error,shirase=error,lapin::returned_messages=off"),
            ("handlebars=debug", "warn,handlebars=warn,lapin::returned_messages=off"),
            (
                "shirase::broker=debug,lapin=trace",
                "warn,shirase::broker=debug,lapin=warn,lapin::returned_messages=off",
            ),
            (
                "lapin::returned_messages=warn",
                "warn,lapin::returned_messages=warn,lapin::returned_messages=off",
            ),
            ("", "warn,lapin::returned_messages=off"),
        ] {
            assert_eq!(allowed(asked), given);
        }
    }
}

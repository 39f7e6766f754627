//! Every metric's description and buckets.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

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
    describe_counter!(
        "shirase_template_reloads_total",
        "Changed templates by result: loaded, refused, unchanged"
    );
    describe_counter!("shirase_claims_taken_over_total", "Claims of a crashed or stuck attempt taken over");
}

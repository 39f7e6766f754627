//! Every metric that a worker exports: the one list that the recorder, the documentation, the rules and the dashboards
//! are held against.

/// A metric's type; a histogram's upper bounds in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram(&'static [f64]),
    /// A gauge that the page of metrics adds itself.
    AtScrape,
}

/// A metric. Every label has a closed set of values, or one that configuration and catalog bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// For people.
    pub help: &'static str,
}

/// Seconds from event to acceptance: 5 and 30 are the objectives', so that no bucket has to be guessed into.
const NOTIFY_BUCKETS: &[f64] =
    &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 21600.0];
const ATTEMPT_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COMMIT_BUCKETS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];

/// All of them.
pub const METRICS: &[Metric] = &[
    counter("shirase_events_total", &["type", "result"], "Events by type and result: done, retried, dead"),
    counter(
        "shirase_notifications_total",
        &["type", "channel", "result"],
        "Notifications by type, channel and result",
    ),
    counter(
        "shirase_attempts_total",
        &["channel", "gateway", "outcome", "reason"],
        "Attempts by channel, gateway, outcome and reason",
    ),
    histogram("shirase_attempt_seconds", &["channel", "gateway"], ATTEMPT_BUCKETS, "Seconds an attempt took"),
    histogram(
        "shirase_notify_seconds",
        &["lane", "channel"],
        NOTIFY_BUCKETS,
        "Seconds from the event's time to acceptance",
    ),
    counter("shirase_sms_segments_total", &["gateway"], "SMS segments accepted"),
    counter("shirase_dead_letters_total", &["reason"], "Events given up, by reason"),
    counter(
        "shirase_untold_total",
        &["lane", "reason"],
        "Events given up, by lane and reason: part of their notifications, or all, reached nobody",
    ),
    counter(
        "shirase_held_back_total",
        &["type", "reason"],
        "What was deliberately not sent, by type and reason: collapsed, known_device (events), sms_day_limit (SMS)",
    ),
    counter(
        "shirase_summaries_total",
        &["type"],
        "Summaries of collapsed events brought to their lane, by type",
    ),
    gauge("shirase_in_flight", &["lane"], "Events being worked on"),
    gauge(
        "shirase_gateway_up",
        &["gateway"],
        "1 when the last attempt reached the gateway, 0 when it did not or its circuit is open",
    ),
    gauge(
        "shirase_gateway_circuit",
        &["gateway"],
        "0 closed, 1 half-open, 2 open: the gateway is left alone",
    ),
    counter(
        "shirase_gateway_circuit_openings_total",
        &["gateway"],
        "Circuits opened, again after a failed probe too",
    ),
    gauge("shirase_gateway_drained", &["gateway"], "1 while somebody has the gateway left alone, else 0"),
    histogram("shirase_ledger_commit_seconds", &[], COMMIT_BUCKETS, "Seconds a ledger transaction took"),
    gauge(
        "shirase_ledger_up",
        &[],
        "1 when the ledger can be written, 0 when nothing is sent because it cannot",
    ),
    counter(
        "shirase_phones_outside_prefixes_total",
        &["prefix"],
        "Mobile numbers whose prefix is not among sms.prefixes",
    ),
    gauge(
        "shirase_oldest_event_seconds",
        &["lane"],
        "Age of the oldest event that is still to be told, by lane; 0 when there is none",
    ),
    gauge("shirase_lane_waiting", &["lane"], "Events that wait in the lane's queue, as the broker says"),
    gauge(
        "shirase_retry_waiting",
        &["lane", "step"],
        "Events that wait for a retry, by lane and step of the schedule in seconds, as the broker says",
    ),
    gauge("shirase_dead_waiting", &[], "Letters in the dead-letter queue, as the broker says"),
    counter("shirase_canary_total", &["result"], "Canaries by result: sent, unsent, accepted, failed"),
    gauge(
        "shirase_canary_round_trip_seconds",
        &[],
        "Seconds from the last accepted canary's time to its acceptance",
    ),
    gauge(
        "shirase_canary_last_accepted_timestamp_seconds",
        &[],
        "Unix time at which this worker last saw a canary accepted; its own start until then",
    ),
    gauge(
        "shirase_certificate_not_after_seconds",
        &["peer"],
        "Unix time at which the certificate ends that a gateway, the broker or the ledger's database shows",
    ),
    counter("shirase_broker_connections_total", &["role", "result"], "Broker connections by role and result"),
    counter(
        "shirase_receipts_total",
        &["gateway", "status"],
        "Receipts by gateway and status: underway, delivered, undelivered, stale, stranger, forged, unreadable, deferred",
    ),
    counter(
        "shirase_undelivered_total",
        &["gateway", "reason"],
        "Messages that did not arrive, by gateway and reason",
    ),
    counter(
        "shirase_template_reloads_total",
        &["result"],
        "Changed templates by result: loaded, refused, unchanged",
    ),
    at_scrape("shirase_template_version", &["version"], "The version of the templates in use"),
    at_scrape("shirase_template_refused", &[], "The templates on disk have a mistake and are not in use"),
    counter(
        "shirase_spans_total",
        &["result"],
        "Spans of traces by result: exported, dropped (the queue was full, or the collector did not take them)",
    ),
    counter("shirase_claims_taken_over_total", &[], "Claims of a crashed or stuck attempt taken over"),
    counter(
        "shirase_console_actions_total",
        &["action", "result"],
        "What people did on the console: sign_in, replay, drop, drain, resume; done, refused, failed",
    ),
    at_scrape("shirase_build_info", &["version"], "The running version"),
];

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn at_scrape(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::AtScrape, labels, help }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), labels, help }
}

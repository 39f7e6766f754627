//! What watches a worker fits what a worker exports: rules, their cases, dashboard, runbook, list of metrics.

mod alerts;
mod commands;
mod dashboard;
mod list;
mod promql;

use std::collections::BTreeSet;

use shirase::dispatch::DeadReason;
use shirase::telemetry::{Kind, METRICS, Metric};

use self::promql::{grouping, names, selectors};

const RECORDING: &str = include_str!("../../config/prometheus/recording.yml");
const ALERTS: &str = include_str!("../../config/prometheus/alerts.yml");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");
const LIST: &str = include_str!("../../docs/metrics.md");

/// For promtool; `tests/run.sh monitoring` runs them.
const CASES: [&str; 7] = [
    include_str!("../prometheus/gateways.yml"),
    include_str!("../prometheus/objective.yml"),
    include_str!("../prometheus/objective_days.yml"),
    include_str!("../prometheus/queues.yml"),
    include_str!("../prometheus/silence.yml"),
    include_str!("../prometheus/told.yml"),
    include_str!("../prometheus/worker.yml"),
];

/// Prometheus' own, and those of alerts.
const OTHER_LABELS: [&str; 7] = ["job", "instance", "le", "alertname", "alertstate", "severity", "burn"];

/// Everything that Prometheus is asked, with the place that it stands in.
fn asked() -> Vec<(&'static str, String)> {
    // A group's name is no metric's.
    let expressions = |text: &str| lines_without(text, &["- name:", "group_eval_order:", "#"]);
    vec![
        ("recording.yml", expressions(RECORDING)),
        ("alerts.yml", expressions(ALERTS)),
        ("tests/prometheus", expressions(&CASES.concat())),
        ("runbook.md", RUNBOOK.to_owned()),
        ("metrics.md", LIST.to_owned()),
        ("shirase.json", dashboard::expressions().join("\n")),
    ]
}

fn lines_without(text: &str, beginnings: &[&str]) -> String {
    let stays = |line: &&str| !beginnings.iter().any(|beginning| line.trim_start().starts_with(beginning));
    text.lines().filter(stays).collect::<Vec<_>>().join("\n")
}

/// The entry of a series; a histogram is asked for by its parts.
fn entry(series: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| match (series.strip_prefix(metric.name), metric.kind) {
        (Some(part), Kind::Histogram(_)) => ["_bucket", "_sum", "_count"].contains(&part),
        (part, _) => part == Some(""),
    })
}

#[test]
fn every_metric_that_is_named_anywhere_is_one_that_a_worker_exports() {
    let mut unknown = BTreeSet::new();
    for (place, text) in asked() {
        let is_prose = place.ends_with(".md");
        let whole = |name: &str| is_prose && METRICS.iter().any(|metric| metric.name == name);
        let strangers = names(&text, "shirase_").into_iter();
        let strangers = strangers.filter(|name| entry(name).is_none() && !whole(name));
        unknown.extend(strangers.map(|name| format!("{place}: {name}")));
    }
    assert!(unknown.is_empty(), "not in telemetry::METRICS: {unknown:#?}");
}

#[test]
fn every_label_that_is_asked_for_is_one_that_the_metric_has() {
    let any: BTreeSet<&str> =
        METRICS.iter().flat_map(|metric| metric.labels).copied().chain(OTHER_LABELS).collect();
    let mut wrong = BTreeSet::new();
    for (place, text) in asked() {
        let strangers = grouping(&text).into_iter().filter(|label| !any.contains(label));
        wrong.extend(strangers.map(|label| format!("{place}: by {label}")));
        for selector in selectors(&text) {
            let of_metric = entry(selector.name).map(|metric| metric.labels);
            let has = |label: &str| match of_metric {
                Some(labels) => labels.contains(&label) || OTHER_LABELS.contains(&label),
                None => any.contains(label),
            };
            let strangers = selector.matchers.iter().filter(|(label, _)| !has(label));
            wrong.extend(strangers.map(|(label, _)| format!("{place}: {}{{{label}}}", selector.name)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The console and the rules speak of one objective.
#[test]
fn what_was_given_up_counts_against_the_objective_unless_it_is_upstreams() {
    let ours: BTreeSet<&str> =
        DeadReason::all().filter(|reason| !reason.is_upstreams()).map(DeadReason::as_str).collect();
    let selectors = [selectors(RECORDING), selectors(ALERTS)].concat();
    let asked = selectors.iter().filter(|selector| selector.name == "shirase_untold_total");
    let reasons = asked.flat_map(|selector| &selector.matchers).filter(|(label, _)| *label == "reason");
    let reasons: Vec<BTreeSet<&str>> = reasons.map(|(_, pattern)| pattern.split('|').collect()).collect();
    assert!(reasons.len() >= 7, "{reasons:?}");
    assert!(reasons.iter().all(|asked| *asked == ours), "{reasons:?} instead of {ours:?}");
}

#[test]
fn what_is_recorded_is_all_that_is_asked_for_by_a_recorded_name() {
    let records: BTreeSet<&str> =
        RECORDING.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    assert!(records.len() > 20, "{records:?}");
    let mut unknown = BTreeSet::new();
    for (place, text) in asked() {
        let strangers = names(&text, "shirase:").into_iter().filter(|name| !records.contains(name));
        unknown.extend(strangers.map(|name| format!("{place}: {name}")));
    }
    assert!(unknown.is_empty(), "not in recording.yml: {unknown:#?}");
}

#[test]
fn the_objective_is_counted_by_buckets_that_there_are() {
    for selector in selectors(&(RECORDING.to_owned() + ALERTS)) {
        let Some((_, bound)) = selector.matchers.iter().find(|(label, _)| *label == "le") else { continue };
        let Some(Kind::Histogram(buckets)) = entry(selector.name).map(|metric| metric.kind) else {
            panic!("{selector:?} has no buckets");
        };
        // As the exporter prints it: a whole number without a point.
        assert!(buckets.iter().any(|bucket| bucket.to_string() == *bound), "{selector:?}: {buckets:?}");
    }
}

#[test]
fn the_objective_counts_what_is_given_up_for_our_own_reasons() {
    let is_ours = |reason: &DeadReason| !matches!(reason, DeadReason::Bad(_) | DeadReason::NoAddress);
    let ours: BTreeSet<&str> = DeadReason::all().filter(is_ours).map(DeadReason::as_str).collect();
    let mut seen = 0;
    for selector in selectors(&(RECORDING.to_owned() + ALERTS)) {
        let reasons = selector.matchers.iter().find(|(label, _)| *label == "reason");
        let Some((_, reasons)) = reasons.filter(|_| selector.name == "shirase_untold_total") else {
            continue;
        };
        assert_eq!(reasons.split('|').collect::<BTreeSet<_>>(), ours, "{selector:?}");
        seen += 1;
    }
    assert!(seen > 7, "every window of the objective: {seen}");
}

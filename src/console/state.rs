//! How things stand at a moment, as the page shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::counts::{Counts, GatewayCounts};
use super::exposition::Exposition;
use super::gateways::Drained;
use super::histogram::Histogram;
use crate::dispatch::DeadReason;
use crate::event::Lane;
use crate::gateway::{Circuit, Gateway};
use crate::plan::Channel;

/// `event: state`
#[derive(Debug, Serialize)]
pub(super) struct State {
    at: Timestamp,
    ready: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    worker: WorkerState,
    objective: Objective,
    lanes: Vec<LaneState>,
    gateways: Vec<GatewayState>,
    dead: DeadState,
    ledger: LedgerState,
    canary: Option<CanaryState>,
}

/// What the worker knows beside its metrics.
pub(super) struct Known<'a> {
    pub at: Timestamp,
    pub started_at: Timestamp,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
    pub templates: String,
    pub gateways: Vec<&'a Gateway>,
    pub ledger_trouble: Option<String>,
}

#[derive(Debug, Serialize)]
struct WorkerState {
    version: &'static str,
    templates: String,
    started_at: Timestamp,
}

#[derive(Debug, PartialEq, Serialize)]
struct Objective {
    total: u64,
    within_5s: Option<f64>,
    within_30s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct LaneState {
    lane: &'static str,
    in_flight: u64,
    waiting: Option<u64>,
    oldest_seconds: f64,
    retry: Vec<RetryState>,
    channels: Vec<ChannelState>,
}

#[derive(Debug, PartialEq, Serialize)]
struct RetryState {
    step_seconds: u64,
    waiting: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ChannelState {
    channel: &'static str,
    accepted: u64,
    p50: Option<f64>,
    p99: Option<f64>,
}

#[derive(Debug, Serialize)]
struct GatewayState {
    name: String,
    channel: &'static str,
    up: bool,
    circuit: &'static str,
    drained: Option<Drained>,
    accepted: u64,
    failed: u64,
    p99: Option<f64>,
    last_error: Option<LastError>,
}

#[derive(Debug, Serialize)]
struct LastError {
    at: Timestamp,
    outcome: &'static str,
    reason: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct DeadState {
    waiting: Option<u64>,
    by_reason: Vec<ReasonCount>,
}

/// How many letters of one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReasonCount {
    pub reason: String,
    pub count: u64,
}

#[derive(Debug, Serialize)]
struct LedgerState {
    up: bool,
    trouble: Option<String>,
    commit_p99: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct CanaryState {
    last_accepted: Option<Timestamp>,
    round_trip_seconds: Option<f64>,
}

impl State {
    /// From the page of metrics and what was counted five minutes ago.
    pub fn of(page: &Exposition, now: &Counts, recent: &Counts, known: Known<'_>) -> Self {
        let gateways = known.gateways.iter().enumerate();
        let gateways = gateways.map(|(index, gateway)| {
            let (all, before) = (now.gateway(index), recent.gateway(index));
            GatewayState::of(page, gateway, &all, &all.attempts.since(&before.attempts))
        });
        Self {
            at: known.at,
            ready: known.problems.is_empty(),
            objective: Objective::of(page, now),
            lanes: Lane::ALL.into_iter().map(|lane| LaneState::of(page, now, recent, lane)).collect(),
            gateways: gateways.collect(),
            dead: DeadState::of(page),
            ledger: LedgerState {
                up: known.ledger_trouble.is_none() && page.value("shirase_ledger_up", &[]) != Some(0.0),
                trouble: known.ledger_trouble,
                commit_p99: now.commits.since(&recent.commits).quantile(0.99),
            },
            canary: CanaryState::of(page),
            worker: WorkerState {
                version: env!("CARGO_PKG_VERSION"),
                templates: known.templates,
                started_at: known.started_at,
            },
            problems: known.problems,
            warnings: known.warnings,
        }
    }
}

impl Objective {
    /// Of the critical lane since the start. What was given up was not told in time, unless that is upstream's.
    fn of(page: &Exposition, now: &Counts) -> Self {
        let told: Vec<Histogram> =
            Channel::ALL.into_iter().map(|channel| now.told(Lane::Critical, channel)).collect();
        let lane = [("lane", Lane::Critical.as_str())];
        let ours =
            |label: &str| !DeadReason::all().any(|reason| reason.is_upstreams() && reason.as_str() == label);
        let untold = page.of("shirase_untold_total", &lane);
        let untold = untold.filter(|one| one.label("reason").is_some_and(ours)).map(|one| one.value as u64);
        let total = told.iter().map(|one| one.count).chain(untold).sum();
        let within = |bound: f64| {
            let in_time: u64 = told.iter().map(|one| one.within(bound)).sum();
            (total > 0).then(|| in_time as f64 / total as f64)
        };
        Self { total, within_5s: within(5.0), within_30s: within(30.0) }
    }
}

impl LaneState {
    fn of(page: &Exposition, now: &Counts, recent: &Counts, lane: Lane) -> Self {
        let channel = |channel: Channel| {
            let all = now.told(lane, channel);
            let recent = all.since(&recent.told(lane, channel));
            let (p50, p99) = (recent.quantile(0.5), recent.quantile(0.99));
            ChannelState { channel: channel.as_str(), accepted: all.count, p50, p99 }
        };
        let label = [("lane", lane.as_str())];
        Self {
            lane: lane.as_str(),
            in_flight: page.count("shirase_in_flight", &label).unwrap_or_default(),
            waiting: page.count("shirase_lane_waiting", &label),
            oldest_seconds: page.value("shirase_oldest_event_seconds", &label).unwrap_or_default(),
            retry: retry(page, lane),
            channels: Channel::ALL.map(channel).into(),
        }
    }
}

/// Shortest step first.
fn retry(page: &Exposition, lane: Lane) -> Vec<RetryState> {
    let label = [("lane", lane.as_str())];
    let steps = page.of("shirase_retry_waiting", &label).filter_map(|one| {
        let step_seconds = one.label("step")?.parse().ok()?;
        let waiting = one.value.is_finite().then_some(one.value as u64);
        Some(RetryState { step_seconds, waiting })
    });
    let mut steps: Vec<_> = steps.collect();
    steps.sort_by_key(|step| step.step_seconds);
    steps
}

impl GatewayState {
    fn of(page: &Exposition, gateway: &Gateway, all: &GatewayCounts, recent: &Histogram) -> Self {
        let last_error = gateway.last_failure().map(|failure| LastError {
            at: failure.at,
            outcome: failure.class.as_str(),
            reason: failure.reason.as_str(),
            detail: failure.detail,
        });
        Self {
            name: gateway.name().to_owned(),
            channel: gateway.channel().as_str(),
            up: page.value("shirase_gateway_up", &[("gateway", gateway.name())]) != Some(0.0),
            circuit: match gateway.circuit() {
                Circuit::Closed => "closed",
                Circuit::HalfOpen => "half_open",
                Circuit::Open => "open",
            },
            drained: gateway.drained().map(Drained::from),
            accepted: all.accepted,
            failed: all.failed,
            p99: recent.quantile(0.99),
            last_error,
        }
    }
}

impl DeadState {
    /// Only reasons that happened, the most frequent first.
    fn of(page: &Exposition) -> Self {
        let reasons = page.of("shirase_dead_letters_total", &[]).filter(|one| one.value > 0.0);
        let reasons = reasons.filter_map(|one| {
            Some(ReasonCount { reason: one.label("reason")?.to_owned(), count: one.value as u64 })
        });
        let mut by_reason: Vec<_> = reasons.collect();
        by_reason
            .sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.reason.cmp(&other.reason)));
        Self { waiting: page.count("shirase_dead_waiting", &[]), by_reason }
    }
}

impl CanaryState {
    /// Its series are there while it is configured. Before the first acceptance its time is the worker's start.
    fn of(page: &Exposition) -> Option<Self> {
        let at = page.value("shirase_canary_last_accepted_timestamp_seconds", &[])?;
        let accepted = page.count("shirase_canary_total", &[("result", "accepted")]).unwrap_or_default();
        let at = Timestamp::from_millisecond((at * 1000.0) as i64).ok().filter(|_| accepted > 0);
        let took = page.value("shirase_canary_round_trip_seconds", &[]).filter(|_| accepted > 0);
        Some(Self { last_accepted: at, round_trip_seconds: took })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(page: &str) -> serde_json::Value {
        let page = Exposition::parse(page);
        let known = Known {
            at: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            problems: vec!["broker: gone".to_owned()],
            warnings: Vec::new(),
            templates: "abc123".to_owned(),
            gateways: Vec::new(),
            ledger_trouble: None,
        };
        let now = Counts::read(&page, &[]);
        serde_json::to_value(State::of(&page, &now, &Counts::default(), known)).expect("JSON")
    }

    #[test]
    fn the_objective_counts_what_was_given_up_but_not_what_upstream_got_wrong() {
        let page = "shirase_notify_seconds_bucket{lane=\"critical\",channel=\"sms\",le=\"5\"} 6\n\
             shirase_notify_seconds_bucket{lane=\"critical\",channel=\"sms\",le=\"30\"} 8\n\
             shirase_notify_seconds_count{lane=\"critical\",channel=\"sms\"} 8\n\
             shirase_notify_seconds_count{lane=\"standard\",channel=\"sms\"} 100\n\
             shirase_untold_total{lane=\"critical\",reason=\"exhausted\"} 2\n\
             shirase_untold_total{lane=\"critical\",reason=\"schema\"} 50\n\
             shirase_untold_total{lane=\"critical\",reason=\"no_address\"} 50\n\
             shirase_untold_total{lane=\"standard\",reason=\"exhausted\"} 50\n";
        let expected = serde_json::json!({"total": 10, "within_5s": 0.6, "within_30s": 0.8});
        assert_eq!(state(page)["objective"], expected);
        let nothing = serde_json::json!({"total": 0, "within_5s": null, "within_30s": null});
        assert_eq!(state("")["objective"], nothing);
    }

    #[test]
    fn what_waits_is_unknown_while_the_broker_is_away() {
        let state = state(
            "shirase_lane_waiting{lane=\"critical\"} NaN\nshirase_lane_waiting{lane=\"standard\"} 4\n\
             shirase_retry_waiting{lane=\"critical\",step=\"30\"} 2\nshirase_retry_waiting{lane=\"critical\",step=\"5\"} NaN\n\
             shirase_dead_waiting NaN\nshirase_dead_letters_total{reason=\"schema\"} 3\nshirase_dead_letters_total{reason=\"refused\"} 0\n",
        );
        assert_eq!(
            (&state["lanes"][0]["waiting"], &state["lanes"][1]["waiting"]),
            (&serde_json::Value::Null, &4.into())
        );
        let retry =
            serde_json::json!([{"step_seconds": 5, "waiting": null}, {"step_seconds": 30, "waiting": 2}]);
        assert_eq!(state["lanes"][0]["retry"], retry);
        assert_eq!(state["dead"]["waiting"], serde_json::Value::Null);
        assert_eq!(state["dead"]["by_reason"], serde_json::json!([{"reason": "schema", "count": 3}]));
        assert_eq!((&state["ready"], &state["canary"]), (&false.into(), &serde_json::Value::Null));
    }

    #[test]
    fn a_canary_that_was_never_accepted_has_no_time() {
        let page = |accepted: u64| {
            format!(
                "shirase_canary_total{{result=\"accepted\"}} {accepted}\n\
                 shirase_canary_last_accepted_timestamp_seconds 1000\nshirase_canary_round_trip_seconds 0.25\n"
            )
        };
        assert_eq!(
            state(&page(0))["canary"],
            serde_json::json!({"last_accepted": null, "round_trip_seconds": null})
        );
        let seen = serde_json::json!({"last_accepted": "1970-01-01T00:16:40Z", "round_trip_seconds": 0.25});
        assert_eq!(state(&page(1))["canary"], seen);
    }
}

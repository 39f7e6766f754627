//! The pictures' data: the last quarter of an hour, step by step. Pure.

use jiff::Timestamp;
use serde::Serialize;

use super::counts::{Counts, Ring, STEP_SECONDS};
use crate::event::Lane;
use crate::plan::Channel;

/// `event: history`. Lists are the oldest step first; nothing where nobody knows.
#[derive(Debug, Serialize)]
pub(super) struct History {
    step_seconds: u64,
    end: Timestamp,
    lanes: Vec<LaneHistory>,
    gateways: Vec<GatewayHistory>,
    given_up: Vec<Option<u64>>,
}

#[derive(Debug, Serialize)]
struct LaneHistory {
    lane: &'static str,
    channels: Vec<ChannelHistory>,
}

#[derive(Debug, Serialize)]
struct ChannelHistory {
    channel: &'static str,
    accepted: Vec<Option<u64>>,
    p50: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct GatewayHistory {
    name: String,
    accepted: Vec<Option<u64>>,
    failed: Vec<Option<u64>>,
}

impl History {
    /// Up to a moment.
    pub fn of(ring: &Ring, gateways: &[&str], end: Timestamp) -> Self {
        let gateway = |(index, name): (usize, &&str)| GatewayHistory {
            name: (*name).to_owned(),
            accepted: differences(ring, |counts| counts.gateways.get(index).map_or(0, |one| one.accepted)),
            failed: differences(ring, |counts| counts.gateways.get(index).map_or(0, |one| one.failed)),
        };
        Self {
            step_seconds: STEP_SECONDS,
            end,
            lanes: Lane::ALL.into_iter().map(|lane| LaneHistory::of(ring, lane)).collect(),
            gateways: gateways.iter().enumerate().map(gateway).collect(),
            given_up: differences(ring, |counts| counts.given_up),
        }
    }
}

impl LaneHistory {
    fn of(ring: &Ring, lane: Lane) -> Self {
        let channels = Channel::ALL.map(|channel| ChannelHistory::of(ring, lane, channel));
        Self { lane: lane.as_str(), channels: channels.into() }
    }
}

impl ChannelHistory {
    fn of(ring: &Ring, lane: Lane, channel: Channel) -> Self {
        let steps: Vec<_> = ring
            .steps()
            .map(|(from, to)| Some(to.told(lane, channel).since(&from?.told(lane, channel))))
            .collect();
        let quantile =
            |share| steps.iter().map(|step| step.as_ref().and_then(|step| step.quantile(share))).collect();
        Self {
            channel: channel.as_str(),
            accepted: steps.iter().map(|step| step.as_ref().map(|step| step.count)).collect(),
            p50: quantile(0.5),
            p99: quantile(0.99),
        }
    }
}

fn differences(ring: &Ring, count: impl Fn(&Counts) -> u64) -> Vec<Option<u64>> {
    ring.steps().map(|(from, to)| Some(count(to).saturating_sub(count(from?)))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::exposition::Exposition;
    use super::*;

    fn at(accepted: u64, failed: u64) -> Counts {
        let page = format!(
            "shirase_notify_seconds_bucket{{lane=\"critical\",channel=\"sms\",le=\"5\"}} {accepted}\n\
             shirase_notify_seconds_count{{lane=\"critical\",channel=\"sms\"}} {accepted}\n\
             shirase_attempts_total{{gateway=\"primary\",outcome=\"accepted\",reason=\"\"}} {accepted}\n\
             shirase_attempts_total{{gateway=\"primary\",outcome=\"retryable\",reason=\"server\"}} {failed}\n"
        );
        Counts::read(&Exposition::parse(&page), &["primary"])
    }

    #[test]
    fn each_step_has_its_acceptances_failures_and_times() {
        let mut ring = Ring::default();
        for (accepted, failed) in [(100, 1), (100, 4), (107, 4)] {
            ring.push(at(accepted, failed));
        }
        let end = "2026-11-22T06:04:05Z".parse().expect("a time");
        let history = serde_json::to_value(History::of(&ring, &["primary"], end)).expect("JSON");
        assert_eq!(history["step_seconds"], 5);
        assert_eq!(history["end"], "2026-11-22T06:04:05Z");
        let sms = &history["lanes"][0]["channels"][0];
        assert_eq!(
            *sms,
            json!({"channel": "sms", "accepted": [null, 0, 7], "p50": [null, null, 5.0], "p99": [null, null, 5.0]})
        );
        let gateway = json!({"name": "primary", "accepted": [null, 0, 7], "failed": [null, 3, 0]});
        assert_eq!(history["gateways"][0], gateway);
        assert_eq!(history["lanes"][1]["lane"], "standard");
        assert_eq!(history["given_up"], json!([null, 0, 0]));
    }
}

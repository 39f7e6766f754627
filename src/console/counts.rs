//! What the pictures are made of: everything that is counted, at one moment; and the last quarter of an hour of it. Pure.

use std::collections::VecDeque;

use super::exposition::Exposition;
use super::histogram::Histogram;
use crate::event::Lane;
use crate::plan::Channel;

/// A step of the pictures, in seconds.
pub(super) const STEP_SECONDS: u64 = 5;

/// Steps that are shown: a quarter of an hour.
pub(super) const STEPS: usize = 180;

/// Steps over which quantiles are taken: five minutes.
const RECENT: usize = 60;

/// Attempts that never reached the gateway say nothing about it.
const NOT_ASKED: [&str; 3] = ["own_limit", "circuit_open", "drained"];

/// Every lane with every channel.
pub(super) fn ways() -> impl Iterator<Item = (Lane, Channel)> {
    Lane::ALL.into_iter().flat_map(|lane| Channel::ALL.map(|channel| (lane, channel)))
}

/// Everything that is counted, at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// Seconds from the event to its acceptance, as [`ways`] has them.
    told: Vec<Histogram>,
    /// As the configuration has them.
    pub gateways: Vec<GatewayCounts>,
    /// Events given up.
    pub given_up: u64,
    /// Seconds that commits took.
    pub commits: Histogram,
}

/// What a gateway made of what it was given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GatewayCounts {
    pub accepted: u64,
    pub failed: u64,
    pub attempts: Histogram,
}

impl Counts {
    /// Of these gateways.
    pub fn read(page: &Exposition, gateways: &[&str]) -> Self {
        let told = |(lane, channel): (Lane, Channel)| {
            let labels = [("lane", lane.as_str()), ("channel", channel.as_str())];
            Histogram::read(page, "shirase_notify_seconds", &labels)
        };
        Self {
            told: ways().map(told).collect(),
            gateways: gateways.iter().map(|name| GatewayCounts::read(page, name)).collect(),
            given_up: page.count("shirase_dead_letters_total", &[]).unwrap_or_default(),
            commits: Histogram::read(page, "shirase_ledger_commit_seconds", &[]),
        }
    }

    /// Seconds from the event to its acceptance.
    pub fn told(&self, lane: Lane, channel: Channel) -> Histogram {
        let index = ways().position(|way| way == (lane, channel));
        index.and_then(|index| self.told.get(index)).cloned().unwrap_or_default()
    }

    /// A gateway's, by its place in the configuration.
    pub fn gateway(&self, index: usize) -> GatewayCounts {
        self.gateways.get(index).cloned().unwrap_or_default()
    }
}

impl GatewayCounts {
    fn read(page: &Exposition, name: &str) -> Self {
        let gateway = [("gateway", name)];
        let (mut accepted, mut failed) = (0.0, 0.0);
        for attempts in page.of("shirase_attempts_total", &gateway) {
            let asked = attempts.label("reason").is_none_or(|reason| !NOT_ASKED.contains(&reason));
            match attempts.label("outcome") {
                Some("accepted") => accepted += attempts.value,
                _ if asked => failed += attempts.value,
                _ => {}
            }
        }
        let attempts = Histogram::read(page, "shirase_attempt_seconds", &gateway);
        Self {
            accepted: super::exposition::whole(accepted),
            failed: super::exposition::whole(failed),
            attempts,
        }
    }
}

/// The last quarter of an hour, a step at a time.
#[derive(Default)]
pub(super) struct Ring(VecDeque<Counts>);

impl Ring {
    /// A step is over. One more than is shown is kept, because a step is the difference of two.
    pub fn push(&mut self, counts: Counts) {
        if self.0.len() > STEPS {
            self.0.pop_front();
        }
        self.0.push_back(counts);
    }

    /// Each step by its beginning and end, the oldest first. What was before the first one nobody knows.
    pub fn steps(&self) -> impl Iterator<Item = (Option<&Counts>, &Counts)> {
        let beginnings = std::iter::once(None).chain(self.0.iter().map(Some));
        beginnings.zip(&self.0).skip(self.0.len().saturating_sub(STEPS))
    }

    /// Five minutes ago, or as far back as is known.
    pub fn recent(&self) -> Option<&Counts> {
        self.0.get(self.0.len().saturating_sub(RECENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up(count: u64) -> Counts {
        Counts { given_up: count, ..Counts::default() }
    }

    fn differences(ring: &Ring) -> Vec<Option<u64>> {
        ring.steps().map(|(from, to)| Some(to.given_up - from?.given_up)).collect()
    }

    #[test]
    fn a_step_is_the_difference_of_two_moments_and_the_first_is_unknown() {
        let mut ring = Ring::default();
        assert!(differences(&ring).is_empty() && ring.recent().is_none());
        for count in [3, 3, 10] {
            ring.push(given_up(count));
        }
        assert_eq!(differences(&ring), [None, Some(0), Some(7)]);
        assert_eq!(ring.recent(), Some(&given_up(3)));
    }

    #[test]
    fn it_keeps_a_quarter_of_an_hour_and_every_shown_step_is_known_then() {
        let mut ring = Ring::default();
        for count in 0..1000 {
            ring.push(given_up(count));
        }
        assert_eq!(differences(&ring), vec![Some(1); STEPS]);
        assert_eq!(ring.0.len(), STEPS + 1);
        assert_eq!(ring.recent(), Some(&given_up(940)));
    }

    #[test]
    fn a_gateway_that_was_not_asked_did_not_fail() {
        let page = Exposition::parse(
            "shirase_attempts_total{gateway=\"a\",outcome=\"accepted\",reason=\"\"} 5\n\
             shirase_attempts_total{gateway=\"a\",outcome=\"retryable\",reason=\"server\"} 2\n\
             shirase_attempts_total{gateway=\"a\",outcome=\"unknown\",reason=\"timeout\"} 1\n\
             shirase_attempts_total{gateway=\"a\",outcome=\"retryable\",reason=\"circuit_open\"} 40\n\
             shirase_attempts_total{gateway=\"a\",outcome=\"throttled\",reason=\"own_limit\"} 40\n\
             shirase_attempts_total{gateway=\"b\",outcome=\"accepted\",reason=\"\"} 9\n",
        );
        let counts = Counts::read(&page, &["a", "b"]);
        assert_eq!((counts.gateways[0].accepted, counts.gateways[0].failed), (5, 3));
        assert_eq!((counts.gateways[1].accepted, counts.gateways[1].failed), (9, 0));
    }
}

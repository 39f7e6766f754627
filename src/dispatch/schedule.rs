//! When a failed delivery is tried again. Data from the configuration, decisions without a clock.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Span;

/// `[retry]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// The delay before each further attempt, whole seconds; after the last one the event is a dead letter.
    pub schedule: Vec<Span>,
    /// Delays are shortened by a random part of this share, 0 to 0.5, so that what failed together doesn't come back
    /// together.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub jitter: f64,
    /// Trouble that lasts longer than this is not waited for where the other channel can take over: counted from a
    /// notification's first attempt.
    pub fallback_after: Span,
}

/// The retry schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// From the configuration.
    pub fn new(config: &RetryConfig) -> Self {
        Self(config.schedule.iter().map(|step| step.0).collect())
    }

    /// The delay after `attempts` earlier ones, at least `wait` as far as the schedule goes; `None` when all are used.
    pub fn delay(&self, attempts: u32, wait: Option<Duration>) -> Option<Duration> {
        let rest = self.0.get(usize::try_from(attempts).ok()?..)?;
        let wait = wait.unwrap_or_default();
        rest.iter().find(|step| **step >= wait).or(rest.last()).copied()
    }

    /// The shortest step that is no shorter than `wait`, or the longest.
    pub fn at_least(&self, wait: Duration) -> Duration {
        let steps = self.steps();
        steps.iter().find(|step| **step >= wait).or(steps.last()).copied().unwrap_or(wait)
    }

    /// The shortest step: for a notification that another delivery is at. A schedule without steps waits a second.
    pub fn shortest(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or(Duration::from_secs(1))
    }

    /// Every distinct step, for the delay queues.
    pub fn steps(&self) -> Vec<Duration> {
        let mut steps = self.0.clone();
        steps.push(self.shortest());
        steps.sort();
        steps.dedup();
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(seconds: &[u64]) -> Schedule {
        let schedule = seconds.iter().map(|seconds| Span::seconds(*seconds)).collect();
        Schedule::new(&RetryConfig { schedule, jitter: 0.0, fallback_after: Span::seconds(60) })
    }

    #[test]
    fn each_attempt_takes_the_next_step_until_there_is_none() {
        let schedule = schedule(&[5, 30, 120]);
        let delays: Vec<_> =
            (0..4).map(|attempts| schedule.delay(attempts, None).map(|delay| delay.as_secs())).collect();
        assert_eq!(delays, [Some(5), Some(30), Some(120), None]);
    }

    #[test]
    fn a_wait_that_a_gateway_asks_for_skips_shorter_steps() {
        let schedule = schedule(&[5, 30, 120]);
        let wait = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(schedule.delay(0, wait(20)), wait(30));
        assert_eq!(schedule.delay(0, wait(3600)), wait(120));
        assert_eq!(schedule.delay(2, wait(1)), wait(120));
    }

    #[test]
    fn a_wait_takes_the_step_that_outlasts_it() {
        let schedule = schedule(&[30, 5, 120]);
        for (wait, step) in [(0, 5), (5, 5), (6, 30), (31, 120), (3600, 120)] {
            assert_eq!(schedule.at_least(Duration::from_secs(wait)).as_secs(), step);
        }
    }

    #[test]
    fn an_empty_schedule_never_retries_a_failure_but_still_waits_for_a_busy_notification() {
        assert_eq!(schedule(&[]).delay(0, None), None);
        assert_eq!(schedule(&[]).steps(), [Duration::from_secs(1)]);
    }
}

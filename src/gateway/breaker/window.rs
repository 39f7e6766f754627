//! How many attempts of the last seconds failed, in a few counters, whatever the rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A window moves in steps of this part of it.
const STEPS: u32 = 10;

#[derive(Debug)]
struct Step {
    since: Instant,
    attempts: u32,
    failed: u32,
}

/// Counts over a length of time, in ten steps: what is older by more than the length no longer counts.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    steps: VecDeque<Step>,
}

impl Window {
    pub fn new(length: Duration) -> Self {
        Self { length, steps: VecDeque::new() }
    }

    pub fn add(&mut self, now: Instant, failed: bool) {
        while self.steps.front().is_some_and(|step| step.since + self.length <= now) {
            self.steps.pop_front();
        }
        if self.steps.back().is_none_or(|step| step.since + self.length / STEPS <= now) {
            self.steps.push_back(Step { since: now, attempts: 0, failed: 0 });
        }
        if let Some(step) = self.steps.back_mut() {
            step.attempts = step.attempts.saturating_add(1);
            step.failed = step.failed.saturating_add(failed.into());
        }
    }

    /// Attempts, and how many of them failed.
    pub fn count(&self, now: Instant) -> (u32, u32) {
        let steps = self.steps.iter().filter(|step| step.since + self.length > now);
        steps.fold((0, 0), |(attempts, failed), step| {
            (attempts.saturating_add(step.attempts), failed.saturating_add(step.failed))
        })
    }

    pub fn clear(&mut self) {
        self.steps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_no_longer_counts_and_no_rate_makes_it_grow() {
        let (mut window, start) = (Window::new(Duration::from_secs(10)), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        for millis in 0..20_000 {
            window.add(at(millis), millis % 4 == 0);
        }
        let (attempts, failed) = window.count(at(20_000));
        assert!((9_000..=10_000).contains(&attempts) && failed * 4 == attempts, "{attempts} {failed}");
        assert!(window.steps.len() <= STEPS as usize + 1);
        assert_eq!(window.count(at(30_000)), (0, 0));
    }
}

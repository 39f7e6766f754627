//! What a failure means: again after a delay, or given up so that the other channel takes over. Pure.

use std::time::Duration;

use super::{DeadReason, Schedule};

/// What an ending means for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A gateway has it.
    Told,
    /// Deliberately not told.
    HeldBack,
    /// To be looked at again after this delay.
    Later {
        delay: Duration,
        /// It was tried, which uses up one of the schedule's attempts.
        counted: bool,
    },
    /// Given up.
    GivenUp(DeadReason),
}

/// What a notification that was not accepted waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// The schedule's next step, or what the gateway asks for.
    Schedule { wait: Option<Duration> },
    /// A receipt, for so long.
    Receipt { left: Duration, counted: bool },
    /// A turn under our own limits, or gateways that may be asked again: nothing was tried, and nothing will be before
    /// `wait` is over.
    Untried { wait: Duration },
    /// Nothing: it was refused for good.
    Never,
}

/// Where a notification stands when it was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Situation {
    /// How many times it was tried, this one included.
    pub attempt: u32,
    /// Since it was first tried.
    pub age: Duration,
    /// Until the event's deadline.
    pub left: Duration,
    /// When the other channel takes over, if there is one.
    pub fallback_after: Option<Duration>,
}

impl Situation {
    /// Each notification goes through the whole schedule, counted by its own claims: a fallback that takes over late has
    /// as many tries as the channel before it. Where there is a fallback, nobody waits past `fallback_after` for a
    /// retry; and nothing is tried again that could not be sent before the deadline.
    pub fn verdict(self, schedule: &Schedule, pause: Pause) -> Verdict {
        let (delay, counted) = match pause {
            Pause::Never => return Verdict::GivenUp(DeadReason::Refused),
            Pause::Receipt { left, counted } => return self.wait_for_receipt(schedule, left, counted),
            Pause::Untried { wait } => return self.wait_for_a_gateway(schedule, wait),
            Pause::Schedule { wait } => match schedule.delay(self.attempt.saturating_sub(1), wait) {
                Some(delay) => (delay, true),
                None => return Verdict::GivenUp(DeadReason::Exhausted),
            },
        };
        if delay > self.left {
            return Verdict::GivenUp(DeadReason::Expired);
        }
        match self.fallback_after {
            Some(limit) if self.age + delay > limit => Verdict::GivenUp(DeadReason::Exhausted),
            _ => Verdict::Later { delay, counted },
        }
    }

    /// Until a gateway may be asked, and no attempt is used up. Where that comes after the step that is due for the other
    /// channel or the deadline, a shorter step comes back in time.
    fn wait_for_a_gateway(self, schedule: &Schedule, wait: Duration) -> Verdict {
        let until_fallback =
            self.fallback_after.map_or(Duration::MAX, |limit| limit.saturating_sub(self.age));
        let limit = until_fallback.min(self.left);
        let step = schedule.at_least(wait);
        let fitting =
            [step].into_iter().chain(schedule.steps().into_iter().rev()).find(|step| *step <= limit);
        match fitting.filter(|_| wait <= limit) {
            Some(delay) => Verdict::Later { delay, counted: false },
            None if wait.max(schedule.shortest()) > self.left => Verdict::GivenUp(DeadReason::Expired),
            None => Verdict::GivenUp(DeadReason::Exhausted),
        }
    }

    /// The message may have arrived: it is waited for as long as the gateway's policy says, but not past the moment at
    /// which the other channel takes over.
    fn wait_for_receipt(self, schedule: &Schedule, left: Duration, counted: bool) -> Verdict {
        let until_fallback = self.fallback_after.map(|limit| limit.saturating_sub(self.age));
        if until_fallback.is_some_and(|left| left.is_zero()) {
            return Verdict::GivenUp(DeadReason::Exhausted);
        }
        if left > self.left {
            return Verdict::GivenUp(DeadReason::Expired);
        }
        let wait = until_fallback.map_or(left, |until| until.min(left));
        Verdict::Later { delay: schedule.at_least(wait), counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;
    use crate::dispatch::RetryConfig;

    const NEW: Situation = Situation {
        attempt: 1,
        age: Duration::ZERO,
        left: Duration::from_secs(3600),
        fallback_after: Some(Duration::from_secs(60)),
    };
    const NEXT: Pause = Pause::Schedule { wait: None };
    const UNTRIED: Pause = Pause::Untried { wait: Duration::ZERO };

    fn schedule() -> Schedule {
        let schedule = [5, 30, 120, 600].map(Span::seconds).to_vec();
        Schedule::new(&RetryConfig { schedule, jitter: 0.0, fallback_after: Span::seconds(60) })
    }

    fn later(seconds: u64, counted: bool) -> Verdict {
        Verdict::Later { delay: Duration::from_secs(seconds), counted }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn trouble_that_lasts_past_fallback_after_is_the_other_channel_s_and_without_one_the_schedule_s() {
        let schedule = schedule();
        assert_eq!(NEW.verdict(&schedule, NEXT), later(5, true));
        let second = Situation { attempt: 2, age: seconds(5), ..NEW };
        assert_eq!(second.verdict(&schedule, NEXT), later(30, true));
        let third = Situation { attempt: 3, age: seconds(35), ..NEW };
        assert_eq!(third.verdict(&schedule, NEXT), Verdict::GivenUp(DeadReason::Exhausted));
        let alone = Situation { fallback_after: None, ..third };
        assert_eq!(alone.verdict(&schedule, NEXT), later(120, true));
        let last = Situation { attempt: 5, ..alone };
        assert_eq!(last.verdict(&schedule, NEXT), Verdict::GivenUp(DeadReason::Exhausted));
    }

    #[test]
    fn what_could_not_be_sent_before_its_deadline_is_given_up_at_once() {
        let late = Situation { left: seconds(4), ..NEW };
        for pause in [NEXT, UNTRIED, Pause::Receipt { left: seconds(10), counted: true }] {
            assert_eq!(late.verdict(&schedule(), pause), Verdict::GivenUp(DeadReason::Expired), "{pause:?}");
        }
        assert_eq!(NEW.verdict(&schedule(), Pause::Never), Verdict::GivenUp(DeadReason::Refused));
    }

    #[test]
    fn waiting_for_our_own_turn_uses_up_no_attempt() {
        let often = Situation { attempt: 50, fallback_after: None, ..NEW };
        assert_eq!(often.verdict(&schedule(), UNTRIED), later(5, false));
    }

    #[test]
    fn what_waits_for_a_gateway_comes_back_when_one_may_be_asked_and_in_time_for_the_other_channel() {
        let schedule = schedule();
        let after = |age, wait| {
            let situation = Situation { attempt: 50, age: seconds(age), ..NEW };
            situation.verdict(&schedule, Pause::Untried { wait: seconds(wait) })
        };
        assert_eq!(after(0, 5), later(5, false));
        assert_eq!(after(0, 6), later(30, false));
        assert_eq!(
            after(0, 40),
            later(30, false),
            "the step of two minutes would come after the other channel's time"
        );
        assert_eq!(after(40, 20), later(5, false));
        assert_eq!(after(40, 21), Verdict::GivenUp(DeadReason::Exhausted), "no gateway before its time");
        assert_eq!(after(58, 1), Verdict::GivenUp(DeadReason::Exhausted), "no step comes in time");
        let alone = Situation { age: seconds(3600), fallback_after: None, ..NEW };
        assert_eq!(alone.verdict(&schedule, Pause::Untried { wait: seconds(40) }), later(120, false));
        let nearly = Situation { left: seconds(50), ..alone };
        assert_eq!(nearly.verdict(&schedule, Pause::Untried { wait: seconds(40) }), later(30, false));
        assert_eq!(
            nearly.verdict(&schedule, Pause::Untried { wait: seconds(51) }),
            Verdict::GivenUp(DeadReason::Expired)
        );
    }

    #[test]
    fn a_receipt_is_waited_for_until_its_limit_or_until_the_other_channel_takes_over() {
        let wait = |left| Pause::Receipt { left: seconds(left), counted: true };
        assert_eq!(NEW.verdict(&schedule(), wait(20)), later(30, true));
        assert_eq!(NEW.verdict(&schedule(), wait(600)), later(120, true), "at 60 s the fallback is due");
        let due = Situation { age: seconds(60), ..NEW };
        assert_eq!(due.verdict(&schedule(), wait(540)), Verdict::GivenUp(DeadReason::Exhausted));
        let alone = Situation { fallback_after: None, ..NEW };
        assert_eq!(alone.verdict(&schedule(), wait(600)), later(600, true));
    }
}

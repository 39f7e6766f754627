//! A gateway's turns as numbers: which lane may have the next one, and when. Pure: the time comes in.
//!
//! One bucket for both lanes, filled at the gateway's rate (the generic cell rate algorithm, as ATM networks have it). While
//! critical messages wait, each turn is theirs, but for the share that standard ones are sure of. So a critical message waits
//! for one turn, however many others wait, and no storm of critical messages silences the other lane.

use std::time::{Duration, Instant};

use crate::event::Lane;

/// Turns at a steady rate.
#[derive(Debug)]
pub(super) struct Bucket {
    /// From one turn to the next.
    period: Duration,
    /// What may be taken at once when nothing was taken for long.
    burst: Duration,
    /// The bucket would be full again then.
    full_at: Instant,
    /// From one turn that standard messages are sure of to the next.
    standard_period: Duration,
    /// Standard messages have had theirs until then.
    standard_at: Instant,
    /// Lanes in which somebody waits.
    waiting: [bool; 2],
}

/// The answer to whoever wants a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Go,
    /// To be asked again then.
    At(Instant),
    /// To be asked again when the other lane has had a turn, or waits no more.
    Behind,
}

impl Bucket {
    /// Full at `now`. `share` of the turns, 0 to 1, are standard messages' whoever waits.
    pub fn new(period: Duration, burst: u32, share: f64, now: Instant) -> Self {
        let standard_period = if share > 0.0 { period.div_f64(share) } else { Duration::MAX };
        Self {
            period,
            burst: period.saturating_mul(burst.max(1) - 1),
            full_at: now,
            standard_period,
            standard_at: if share > 0.0 { now } else { far(now) },
            waiting: [false; 2],
        }
    }

    /// Somebody waits in a lane, or nobody does any more.
    pub fn waits(&mut self, lane: Lane, waits: bool) {
        self.waiting[lane as usize] = waits;
    }

    /// Somebody else waits in the other lane.
    pub fn is_contended(&self, lane: Lane) -> bool {
        self.waiting[other(lane) as usize]
    }

    /// Takes a turn for a lane, if it is its turn.
    pub fn take(&mut self, lane: Lane, now: Instant) -> Answer {
        let due = self.full_at.checked_sub(self.burst).unwrap_or(now);
        if due > now {
            return Answer::At(due);
        }
        let contended = self.is_contended(lane);
        if contended && lane != self.first(now) {
            return Answer::Behind;
        }
        self.full_at = self.full_at.max(now) + self.period;
        if contended && lane == Lane::Standard {
            let next = self.standard_at.max(now).checked_add(self.standard_period);
            self.standard_at = next.unwrap_or_else(|| far(now));
        }
        Answer::Go
    }

    /// Whose the next turn is when both lanes want it.
    fn first(&self, now: Instant) -> Lane {
        if self.standard_at <= now { Lane::Standard } else { Lane::Critical }
    }
}

fn other(lane: Lane) -> Lane {
    match lane {
        Lane::Critical => Lane::Standard,
        Lane::Standard => Lane::Critical,
    }
}

/// Beyond the life of any process.
fn far(now: Instant) -> Instant {
    now + Duration::from_secs(100 * 365 * 24 * 3600)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    /// Who has had a turn in a second, when both lanes always want one if they want any.
    fn a_second(share: f64, burst: u32, wanting: &[Lane]) -> Vec<(Lane, u128)> {
        let start = Instant::now();
        let mut bucket = Bucket::new(PERIOD, burst, share, start);
        wanting.iter().for_each(|lane| bucket.waits(*lane, true));
        let mut had = Vec::new();
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            while let Some(lane) = wanting.iter().find(|lane| bucket.take(**lane, now) == Answer::Go) {
                had.push((*lane, now.duration_since(start).as_millis()));
            }
        }
        had
    }

    fn count(had: &[(Lane, u128)], lane: Lane) -> usize {
        had.iter().filter(|(one, _)| *one == lane).count()
    }

    #[test]
    fn each_lane_alone_has_every_turn() {
        for lane in Lane::ALL {
            assert_eq!(a_second(0.2, 1, &[lane]).len(), 100, "{lane:?}");
            assert_eq!(a_second(0.2, 30, &[lane]).len(), 129, "a burst, and then the rate");
        }
    }

    #[test]
    fn critical_messages_are_first_and_standard_ones_have_their_share() {
        for (share, standard) in [(0.2, 20), (0.5, 50), (0.0, 0), (1.0, 100)] {
            let had = a_second(share, 1, &Lane::ALL);
            assert_eq!((had.len(), count(&had, Lane::Standard)), (100, standard), "{share}");
        }
    }

    #[test]
    fn a_critical_message_waits_for_one_turn_behind_a_storm() {
        let start = Instant::now();
        let mut bucket = Bucket::new(PERIOD, 100, 0.2, start);
        bucket.waits(Lane::Standard, true);
        while bucket.take(Lane::Standard, start) == Answer::Go {}
        // The storm has used the share up that it is sure of; it had more than that uncontended.
        bucket.waits(Lane::Critical, true);
        let Answer::At(due) = bucket.take(Lane::Critical, start) else { panic!("the bucket is empty") };
        assert_eq!(due, start + PERIOD);
        let first = [Lane::Standard, Lane::Critical].map(|lane| bucket.take(lane, due));
        let second = bucket.take(Lane::Critical, due + PERIOD);
        assert!(first.contains(&Answer::Go) && second == Answer::Go, "{first:?} {second:?}");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_never_less_while_somebody_waits(
            burst in 1..20_u32, share in 0.0..1.0_f64,
            steps in prop::collection::vec((0..40_u64, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::new(PERIOD, burst, share, start);
            let (mut now, mut taken) = (start, 0);
            for (wait, critical, standard) in steps {
                now += Duration::from_millis(wait);
                let wanting = [(Lane::Critical, critical), (Lane::Standard, standard)];
                wanting.iter().for_each(|(lane, wants)| bucket.waits(*lane, *wants));
                let wanting: Vec<Lane> = wanting.iter().filter(|(_, wants)| *wants).map(|(lane, _)| *lane).collect();
                let mut answers = Vec::new();
                for lane in &wanting {
                    answers.push(bucket.take(*lane, now));
                }
                taken += answers.iter().filter(|answer| **answer == Answer::Go).count();
                let most = u128::from(burst) + now.duration_since(start).as_nanos() / PERIOD.as_nanos();
                prop_assert!(taken as u128 <= most, "{taken} of {most}");
                // Nobody waits behind somebody who is told to wait as well.
                let all_behind = !wanting.is_empty() && answers.iter().all(|answer| *answer == Answer::Behind);
                prop_assert!(!all_behind);
            }
        }
    }
}

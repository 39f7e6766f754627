//! A gateway's limits: its rate, and messages at once, of which a few are kept for the critical lane, so that a storm of logins
//! cannot take every place.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::event::Lane;

/// One in this many places, and one at least, is kept for the critical lane: that much of it is sent at once, and what is more
/// has to wait for the next of all the others that ends. More would be taken from the standard lane on every quiet day.
const KEPT_PLACES: u32 = 16;

/// `rate_per_second`, which the vendor counts over the whole fleet, and among how many workers it is divided. Nobody
/// coordinates them: where the events are spread unevenly, a part of the rate is left unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second from all workers together.
    pub per_second: NonZeroU32,
    /// How many workers share it.
    pub replicas: NonZeroU32,
}

impl Rate {
    /// From one message of this worker to its next, and how many it may send at once: its share of a second, one at least.
    pub(super) fn steps(self) -> (Duration, u32) {
        let (messages, seconds) = (self.per_second.get(), self.replicas.get());
        (Duration::from_secs(seconds.into()) / messages, (messages / seconds).max(1))
    }
}

/// `100 a second over 4 replicas = 25 each`
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = f64::from(self.per_second.get()) / f64::from(self.replicas.get());
        match self.replicas.get() {
            1 => write!(f, "{each} a second"),
            // Two digits after the point tell a third from a quarter; more is noise.
            replicas => write!(
                f,
                "{} a second over {replicas} replicas = {} each",
                self.per_second,
                (each * 100.0).round() / 100.0
            ),
        }
    }
}

/// Places for messages that are being sent.
pub(super) struct Places {
    all: Semaphore,
    /// As many of them as standard events may hold: the others are the critical lane's.
    standard: Semaphore,
}

/// One of them, until it is dropped.
pub(super) struct Place<'a> {
    _share: Option<SemaphorePermit<'a>>,
    _place: Option<SemaphorePermit<'a>>,
}

impl Places {
    pub fn new(count: u32) -> Self {
        let kept = (count / KEPT_PLACES).max(1);
        let standard = count.saturating_sub(kept).max(1);
        Self { all: Semaphore::new(count as usize), standard: Semaphore::new(standard as usize) }
    }

    /// Waits for one.
    pub async fn next(&self, lane: Lane) -> Place<'_> {
        // Neither semaphore is ever closed.
        let share = match lane {
            Lane::Critical => None,
            Lane::Standard => self.standard.acquire().await.ok(),
        };
        Place { _share: share, _place: self.all.acquire().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn rate(per_second: u32, replicas: u32) -> Option<Rate> {
        let number = |number| NonZeroU32::new(number).expect("not 0");
        Some(Rate { per_second: number(per_second), replicas: number(replicas) })
    }

    #[test]
    fn all_workers_together_keep_to_the_rate() {
        let steps = |per_second, replicas| rate(per_second, replicas).map(Rate::steps);
        assert_eq!(steps(100, 1), Some((Duration::from_millis(10), 100)));
        assert_eq!(steps(100, 4), Some((Duration::from_millis(40), 25)));
        assert_eq!(steps(1, 4), Some((Duration::from_secs(4), 1)), "less than one a second");
    }

    #[test]
    fn a_rate_says_what_is_left_of_it_for_each_worker() {
        let words = |per_second, replicas| rate(per_second, replicas).map(|rate| rate.to_string());
        assert_eq!(words(100, 1).as_deref(), Some("100 a second"));
        assert_eq!(words(100, 4).as_deref(), Some("100 a second over 4 replicas = 25 each"));
        assert_eq!(words(1, 3).as_deref(), Some("1 a second over 3 replicas = 0.33 each"));
    }

    #[test]
    fn a_storm_of_standard_messages_leaves_places_for_critical_ones() {
        for (count, standard) in [(1, 1), (2, 1), (8, 7), (16, 15), (64, 60)] {
            let places = Places::new(count);
            let next = |lane| places.next(lane).now_or_never();
            let storm = Vec::from_iter(std::iter::from_fn(|| next(Lane::Standard)));
            assert_eq!(storm.len(), standard, "of {count}");
            let critical = Vec::from_iter(std::iter::from_fn(|| next(Lane::Critical)));
            assert_eq!(critical.len(), count as usize - standard, "the places are the limit for all");
        }
    }
}

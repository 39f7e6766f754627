//! A gateway's limits: messages a second and messages at once. Both keep a share for the critical lane, so that a storm of
//! logins cannot take every turn.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::event::Lane;

/// One in this many turns is kept for the critical lane.
const KEPT_TURNS: u32 = 5;

/// One in this many places is kept for the critical lane.
const KEPT_PLACES: u32 = 4;

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
    /// The quota for `part` in `of` of this worker's share: its whole number of messages at once, one at least.
    fn quota(self, part: u32, of: u32) -> Option<Quota> {
        let (messages, seconds) = (self.per_second.get().saturating_mul(part), self.replicas.get() * of);
        let burst = NonZeroU32::new(messages / seconds).unwrap_or(NonZeroU32::MIN);
        let period = Duration::from_secs(seconds.into()) / messages.max(1);
        Some(Quota::with_period(period)?.allow_burst(burst))
    }

    /// The share is so small that none of it can be kept back.
    fn is_small(self) -> bool {
        self.per_second.get() / self.replicas.get() < KEPT_TURNS
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

/// A gateway's turns: a part that only critical events get, and the rest for whoever comes.
pub(super) struct Turns {
    kept: Option<DefaultDirectRateLimiter>,
    shared: Option<DefaultDirectRateLimiter>,
}

impl Turns {
    /// No limit without a rate. A rate below the share keeps nothing back.
    pub fn new(rate: Option<Rate>) -> Self {
        let limiter = |part, of| rate.and_then(|rate| rate.quota(part, of)).map(RateLimiter::direct);
        if rate.is_none_or(Rate::is_small) {
            return Self { kept: None, shared: limiter(1, 1) };
        }
        Self { kept: limiter(1, KEPT_TURNS), shared: limiter(KEPT_TURNS - 1, KEPT_TURNS) }
    }

    /// Waits for a turn.
    pub async fn next(&self, lane: Lane) {
        let Some(shared) = &self.shared else { return };
        match (&self.kept, lane) {
            (Some(kept), Lane::Critical) => tokio::select! {
                biased;
                () = kept.until_ready() => {}
                () = shared.until_ready() => {}
            },
            _ => shared.until_ready().await,
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
        let standard = count - count / KEPT_PLACES;
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
    use tokio::time::timeout;

    use super::*;

    fn rate(per_second: u32, replicas: u32) -> Option<Rate> {
        let number = |number| NonZeroU32::new(number).expect("not 0");
        Some(Rate { per_second: number(per_second), replicas: number(replicas) })
    }

    fn now(turns: &Turns, lane: Lane) -> bool {
        turns.next(lane).now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_storm_of_standard_events_leaves_turns_for_critical_ones() {
        let turns = Turns::new(rate(10, 1));
        let standard = (0..20).filter(|_| now(&turns, Lane::Standard)).count();
        assert_eq!(standard, 8);
        assert!(now(&turns, Lane::Critical) && now(&turns, Lane::Critical));
        assert!(!now(&turns, Lane::Critical) && !now(&turns, Lane::Standard));
        timeout(Duration::from_secs(5), turns.next(Lane::Critical)).await.expect("a turn comes back");
    }

    #[tokio::test]
    async fn critical_events_may_use_every_turn_and_no_rate_is_no_limit() {
        let turns = Turns::new(rate(10, 1));
        assert_eq!((0..20).filter(|_| now(&turns, Lane::Critical)).count(), 10);
        let unlimited = Turns::new(None);
        assert!((0..1000).all(|_| now(&unlimited, Lane::Standard)));
        let one = Turns::new(rate(1, 1));
        assert!(now(&one, Lane::Critical) && !now(&one, Lane::Critical));
    }

    #[tokio::test]
    async fn all_workers_together_keep_to_the_rate() {
        let each = Turns::new(rate(100, 4));
        assert_eq!((0..100).filter(|_| now(&each, Lane::Critical)).count(), 25);
        let period = |rate: Option<Rate>| {
            rate.and_then(|rate| rate.quota(1, 1)).map(|quota| quota.replenish_interval())
        };
        assert_eq!(period(rate(1, 4)), Some(Duration::from_secs(4)), "less than one a second");
        assert_eq!(period(rate(100, 4)), Some(Duration::from_millis(40)));
        let small = Turns::new(rate(1, 4));
        assert!(now(&small, Lane::Standard) && !now(&small, Lane::Critical));
    }

    #[test]
    fn a_rate_says_what_is_left_of_it_for_each_worker() {
        let words = |per_second, replicas| rate(per_second, replicas).map(|rate| rate.to_string());
        assert_eq!(words(100, 1).as_deref(), Some("100 a second"));
        assert_eq!(words(100, 4).as_deref(), Some("100 a second over 4 replicas = 25 each"));
        assert_eq!(words(1, 3).as_deref(), Some("1 a second over 3 replicas = 0.33 each"));
    }

    #[tokio::test]
    async fn a_storm_of_standard_messages_leaves_places_for_critical_ones() {
        let places = Places::new(8);
        let mut held = Vec::new();
        while let Some(place) = places.next(Lane::Standard).now_or_never() {
            held.push(place);
        }
        assert_eq!(held.len(), 6);
        held.extend([places.next(Lane::Critical).await, places.next(Lane::Critical).await]);
        assert!(places.next(Lane::Critical).now_or_never().is_none(), "the places are the limit for all");
    }
}

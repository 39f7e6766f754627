//! `rate_per_second`, shared by the lanes so that a storm of logins cannot take every turn.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::event::Lane;

/// One in this many turns is kept for the critical lane.
const KEPT_SHARE: u32 = 5;

/// A gateway's turns: a part that only critical events get, and the rest for whoever comes.
pub(super) struct Turns {
    kept: Option<DefaultDirectRateLimiter>,
    shared: Option<DefaultDirectRateLimiter>,
}

impl Turns {
    /// No limit without a rate. A rate below the share keeps nothing back.
    pub fn new(rate_per_second: Option<NonZeroU32>) -> Self {
        let rate = rate_per_second.map_or(0, NonZeroU32::get);
        let kept = rate / KEPT_SHARE;
        let limiter = |rate| NonZeroU32::new(rate).map(|rate| RateLimiter::direct(Quota::per_second(rate)));
        Self { kept: limiter(kept), shared: limiter(rate - kept) }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    fn now(turns: &Turns, lane: Lane) -> bool {
        turns.next(lane).now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_storm_of_standard_events_leaves_turns_for_critical_ones() {
        let turns = Turns::new(NonZeroU32::new(10));
        let standard = (0..20).filter(|_| now(&turns, Lane::Standard)).count();
        assert_eq!(standard, 8);
        assert!(now(&turns, Lane::Critical) && now(&turns, Lane::Critical));
        assert!(!now(&turns, Lane::Critical) && !now(&turns, Lane::Standard));
        timeout(Duration::from_secs(5), turns.next(Lane::Critical)).await.expect("a turn comes back");
    }

    #[tokio::test]
    async fn critical_events_may_use_every_turn_and_no_rate_is_no_limit() {
        let turns = Turns::new(NonZeroU32::new(10));
        assert_eq!((0..20).filter(|_| now(&turns, Lane::Critical)).count(), 10);
        let unlimited = Turns::new(None);
        assert!((0..1000).all(|_| now(&unlimited, Lane::Standard)));
        let one = Turns::new(NonZeroU32::new(1));
        assert!(now(&one, Lane::Critical) && !now(&one, Lane::Critical));
    }
}

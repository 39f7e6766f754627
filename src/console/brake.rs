//! A brake on wrong tokens: an address that has tried too many is not heard for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong tokens within a minute after which an address is not heard.
const TRIES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered; beyond that the one that began first is forgotten.
const ADDRESSES: usize = 1024;

/// What each address has tried.
#[derive(Default)]
pub(super) struct Brake(HashMap<IpAddr, Tried>);

#[derive(Clone, Copy)]
struct Tried {
    since: Instant,
    wrong: u32,
}

impl Brake {
    /// Whether this address is not heard at the moment, whatever it says.
    pub fn holds(&self, from: IpAddr, now: Instant) -> bool {
        self.0.get(&from).is_some_and(|tried| tried.wrong >= TRIES && !tried.is_over(now))
    }

    /// This address said a wrong token.
    pub fn wrong(&mut self, from: IpAddr, now: Instant) {
        if self.0.len() >= ADDRESSES && !self.0.contains_key(&from) {
            self.0.retain(|_, tried| !tried.is_over(now));
            self.forget_the_first();
        }
        let tried = self.0.entry(from).or_insert(Tried { since: now, wrong: 0 });
        if tried.is_over(now) {
            *tried = Tried { since: now, wrong: 0 };
        }
        tried.wrong += 1;
    }

    fn forget_the_first(&mut self) {
        if self.0.len() < ADDRESSES {
            return;
        }
        let first = self.0.iter().min_by_key(|(_, tried)| tried.since).map(|(address, _)| *address);
        first.and_then(|address| self.0.remove(&address));
    }
}

impl Tried {
    fn is_over(self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_too_many_wrong_tokens_is_not_heard_for_a_minute_and_nobody_else_suffers() {
        let (mut brake, start) = (Brake::default(), Instant::now());
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..TRIES {
            assert!(!brake.holds(one, start));
            brake.wrong(one, start);
        }
        assert!(brake.holds(one, start) && !brake.holds(other, start));
        assert!(brake.holds(one, start + Duration::from_secs(59)));
        assert!(!brake.holds(one, start + WINDOW));
        brake.wrong(one, start + WINDOW);
        assert!(!brake.holds(one, start + WINDOW));
    }

    #[test]
    fn what_it_remembers_is_bounded_whoever_tries() {
        let (mut brake, start) = (Brake::default(), Instant::now());
        for number in 0..3 * u32::try_from(ADDRESSES).expect("small") {
            brake.wrong(IpAddr::from(number.to_be_bytes()), start + Duration::from_millis(number.into()));
        }
        assert_eq!(brake.0.len(), ADDRESSES);
    }
}

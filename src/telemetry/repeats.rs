//! What happens again and again is said once, then counted, and summed up. Pure: time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What is being counted: at most `most` different things, each for one `window` after the other.
pub(super) struct Repeats<K> {
    window: Duration,
    most: usize,
    counts: HashMap<K, Count>,
}

struct Count {
    since: Instant,
    more: u64,
}

/// What was counted and not said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sum<K> {
    pub key: K,
    /// At least 1.
    pub more: u64,
    /// The time in which they happened.
    pub over: Duration,
}

impl<K: Eq + Hash + Clone> Repeats<K> {
    pub fn new(window: Duration, most: usize) -> Self {
        Self { window, most, counts: HashMap::new() }
    }

    /// It happened: true when it is to be said, false when it was counted. What there is no room to count is said.
    pub fn is_new(&mut self, key: &K, now: Instant) -> bool {
        if let Some(count) = self.counts.get_mut(key) {
            count.more += 1;
            return false;
        }
        if self.counts.len() < self.most {
            self.counts.insert(key.clone(), Count { since: now, more: 0 });
        }
        true
    }

    /// The sums of the windows that are over. What did not happen again in one is forgotten: the next time it is new.
    pub fn due(&mut self, now: Instant) -> Vec<Sum<K>> {
        let window = self.window;
        let mut sums = Vec::new();
        self.counts.retain(|key, count| {
            if now.saturating_duration_since(count.since) < window {
                return true;
            }
            let sum = count.sum(key, now);
            let goes_on = sum.is_some();
            sums.extend(sum);
            *count = Count { since: now, more: 0 };
            goes_on
        });
        sums
    }

    /// The sums so far of whatever is over now; the next time it is new.
    pub fn over(&mut self, now: Instant, is_over: impl Fn(&K) -> bool) -> Vec<Sum<K>> {
        let over = self.counts.extract_if(|key, _| is_over(key));
        over.filter_map(|(key, count)| count.sum(&key, now)).collect()
    }
}

impl Count {
    fn sum<K: Clone>(&self, key: &K, now: Instant) -> Option<Sum<K>> {
        let over = now.saturating_duration_since(self.since);
        (self.more > 0).then(|| Sum { key: key.clone(), more: self.more, over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn sum(key: &'static str, more: u64, seconds: u64) -> Sum<&'static str> {
        Sum { key, more, over: Duration::from_secs(seconds) }
    }

    #[test]
    fn of_a_thousand_the_first_is_said_and_the_sum_has_the_rest() {
        let (mut repeats, start) = (Repeats::new(WINDOW, 10), Instant::now());
        let said =
            (0..1000).filter(|n| repeats.is_new(&"timeout", start + Duration::from_millis(*n))).count();
        assert_eq!(said, 1);
        assert_eq!(repeats.due(start + Duration::from_secs(59)), []);
        assert_eq!(repeats.due(start + Duration::from_secs(60)), [sum("timeout", 999, 60)]);
    }

    #[test]
    fn what_goes_on_is_a_sum_a_window_and_what_was_quiet_for_one_is_new_again() {
        let (mut repeats, start) = (Repeats::new(WINDOW, 10), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(repeats.is_new(&"timeout", at(0)));
        assert!(!repeats.is_new(&"timeout", at(59)));
        assert_eq!(repeats.due(at(60)), [sum("timeout", 1, 60)]);
        assert!(!repeats.is_new(&"timeout", at(70)), "it goes on: nothing new to say");
        assert_eq!(repeats.due(at(125)), [sum("timeout", 1, 65)], "a late look says how late");
        assert_eq!(repeats.due(at(185)), [], "nothing to sum up");
        assert!(repeats.is_new(&"timeout", at(186)));
    }

    #[test]
    fn what_is_over_is_summed_up_at_once_and_leaves_the_others_alone() {
        let (mut repeats, start) = (Repeats::new(WINDOW, 10), Instant::now());
        for key in ["primary", "primary", "backup", "backup", "backup"] {
            repeats.is_new(&key, start);
        }
        let later = start + Duration::from_secs(7);
        assert_eq!(repeats.over(later, |key| *key == "primary"), [sum("primary", 1, 7)]);
        assert!(repeats.is_new(&"primary", later), "it begins anew");
        assert_eq!(repeats.over(later, |_| true), [sum("backup", 2, 7)]);
    }

    #[test]
    fn more_different_things_than_there_is_room_for_are_said_and_take_no_memory() {
        let (mut repeats, now) = (Repeats::new(WINDOW, 2), Instant::now());
        assert!((0..1000).all(|key| repeats.is_new(&key, now)));
        assert_eq!(repeats.counts.len(), 2);
        assert!(!repeats.is_new(&1, now), "those that have a place are counted");
        assert!(repeats.is_new(&2, now), "the others are said: nothing is lost");
    }
}

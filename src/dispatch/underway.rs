//! What is being worked on at the moment, and how old the oldest of it is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::event::Lane;

/// Events between decoding and their disposition. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Underway(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<BTreeSet<(Lane, Timestamp, u64)>>,
    count: AtomicU64,
}

/// One of them, until it is dropped.
pub(super) struct One<'a> {
    underway: &'a Underway,
    place: (Lane, Timestamp, u64),
}

impl Underway {
    pub(super) fn begin(&self, lane: Lane, time: Timestamp) -> One<'_> {
        let place = (lane, time, self.0.count.fetch_add(1, Ordering::Relaxed));
        self.locked().insert(place);
        One { underway: self, place }
    }

    /// When the oldest of a lane happened.
    pub fn oldest(&self, lane: Lane) -> Option<Timestamp> {
        let events = self.locked();
        events.range((lane, Timestamp::MIN, 0)..).next().filter(|one| one.0 == lane).map(|one| one.1)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<(Lane, Timestamp, u64)>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.underway.locked().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_each_lane_is_known_while_it_is_being_worked_on() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let underway = Underway::default();
        let new = underway.begin(Lane::Critical, at(9));
        {
            let _old = underway.begin(Lane::Critical, at(5));
            let _same = underway.begin(Lane::Critical, at(5));
            assert_eq!(underway.oldest(Lane::Critical), Some(at(5)));
            assert_eq!(underway.oldest(Lane::Standard), None);
        }
        assert_eq!(underway.oldest(Lane::Critical), Some(at(9)));
        drop(new);
        assert_eq!(underway.oldest(Lane::Critical), None);
    }
}

//! Which deliveries to acknowledge next (pure bookkeeping), and the task that does it.
//!
//! Acknowledging one by one costs a third of the throughput, so what is done without a gap goes in one `multiple`
//! acknowledgement. A slow delivery must not hold back those behind it: what has waited behind a gap for a while, or in a
//! crowd that takes up half of the prefetch, is acknowledged one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::BrokerError;
use super::connection::within;

/// Acknowledgements wait this long for company.
const ACK_EVERY: Duration = Duration::from_millis(5);

/// Looks for which something waits behind a gap: mail takes several round trips where an SMS takes one, and most gaps
/// close in that time.
const PATIENCE: u64 = 8;

/// The deliveries of one channel that are done but not acknowledged yet.
#[derive(Debug)]
pub(super) struct AckWindow {
    /// More than this do not wait behind a gap: the broker brings nothing new for them.
    crowd: usize,
    /// Looks so far.
    round: u64,
    /// Every tag up to this one is acknowledged.
    low: u64,
    /// Done above `low`, and before which look.
    done: BTreeMap<u64, u64>,
    /// Acknowledged one by one, above `low`.
    acknowledged: BTreeSet<u64>,
}

/// One acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub tag: u64,
    /// Also everything before it.
    pub multiple: bool,
}

impl AckWindow {
    /// Of a channel that gets so many deliveries at once.
    pub fn new(prefetch: u16) -> Self {
        Self {
            crowd: usize::from(prefetch) / 2,
            round: 0,
            low: 0,
            done: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// A delivery is done. Tags count from 1 on each channel.
    pub fn done(&mut self, tag: u64) {
        self.done.insert(tag, self.round);
    }

    /// Something is done that is not acknowledged.
    pub fn is_pending(&self) -> bool {
        !self.done.is_empty()
    }

    /// The acknowledgements to send now.
    pub fn take(&mut self) -> Vec<Ack> {
        self.round += 1;
        let mut acks = Vec::from_iter(self.without_a_gap());
        let overdue = self.overdue();
        for tag in &overdue {
            self.done.remove(tag);
        }
        acks.extend(overdue.iter().map(|tag| Ack { tag: *tag, multiple: false }));
        self.acknowledged.extend(overdue);
        acks
    }

    /// All that is done up to the first gap. The broker refuses a tag that is not outstanding, so the newest one that is
    /// goes into the acknowledgement.
    fn without_a_gap(&mut self) -> Option<Ack> {
        let (mut newest, mut count) = (0, 0);
        loop {
            let next = self.low + 1;
            let done = self.done.remove(&next).is_some();
            if !done && !self.acknowledged.remove(&next) {
                break;
            }
            if done {
                newest = next;
                count += 1;
            }
            self.low = next;
        }
        (count > 0).then_some(Ack { tag: newest, multiple: count > 1 })
    }

    /// What must not wait any longer.
    fn overdue(&self) -> Vec<u64> {
        let patience = if self.done.len() > self.crowd { 1 } else { PATIENCE };
        let waited = |(tag, since): (&u64, &u64)| (self.round - since > patience).then_some(*tag);
        self.done.iter().filter_map(waited).collect()
    }
}

/// Acknowledges what is done, together where it can be, until the last task has ended.
pub(super) async fn acknowledge(
    channel: Channel,
    prefetch: u16,
    mut finished: mpsc::UnboundedReceiver<u64>,
) -> Result<(), BrokerError> {
    let mut window = AckWindow::new(prefetch);
    let mut tick = interval(ACK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            tag = finished.recv() => match tag {
                Some(tag) => window.done(tag),
                None => break,
            },
            _ = tick.tick(), if window.is_pending() => flush(&channel, &mut window).await?,
        }
    }
    while window.is_pending() {
        flush(&channel, &mut window).await?;
    }
    Ok(())
}

async fn flush(channel: &Channel, window: &mut AckWindow) -> Result<(), BrokerError> {
    for ack in window.take() {
        within(channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple })).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_done_without_a_gap_goes_in_one_acknowledgement() {
        let mut window = AckWindow::new(256);
        for tag in [2, 1, 3, 5] {
            window.done(tag);
        }
        assert_eq!(window.take(), [Ack { tag: 3, multiple: true }]);
        assert_eq!(window.take(), []);
        window.done(4);
        window.done(6);
        assert_eq!(window.take(), [Ack { tag: 6, multiple: true }]);
        assert!(!window.is_pending());
    }

    #[test]
    fn what_has_waited_behind_a_gap_for_a_while_is_acknowledged_one_by_one() {
        let mut window = AckWindow::new(256);
        window.done(2);
        window.done(4);
        for _ in 0..PATIENCE {
            assert_eq!(window.take(), []);
        }
        let alone = |tag| Ack { tag, multiple: false };
        assert_eq!(window.take(), [alone(2), alone(4)]);
        window.done(1);
        assert_eq!(window.take(), [alone(1)]);
        window.done(3);
        assert_eq!(window.take(), [alone(3)]);
        assert!(!window.is_pending());
    }

    #[test]
    fn a_crowd_behind_a_gap_is_not_held_back_until_the_prefetch_is_used_up() {
        let mut window = AckWindow::new(8);
        (2..=5).for_each(|tag| window.done(tag));
        assert_eq!((window.take(), window.take()), (vec![], vec![]));
        window.done(6);
        assert_eq!(window.take().len(), 4, "those that waited for a look already");
        assert!(window.is_pending());
    }

    proptest! {
        /// The broker's view: the tag itself must be outstanding; `multiple` takes everything before it along.
        #[test]
        fn every_done_delivery_is_acknowledged_and_no_other(
            order in Just((1..=40u64).collect::<Vec<_>>()).prop_shuffle(),
            undone in proptest::collection::btree_set(1..=40u64, 0..10),
            take_every in 1..7usize,
            prefetch in 1..80u16,
        ) {
            let mut window = AckWindow::new(prefetch);
            let mut unacknowledged: BTreeSet<u64> = (1..=40).collect();
            let mut apply = |acks: Vec<Ack>| -> Result<(), TestCaseError> {
                for ack in acks {
                    prop_assert!(unacknowledged.contains(&ack.tag), "not outstanding: a channel error");
                    if ack.multiple {
                        let covered: Vec<u64> = unacknowledged.range(..=ack.tag).copied().collect();
                        prop_assert!(covered.iter().all(|tag| !undone.contains(tag)), "acknowledged what is not done");
                        covered.iter().for_each(|tag| { unacknowledged.remove(tag); });
                    } else {
                        prop_assert!(!undone.contains(&ack.tag), "acknowledged what is not done");
                        unacknowledged.remove(&ack.tag);
                    }
                }
                Ok(())
            };
            for (index, tag) in order.iter().filter(|tag| !undone.contains(tag)).enumerate() {
                window.done(*tag);
                if index % take_every == 0 {
                    apply(window.take())?;
                }
            }
            for _ in 0..=PATIENCE {
                apply(window.take())?;
            }
            prop_assert!(!window.is_pending());
            prop_assert_eq!(unacknowledged, undone);
        }
    }
}

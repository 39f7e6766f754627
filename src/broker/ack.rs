//! Which deliveries to acknowledge next (pure bookkeeping), and the task that does it.
//!
//! Acknowledging one by one costs a third of the throughput, so what is done without a gap goes in one `multiple`
//! acknowledgement. A slow delivery must not hold back those behind it: what still waits behind a gap the next time is
//! acknowledged one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::Channel;
use lapin::options::BasicAckOptions;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::BrokerError;
use super::connection::within;

/// Acknowledgements wait this long for company.
const ACK_EVERY: Duration = Duration::from_millis(5);

/// The deliveries of one channel that are done but not acknowledged yet.
#[derive(Debug, Default)]
pub(super) struct AckWindow {
    /// Every tag up to this one is acknowledged.
    low: u64,
    /// Done since the last look, above `low`.
    done: BTreeSet<u64>,
    /// Done before it, waiting behind a gap.
    waiting: BTreeSet<u64>,
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
    /// A delivery is done. Tags count from 1 on each channel.
    pub fn done(&mut self, tag: u64) {
        self.done.insert(tag);
    }

    /// Something is done that is not acknowledged.
    pub fn is_pending(&self) -> bool {
        !self.done.is_empty() || !self.waiting.is_empty()
    }

    /// The acknowledgements to send now.
    pub fn take(&mut self) -> Vec<Ack> {
        let mut acks = Vec::new();
        // The broker refuses a tag that is not outstanding, so the newest one that is goes into the acknowledgement.
        let (mut newest, mut count) = (0, 0);
        loop {
            let next = self.low + 1;
            let done = self.done.remove(&next) || self.waiting.remove(&next);
            if !done && !self.acknowledged.remove(&next) {
                break;
            }
            if done {
                newest = next;
                count += 1;
            }
            self.low = next;
        }
        if count > 0 {
            acks.push(Ack { tag: newest, multiple: count > 1 });
        }
        let overdue = std::mem::replace(&mut self.waiting, std::mem::take(&mut self.done));
        acks.extend(overdue.iter().map(|tag| Ack { tag: *tag, multiple: false }));
        self.acknowledged.extend(overdue);
        acks
    }
}

/// Acknowledges what is done, together where it can be, until the last task has ended.
pub(super) async fn acknowledge(
    channel: Channel,
    mut finished: mpsc::UnboundedReceiver<u64>,
) -> Result<(), BrokerError> {
    let mut window = AckWindow::default();
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
        let mut window = AckWindow::default();
        for tag in [2, 1, 3, 5] {
            window.done(tag);
        }
        assert_eq!(window.take(), [Ack { tag: 3, multiple: true }]);
        assert_eq!(window.take(), [Ack { tag: 5, multiple: false }]);
        window.done(4);
        assert_eq!(window.take(), [Ack { tag: 4, multiple: false }]);
        window.done(6);
        assert_eq!(window.take(), [Ack { tag: 6, multiple: false }]);
        assert_eq!(window.take(), []);
        assert!(!window.is_pending());
    }

    proptest! {
        /// The broker's view: the tag itself must be outstanding; `multiple` takes everything before it along.
        #[test]
        fn every_done_delivery_is_acknowledged_and_no_other(
            order in Just((1..=40u64).collect::<Vec<_>>()).prop_shuffle(),
            undone in proptest::collection::btree_set(1..=40u64, 0..10),
            take_every in 1..7usize,
        ) {
            let mut window = AckWindow::default();
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
            apply(window.take())?;
            apply(window.take())?;
            prop_assert!(!window.is_pending());
            prop_assert_eq!(unacknowledged, undone);
        }
    }
}

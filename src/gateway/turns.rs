//! Waiting for a gateway's turn: whoever is first in a lane asks the bucket, the others wait behind.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Mutex as Row, Notify};
use tokio::time::sleep_until;

use super::bucket::{Answer, Bucket};
use super::limits::Rate;
use crate::event::Lane;

/// A gateway's turns; no limit without a rate.
pub(super) struct Turns(Option<Limited>);

struct Limited {
    bucket: Mutex<Bucket>,
    /// In the order in which they came.
    rows: [Row<()>; 2],
    /// A lane had its turn, or waits no more.
    changed: Notify,
}

/// Somebody is first in a lane, until this is dropped.
struct Waiting<'a> {
    limited: &'a Limited,
    lane: Lane,
}

impl Turns {
    /// `standard_share` of them, 0 to 1, are standard messages' even while critical ones wait.
    pub fn new(rate: Option<Rate>, standard_share: f64) -> Self {
        let limited = |rate: Rate| {
            let (period, burst) = rate.steps();
            let bucket = Mutex::new(Bucket::new(period, burst, standard_share, Instant::now()));
            Limited { bucket, rows: Default::default(), changed: Notify::new() }
        };
        Self(rate.map(limited))
    }

    /// Waits for a turn.
    pub async fn next(&self, lane: Lane) {
        if let Some(limited) = &self.0 {
            limited.next(lane).await;
        }
    }
}

impl Limited {
    async fn next(&self, lane: Lane) {
        let _first = self.rows[lane as usize].lock().await;
        let _waiting = Waiting::begin(self, lane);
        loop {
            // Before the question, so that no change falls between it and the wait.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let answer = self.bucket().take(lane, Instant::now());
            match answer {
                Answer::Go => return,
                Answer::Behind => changed.await,
                Answer::At(due) => tokio::select! {
                    () = sleep_until(due.into()) => {}
                    () = changed => {}
                },
            }
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Waiting<'a> {
    fn begin(limited: &'a Limited, lane: Lane) -> Self {
        limited.bucket().waits(lane, true);
        Self { limited, lane }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut bucket = self.limited.bucket();
        bucket.waits(self.lane, false);
        let contended = bucket.is_contended(self.lane);
        drop(bucket);
        if contended {
            self.limited.changed.notify_waiters();
        }
    }
}

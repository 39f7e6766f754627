//! A gateway's breaker as its callers share it: behind a lock, with the time, waking those who wait, and telling metrics
//! and log what changed.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::breaker::{Asked, Breaker, BreakerConfig, Circuit, Outage, Refusal, Sign, Ticket};
use super::{Accepted, Failure};
use crate::clock::Steady;
use crate::drain::Drain;
use crate::plan::Channel;
use crate::telemetry;

/// What lets messages through to a gateway, or does not.
pub(super) struct Gate {
    name: String,
    channel: Channel,
    breaker: Mutex<Breaker>,
    drain: Mutex<Option<InForce>>,
    changed: Notify,
    time: Steady,
}

/// A drain, and its end by our own steady clock: should the ledger not answer any more, it ends all the same.
struct InForce {
    drain: Drain,
    until: Instant,
}

/// The right to ask the gateway once. Dropped unused, it never was.
pub(super) struct Passage<'g> {
    gate: &'g Gate,
    /// Nothing once it has ended.
    ticket: Option<Ticket>,
}

impl Gate {
    pub fn new(name: &str, channel: Channel, rules: BreakerConfig, at_once: u32) -> Self {
        let breaker = Mutex::new(Breaker::new(rules, at_once));
        let (drain, changed, time) = (Mutex::default(), Notify::new(), Steady::system());
        Self { name: name.to_owned(), channel, breaker, drain, changed, time }
    }

    /// With another clock.
    pub fn timed_by(&mut self, time: Steady) {
        self.time = time;
    }

    /// Lets one through; waits while a gateway that comes back has as many as it may have.
    pub async fn pass(&self) -> Result<Passage<'_>, Refusal> {
        loop {
            // Before the question, so that no change falls between it and the wait.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.step(Breaker::ask) {
                Asked::Go(ticket) => return Ok(Passage { gate: self, ticket: Some(ticket) }),
                Asked::Refused(refusal) => return Err(refusal),
                Asked::Wait => changed.await,
            }
        }
    }

    /// Resolves once nobody is let through.
    pub async fn closes(&self) -> Refusal {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(refusal) = self.refusal() {
                return refusal;
            }
            changed.await;
        }
    }

    /// Why nobody is let through at the moment.
    pub fn refusal(&self) -> Option<Refusal> {
        self.locked().refusal(self.time.now())
    }

    /// Follows what the ledger says at `now`.
    pub fn follow(&self, drain: Option<&Drain>, now: Timestamp) {
        let in_force = drain.and_then(|drain| {
            let left = Duration::try_from(drain.until.duration_since(now)).ok()?;
            Some(InForce { drain: drain.clone(), until: self.time.now().checked_add(left)? })
        });
        let until = in_force.as_ref().map(|drain| drain.until);
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = in_force;
        self.step(|breaker, _| breaker.drain(until));
    }

    /// The drain that is in force.
    pub fn drained(&self) -> Option<Drain> {
        let drain = self.drain.lock().unwrap_or_else(PoisonError::into_inner);
        drain.as_ref().filter(|drain| self.time.now() < drain.until).map(|in_force| in_force.drain.clone())
    }

    pub fn circuit(&self) -> Circuit {
        self.locked().circuit()
    }

    /// What is wrong, and for how long it has been.
    pub fn outage(&self) -> Option<(Outage, Duration)> {
        let now = self.time.now();
        let outage = self.locked().outage(now)?;
        Some((outage, now.saturating_duration_since(outage.since)))
    }

    fn locked(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step of the breaker, now.
    fn step<T>(&self, step: impl FnOnce(&mut Breaker, Instant) -> T) -> T {
        let mut breaker = self.locked();
        let now = self.time.now();
        let before = (breaker.circuit(), breaker.refusal(now).is_some());
        let result = step(&mut breaker, now);
        let after = (breaker.circuit(), breaker.refusal(now).is_some());
        let reason = breaker.outage(now).map(|outage| outage.reason);
        drop(breaker);
        if before.0 != after.0 {
            telemetry::circuit_changed(&self.name, self.channel, (before.0, after.0), reason);
        }
        if before != after {
            self.changed.notify_waiters();
        }
        result
    }

    /// A step that makes room for another attempt.
    fn end(&self, step: impl FnOnce(&mut Breaker, Instant)) {
        self.step(step);
        if self.circuit() == Circuit::HalfOpen {
            self.changed.notify_waiters();
        }
    }
}

impl Passage<'_> {
    /// Runs the attempt to its end, and lets the breaker know what came of it; and in the middle, should it hang.
    pub async fn attempt(
        mut self,
        attempt: impl Future<Output = Result<Accepted, Failure>>,
    ) -> Result<Accepted, Failure> {
        let Some(ticket) = self.ticket else { return attempt.await };
        let gate = self.gate;
        gate.step(|breaker, now| breaker.begun(ticket, now));
        let mut attempt = pin!(attempt);
        let result = loop {
            let Some(left) = gate.step(|breaker, now| breaker.until_it_hangs(ticket, now)) else {
                gate.step(Breaker::look);
                break attempt.await;
            };
            if let Ok(result) = timeout(left, &mut attempt).await {
                break result;
            }
        };
        self.ticket = None;
        gate.end(|breaker, now| breaker.ended(ticket, Sign::of(result.as_ref()), now));
        result
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.gate.end(|breaker, now| breaker.unsaid(ticket, now));
        }
    }
}

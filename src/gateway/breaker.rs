//! The circuit breaker of one gateway: whether it is to be asked now, by what became of the attempts before. Pure: the time
//! comes in, and nothing is read from a clock.
//!
//! ```text
//! closed ─ failing ──────────────▶ open ─ its time is over ─▶ probing ─ answered ─▶ returning ─ enough answers ─▶ closed
//!                                   ▲                           │ failed               │ failed
//!                                   └───────────────────────────┴──────────────────────┘
//! ```
//!
//! Attempts that hang count as failed while they hang: a gateway that takes a connection and says nothing is found out
//! long before its timeout. Beside the circuit stand a hold, the time for which the gateway asked to be left alone,
//! and a drain, the time for which somebody of ours has it left alone.

mod config;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use self::config::BreakerConfig;
use self::window::Window;
use super::{Accepted, Class, Failure, Reason};

/// A gateway that comes back is at full strength when it takes this many messages at once, if its own limit is not lower.
const FULL_STRENGTH: u32 = 32;

/// A gateway that turned out to be slow, not dead, is waited for longer, but no longer than this, so that one that hangs
/// is still found out within ten seconds.
const LONGEST_PATIENCE: Duration = Duration::from_secs(8);

/// An outage that nobody has met for so long after the gateway might have been asked again is no longer told of.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// A vendor's wish to be left alone is followed for so long at most: a nonsensical one must not outlive its cause.
const LONGEST_HOLD: Duration = Duration::from_secs(3600);

/// A drain may be ended at any moment: whoever waits for the gateway looks again after this time.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);

/// How often the time for which a circuit stays open is doubled at most; the configured limit comes long before.
const MOST_DOUBLINGS: u32 = 16;

/// One attempt that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The answer to whoever wants to ask the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Now.
    Go(Ticket),
    /// When one of those that are being sent has ended: the gateway is coming back.
    Wait,
    /// Not now, and nothing is gained by waiting.
    Refused(Refusal),
}

/// Why a gateway is not asked, and for how long that is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its circuit is open.
    CircuitOpen {
        /// Until it is probed, or until the outcome of the probe is known.
        wait: Duration,
    },
    /// It asked to be left alone (`Retry-After`).
    Held {
        /// The rest of that time.
        wait: Duration,
    },
    /// Somebody has drained it.
    Drained {
        /// The rest of that time, but no longer than until it is worth another look: it may be resumed before.
        wait: Duration,
    },
}

impl Refusal {
    /// The time for which the refusal is certain.
    pub fn wait(self) -> Duration {
        match self {
            Self::CircuitOpen { wait } | Self::Held { wait } | Self::Drained { wait } => wait,
        }
    }
}

/// What an attempt says about the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It does its work, whatever it thinks of this message.
    Answered,
    /// It is there and has enough.
    Throttled(Option<Duration>),
    /// It fails by its own fault.
    Fault(Reason),
    /// It was not asked.
    Nothing,
}

impl Sign {
    pub fn of(result: Result<&Accepted, &Failure>) -> Self {
        let Err(failure) = result else { return Self::Answered };
        match failure.class {
            Class::Throttled { wait } => Self::Throttled(wait),
            Class::Retryable | Class::Unknown | Class::Credentials => Self::Fault(failure.reason),
            Class::Permanent | Class::Filtered if failure.reason.is_of_the_message() => Self::Nothing,
            Class::Permanent | Class::Filtered | Class::Route => Self::Answered,
        }
    }
}

/// The circuit as metrics show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Everybody is let through.
    Closed,
    /// A probe is on its way, or the gateway is coming back.
    HalfOpen,
    /// Nobody is let through.
    Open,
}

/// Since when a gateway has been failing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first of the attempts failed, or began to hang, that opened the circuit.
    pub since: Instant,
    /// Of the last failure.
    pub reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    Probing(Ticket),
    /// As many at once as `allowed`, and so many `answered`, since that is so.
    Returning {
        since: Instant,
        allowed: u32,
        answered: u32,
    },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Breaker {
    rules: BreakerConfig,
    full: u32,
    state: State,
    outage: Option<Outage>,
    /// In a row, without an answer between them.
    openings: u32,
    window: Window,
    /// Faults since the last answer.
    row: u32,
    failing_since: Option<Instant>,
    last_answer: Option<Instant>,
    /// An attempt that takes longer hangs.
    patience: Duration,
    held_until: Option<Instant>,
    drained_until: Option<Instant>,
    /// With the time at which each was sent; nothing while it waits for its claim.
    in_flight: BTreeMap<Ticket, Option<Instant>>,
    next: Ticket,
    /// Tickets before this one were given before the circuit opened: their faults are known.
    fresh: Ticket,
}

impl Breaker {
    /// `at_once`: how many messages the gateway takes at the same time when all is well.
    pub fn new(rules: BreakerConfig, at_once: u32) -> Self {
        Self {
            full: at_once.min(FULL_STRENGTH),
            state: State::Closed,
            outage: None,
            openings: 0,
            window: Window::new(rules.window.0),
            row: 0,
            failing_since: None,
            last_answer: None,
            patience: rules.slow.0,
            held_until: None,
            drained_until: None,
            in_flight: BTreeMap::new(),
            next: Ticket(0),
            fresh: Ticket(0),
            rules,
        }
    }

    /// May the gateway be asked?
    pub fn ask(&mut self, now: Instant) -> Asked {
        if let Some(refusal) = self.refusal(now) {
            return Asked::Refused(refusal);
        }
        match self.state {
            State::Returning { allowed, .. } if self.fresh_in_flight() >= allowed as usize => {
                return Asked::Wait;
            }
            State::Open { .. } => self.state = State::Probing(self.next),
            State::Closed | State::Probing(_) | State::Returning { .. } => {}
        }
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.in_flight.insert(ticket, None);
        Asked::Go(ticket)
    }

    /// Why nobody is let through at the moment.
    pub fn refusal(&self, now: Instant) -> Option<Refusal> {
        let left = |until: Instant| Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        if let Some(wait) = self.drained_until.and_then(left) {
            return Some(Refusal::Drained { wait: wait.min(RESUMED_WITHIN) });
        }
        if let Some(wait) = self.held_until.and_then(left) {
            return Some(Refusal::Held { wait });
        }
        match self.state {
            State::Open { until } => left(until).map(|wait| Refusal::CircuitOpen { wait }),
            State::Probing(_) => Some(Refusal::CircuitOpen { wait: self.rules.open_for.0 }),
            State::Closed | State::Returning { .. } => None,
        }
    }

    /// Nobody is let through before this time, whatever the circuit says; what is on its way goes on, and counts.
    pub fn drain(&mut self, until: Option<Instant>) {
        self.drained_until = until;
    }

    /// The attempt is being sent.
    pub fn begun(&mut self, ticket: Ticket, now: Instant) {
        self.in_flight.insert(ticket, Some(now));
    }

    /// The attempt ended.
    pub fn ended(&mut self, ticket: Ticket, sign: Sign, now: Instant) {
        let begun = self.in_flight.remove(&ticket).flatten();
        match sign {
            Sign::Answered => self.answered(ticket, begun, now),
            Sign::Throttled(wait) => {
                let hold = wait.filter(|_| self.rules.enabled).map(|wait| now + wait.min(LONGEST_HOLD));
                self.held_until = self.held_until.max(hold);
                self.is_there(now);
                if self.state == State::Probing(ticket) {
                    self.state = State::Returning { since: now, allowed: 1, answered: 0 };
                }
            }
            Sign::Fault(reason) => self.failed(ticket, reason, now),
            Sign::Nothing => self.unsaid(ticket, now),
        }
    }

    /// The attempt never began.
    pub fn unsaid(&mut self, ticket: Ticket, now: Instant) {
        self.in_flight.remove(&ticket);
        if self.state == State::Probing(ticket) {
            self.state = State::Open { until: now };
        }
    }

    /// Time has passed: opens the circuit when that makes too many attempts hang.
    pub fn look(&mut self, now: Instant) {
        match self.state {
            State::Probing(probe) if self.hangs(probe, now) => self.open(Reason::Timeout, now),
            State::Closed | State::Returning { .. } if self.is_failing(now) => {
                self.open(Reason::Timeout, now);
            }
            _ => {}
        }
    }

    /// Until this attempt hangs; nothing if it does already or has ended.
    pub fn until_it_hangs(&self, ticket: Ticket, now: Instant) -> Option<Duration> {
        let begun = self.in_flight.get(&ticket).copied().flatten()?;
        Some((begun + self.patience).saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// For the gauge.
    pub fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::Probing(_) | State::Returning { .. } => Circuit::HalfOpen,
        }
    }

    /// What is wrong while the gateway takes nothing: from the opening until a probe was answered. Where nothing is to be
    /// sent, nobody probes, and what was wrong once says ever less of now.
    pub fn outage(&self, now: Instant) -> Option<Outage> {
        match self.state {
            State::Open { until } if now >= until + FORGOTTEN_AFTER => None,
            State::Open { .. } | State::Probing(_) => self.outage,
            State::Closed | State::Returning { .. } => None,
        }
    }

    fn answered(&mut self, ticket: Ticket, begun: Option<Instant>, now: Instant) {
        let took = begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        let was_slow = took >= self.rules.slow.0;
        // One that answers, if late, is worth waiting for: else each of its answers would come to an open circuit.
        self.patience =
            if was_slow { (took * 2).min(LONGEST_PATIENCE) } else { Duration::ZERO }.max(self.rules.slow.0);
        self.is_there(now);
        self.window.add(now, false);
        match self.state {
            State::Probing(probe) if probe == ticket => self.comes_back(now),
            // What had been taken for dead has answered after all.
            State::Open { .. } | State::Probing(_) if was_slow => self.comes_back(now),
            State::Returning { since, allowed, answered } if ticket >= self.fresh => {
                self.returns(since, allowed, answered + 1, now);
            }
            _ => {}
        }
    }

    fn comes_back(&mut self, now: Instant) {
        self.fresh = self.next;
        // It is there: should it fail again, it is tried again soon.
        self.openings = 0;
        self.returns(now, 1, 1, now);
    }

    /// Twice as many at once whenever all that were allowed at once have been answered. Where little is sent, a while
    /// without a fault says as much.
    fn returns(&mut self, since: Instant, allowed: u32, answered: u32, now: Instant) {
        let long_enough = now.saturating_duration_since(since) >= self.rules.window.0;
        if answered < allowed && !long_enough {
            self.state = State::Returning { since, allowed, answered };
        } else if allowed.saturating_mul(2) > self.full {
            (self.state, self.outage) = (State::Closed, None);
            self.window.clear();
        } else {
            self.state = State::Returning { since: now, allowed: allowed.saturating_mul(2), answered: 0 };
        }
    }

    fn failed(&mut self, ticket: Ticket, reason: Reason, now: Instant) {
        if ticket < self.fresh {
            return;
        }
        self.failing_since.get_or_insert(now);
        self.row = self.row.saturating_add(1);
        self.window.add(now, true);
        let opens = match self.state {
            State::Closed | State::Returning { .. } => self.is_failing(now),
            State::Probing(probe) => probe == ticket,
            State::Open { .. } => false,
        };
        if opens {
            self.open(reason, now);
        }
    }

    /// It answered something.
    fn is_there(&mut self, now: Instant) {
        (self.row, self.failing_since, self.last_answer) = (0, None, Some(now));
    }

    fn open(&mut self, reason: Reason, now: Instant) {
        let since = self.outage.map_or_else(|| self.trouble_since(now), |outage| outage.since);
        self.outage = Some(Outage { since, reason });
        let doublings = self.openings.min(MOST_DOUBLINGS);
        let open_for = self.rules.open_for.0.saturating_mul(1 << doublings);
        let longest = self.rules.open_for_at_most.0.max(self.rules.open_for.0);
        self.state = State::Open { until: now + open_for.min(longest) };
        self.openings = self.openings.saturating_add(1);
        self.fresh = self.next;
        self.row = 0;
        self.window.clear();
    }

    fn trouble_since(&self, now: Instant) -> Instant {
        let hanging = self.in_flight.range(self.fresh..).filter_map(|(_, begun)| *begun);
        let hanging = hanging.filter(|begun| self.is_too_long(*begun, now));
        self.failing_since.into_iter().chain(hanging).min().unwrap_or(now)
    }

    fn is_failing(&self, now: Instant) -> bool {
        if !self.rules.enabled {
            return false;
        }
        let hanging = u32::try_from(self.hanging(now)).unwrap_or(u32::MAX);
        let (attempts, failed) = self.window.count(now);
        let (attempts, failed) = (attempts.saturating_add(hanging), failed.saturating_add(hanging));
        let enough = self.rules.attempts;
        let half = attempts >= enough && failed.saturating_mul(2) >= attempts;
        // One that has only just been probed has to do better than fail more than it works.
        let returns_failing = self.state != State::Closed && failed.saturating_mul(2) > attempts;
        half || returns_failing || self.row.saturating_add(hanging) >= enough
    }

    /// How many attempts hang, while none was answered since they began.
    fn hanging(&self, now: Instant) -> usize {
        self.in_flight.range(self.fresh..).filter(|(ticket, _)| self.hangs(**ticket, now)).count()
    }

    fn hangs(&self, ticket: Ticket, now: Instant) -> bool {
        let begun = self.in_flight.get(&ticket).copied().flatten();
        begun.is_some_and(|begun| {
            self.is_too_long(begun, now) && self.last_answer.is_none_or(|answer| answer <= begun)
        })
    }

    fn is_too_long(&self, begun: Instant, now: Instant) -> bool {
        now.saturating_duration_since(begun) >= self.patience
    }

    fn fresh_in_flight(&self) -> usize {
        self.in_flight.range(self.fresh..).count()
    }
}

//! The state machine of one event and its notifications. Pure: rows and a step in, rows and an answer out.
//!
//! ```text
//! absent → in_flight → accepted | retry | unknown | failed      by claim and settlement
//!          in_flight → in_flight                                 taken over when its lease is over
//!          retry, unknown → in_flight                            claimed again when their time has come
//!          unknown → accepted                                    by receipt: the gateway has it
//!          accepted, unknown, … → delivered | undelivered        by receipt, for good
//! ```
//!
//! Both engines load the rows of an event under its lock, let this decide, and write what changed in the same
//! transaction. So claim and take-over are one step that nobody can come between, both engines mean the same, and
//! several steps of one event may stand in one batch.
//!
//! Every step may be applied twice without harm: when a commit's answer is lost, nobody knows whether it happened, and
//! the engine commits again.

mod protect;
mod receipt;

use std::mem::replace;
use std::time::Duration;

use self::protect::{held_back, judge, limit};
use self::receipt::{brought, receipt};
use super::memory::Memory;
use super::operation::{
    Answer, Attempt, Claim, ClaimAnswer, Close, EventState, Grant, Held, MessageName, Renew, Revive, Settle,
    SettleAnswer, Settled, Step, TargetRecord, UnknownAttempt,
};
use super::pseudonym::differ;
use super::rows::{Case, EventRow, NotificationRow, State, after, receipt_key};

/// The rules, as one process applies them.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Random for each process.
    process: String,
    /// Nobody else can use the ledger, so that a claim of another process is a dead one's.
    exclusive: bool,
}

impl Machine {
    pub fn new(process: String, exclusive: bool) -> Self {
        Self { process, exclusive }
    }

    /// Applies one step at `now`, milliseconds by the ledger's clock.
    pub fn step(&self, case: &mut Case, memory: &mut Memory, step: &Step, now: i64) -> Answer {
        match step {
            Step::Claim { claim, token } => Answer::Claim(self.claim(case, memory, claim, *token, now)),
            Step::Renew(renew) => Answer::Held(self.renew(case, renew, now)),
            Step::Settle(settle) => Answer::Settled(self.settle(case, settle, now)),
            Step::Close(close) => Answer::Closed(self::close(case, close, now)),
            Step::Receipt(receipt) => Answer::Receipt(self::receipt(case, receipt, now)),
            Step::Brought { target, .. } => {
                brought(case, target, now);
                Answer::Brought
            }
        }
    }

    fn claim(
        &self,
        case: &mut Case,
        memory: &mut Memory,
        claim: &Claim,
        token: u64,
        now: i64,
    ) -> ClaimAnswer {
        if !open(case, claim, now) {
            let held_back = case.event.as_ref().and_then(held_back);
            return held_back
                .map_or(ClaimAnswer::Duplicate, |reason| ClaimAnswer::HeldBack { reason, again: true });
        }
        if let Some(reason) = judge(case, claim, memory, now) {
            return ClaimAnswer::HeldBack { reason, again: false };
        }
        let hold = |target| {
            limit(case, target, memory, now);
            self.hold(case, target, claim.lease, token, now)
        };
        let held = claim.targets.iter().map(hold).collect();
        ClaimAnswer::Open { held, deaths: case.deaths() }
    }

    fn hold(&self, case: &mut Case, target: &TargetRecord, lease: Duration, token: u64, now: i64) -> Held {
        let owner = self.owner(token);
        let Some(row) = case.notification(&target.target) else {
            case.notifications.push(NotificationRow::new(target, now));
            let row = case.notifications.last_mut().expect("pushed just now");
            return Held::Granted(self.grant(row, target, lease, token, now));
        };
        match row.state {
            State::Accepted | State::Delivered => Held::Accepted,
            State::Failed | State::Undelivered => {
                Held::Failed { reason: row.reason.clone().unwrap_or_default() }
            }
            // The same claim again: the answer to its first commit was lost.
            State::InFlight if row.owner == owner => {
                Held::Granted(granted(row, token, row.template_version.clone(), now))
            }
            State::InFlight if row.busy_until < now || self.is_of_the_dead(row) => {
                lose(row);
                Held::Granted(self.grant(row, target, lease, token, now))
            }
            State::InFlight => Held::Busy,
            State::Retry if row.busy_until <= now || self.is_of_the_dead(row) => {
                Held::Granted(self.grant(row, target, lease, token, now))
            }
            State::Unknown if row.busy_until <= now => {
                Held::Granted(self.grant(row, target, lease, token, now))
            }
            State::Retry | State::Unknown => Held::Waiting(between(now, row.busy_until)),
        }
    }

    fn grant(
        &self,
        row: &mut NotificationRow,
        target: &TargetRecord,
        lease: Duration,
        token: u64,
        now: i64,
    ) -> Grant {
        row.state = State::InFlight;
        row.owner = self.owner(token);
        row.epoch += 1;
        row.attempt += 1;
        row.written = 0;
        row.busy_until = after(now, lease);
        row.gateway.clone_from(&target.gateway);
        row.recipient.clone_from(&target.recipient);
        let earlier_version = replace(&mut row.template_version, target.template_version.clone());
        row.touch(now);
        granted(row, token, earlier_version, now)
    }

    fn renew(&self, case: &mut Case, renew: &Renew, now: i64) -> bool {
        let owner = self.owner(renew.token);
        let row = case.notification(&renew.target);
        let Some(row) = row.filter(|row| row.is_held_by(&owner, renew.epoch)) else { return false };
        if row.state != State::InFlight {
            return false;
        }
        write_down(row, &renew.attempts, now);
        row.gateway = Some(renew.gateway.clone());
        row.busy_until = after(now, renew.lease);
        row.touch(now);
        true
    }

    fn settle(&self, case: &mut Case, settle: &Settle, now: i64) -> SettleAnswer {
        let owner = self.owner(settle.token);
        let row = case.notification(&settle.target);
        let Some(row) = row.filter(|row| row.is_held_by(&owner, settle.epoch)) else {
            return SettleAnswer::FencedOut;
        };
        match row.state {
            State::InFlight => {
                write_down(row, &settle.attempts, now);
                end(row, settle, now);
            }
            // A receipt came first, and knows better.
            State::Undelivered => {
                write_down(row, &settle.attempts, now);
                return SettleAnswer::Undelivered { reason: row.reason.clone().unwrap_or_default() };
            }
            State::Delivered => write_down(row, &settle.attempts, now),
            // Settled before: the answer to its first commit was lost.
            State::Accepted | State::Retry | State::Unknown | State::Failed => return SettleAnswer::Written,
        }
        if let (Some(state), Some(event)) = (settle.close, &mut case.event) {
            event.end(state, None, now);
        }
        SettleAnswer::Written
    }

    fn owner(&self, token: u64) -> String {
        format!("{}.{token}", self.process)
    }

    /// The process that wrote the row last has ended.
    fn is_of_the_dead(&self, row: &NotificationRow) -> bool {
        self.exclusive && row.owner.split('.').next() != Some(self.process.as_str())
    }
}

/// Whether the event may be worked on: it is new, or open with the same body, or begins anew after it was given up.
fn open(case: &mut Case, claim: &Claim, now: i64) -> bool {
    let Some(event) = &mut case.event else {
        case.event = Some(EventRow::new(&claim.event, now));
        return true;
    };
    match event.state {
        EventState::Open => {
            let same = !differ(&event.fingerprint, &claim.event.fingerprint);
            if same && event.fingerprint != claim.event.fingerprint {
                event.fingerprint.clone_from(&claim.event.fingerprint);
                event.changed = true;
            }
            same
        }
        EventState::Done | EventState::Muted | EventState::HeldBack => false,
        EventState::Dead => {
            let anew = match claim.revive {
                Revive::Always => true,
                Revive::After(deaths) => i64::from(deaths) == event.deaths,
                Revive::Never => false,
            };
            if anew {
                event.fingerprint.clone_from(&claim.event.fingerprint);
                event.end(EventState::Open, None, now);
                case.notifications.iter_mut().for_each(|row| begin_anew(row, now));
            }
            anew
        }
    }
}

/// What was not accepted may be tried as if for the first time.
fn begin_anew(row: &mut NotificationRow, now: i64) {
    if matches!(row.state, State::Failed | State::Undelivered) {
        row.state = State::Retry;
    }
    if matches!(row.state, State::Retry | State::Unknown) {
        (row.attempt, row.first_claimed, row.busy_until) = (0, now, now);
        row.touch(now);
    }
}

/// The claim ended without a word: what was sent under it, nobody knows.
fn lose(row: &mut NotificationRow) {
    let attempt = Attempt {
        at: jiff::Timestamp::from_millisecond(row.updated_at).unwrap_or_default(),
        gateway: row.gateway.clone().unwrap_or_default(),
        outcome: Attempt::UNKNOWN.into(),
        reason: Some(Attempt::LOST.into()),
        detail: None,
        provider_id: None,
        ms: 0,
    };
    let since = row.updated_at;
    row.add(&attempt, since);
}

/// The claim ended as its holder says.
fn end(row: &mut NotificationRow, settle: &Settle, now: i64) {
    row.state = settle.ending.into();
    row.template_version.clone_from(&settle.template_version);
    row.gateway.clone_from(&settle.gateway);
    row.provider_id.clone_from(&settle.provider_id);
    row.reason = settle.reason.as_ref().map(ToString::to_string);
    row.busy_until = after(now, settle.pause);
    row.attempt -= i64::from(settle.uncounted);
    match &settle.keep {
        Some(keep) => row.keep(keep, now),
        // What an earlier attempt had it kept for: this one's gateway says nothing later, or the event comes again.
        None => row.unseal(),
    }
    if let (true, Some(gateway), Some(id)) =
        (settle.found_by_provider_id, &settle.gateway, &settle.provider_id)
    {
        let message = MessageName::ProviderId { gateway: gateway.clone(), id: id.clone() };
        row.receipt_id = Some(receipt_key(&message));
    }
    row.touch(now);
}

/// Adds the attempts that are not written yet: a claim's renewals and its settlement each bring all of them.
fn write_down(row: &mut NotificationRow, attempts: &[Attempt], now: i64) {
    let written = usize::try_from(row.written).unwrap_or_default();
    for attempt in attempts.iter().skip(written) {
        row.add(attempt, now);
        row.touch(now);
    }
    row.written = i64::try_from(attempts.len()).unwrap_or(i64::MAX).max(row.written);
}

fn granted(row: &NotificationRow, token: u64, earlier_version: String, now: i64) -> Grant {
    Grant {
        token,
        epoch: row.epoch,
        attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
        age: between(row.first_claimed, now),
        taken_over: row.unknown_since.is_some() && row.ends_lost(),
        unknown: row
            .unknown_since
            .map(|since| UnknownAttempt { gateway: row.unknown_at.clone(), ago: between(since, now) }),
        earlier_version,
    }
}

/// A done or muted event stays so, and one that is on its way with another body goes on: what a duplicate would have
/// come to does not count.
fn close(case: &mut Case, close: &Close, now: i64) -> bool {
    let event = case.event.get_or_insert_with(|| EventRow::new(&close.event, now));
    event.fresh = false;
    let mine = match event.state {
        EventState::Open => !differ(&event.fingerprint, &close.event.fingerprint),
        EventState::Dead => true,
        EventState::Done | EventState::Muted | EventState::HeldBack => false,
    };
    if mine {
        event.end(close.state, close.reason, now);
        event.deaths = event.deaths.max(i64::from(close.deaths));
    }
    mine
}

impl From<Settled> for State {
    fn from(ending: Settled) -> Self {
        match ending {
            Settled::Accepted => Self::Accepted,
            Settled::Retry => Self::Retry,
            Settled::Unknown => Self::Unknown,
            Settled::Failed => Self::Failed,
        }
    }
}

fn between(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or_default())
}

#[cfg(test)]
mod tests;

//! The state machine of one event and its notifications. Pure: rows and a step in, rows and an answer out.
//!
//! ```text
//! absent → in_flight → accepted | retry | unknown | failed      by claim and settlement
//!          in_flight → in_flight                                 taken over when its lease is over
//!          retry, unknown → in_flight                            claimed again when their time has come
//!          accepted, unknown, … → delivered | undelivered        by receipt, for good
//! ```
//!
//! Both engines load the rows of an event under its lock, let this decide, and write what changed in the same
//! transaction. So claim and take-over are one step that nobody can come between, both engines mean the same, and
//! several steps of one event may stand in one batch.
//!
//! Every step may be applied twice without harm: when a commit's answer is lost, nobody knows whether it happened, and
//! the engine commits again.

use std::time::Duration;

use super::operation::{
    Answer, Attempt, Claim, ClaimAnswer, Close, EventState, Fate, Grant, Held, Receipt, ReceiptAnswer, Renew,
    Revive, Settle, Settled, Step, TargetRecord, UnknownAttempt,
};
use super::rows::{Case, EventRow, NotificationRow, State};

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
    pub fn step(&self, case: &mut Case, step: &Step, now: i64) -> Answer {
        match step {
            Step::Claim { claim, token } => Answer::Claim(self.claim(case, claim, *token, now)),
            Step::Renew(renew) => Answer::Held(self.renew(case, renew, now)),
            Step::Settle(settle) => Answer::Held(self.settle(case, settle, now)),
            Step::Close(close) => Answer::Closed(self::close(case, close, now)),
            Step::Receipt(receipt) => Answer::Receipt(self::receipt(case, receipt, now)),
        }
    }

    fn claim(&self, case: &mut Case, claim: &Claim, token: u64, now: i64) -> ClaimAnswer {
        if !open(case, claim, now) {
            return ClaimAnswer::Duplicate;
        }
        let held =
            claim.targets.iter().map(|target| self.hold(case, target, claim.lease, token, now)).collect();
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
            State::InFlight if row.owner == owner => Held::Granted(granted(row, token, now)),
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
        row.template_version.clone_from(&target.template_version);
        row.touch(now);
        granted(row, token, now)
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

    fn settle(&self, case: &mut Case, settle: &Settle, now: i64) -> bool {
        let owner = self.owner(settle.token);
        let row = case.notification(&settle.target);
        let Some(row) = row.filter(|row| row.is_held_by(&owner, settle.epoch)) else { return false };
        // Settled before: the answer to its first commit was lost. Or a receipt came first, and knows better.
        if row.state != State::InFlight {
            return true;
        }
        write_down(row, &settle.attempts, now);
        row.state = settle.ending.into();
        row.gateway.clone_from(&settle.gateway);
        row.provider_id.clone_from(&settle.provider_id);
        row.reason = settle.reason.as_ref().map(ToString::to_string);
        row.busy_until = after(now, settle.pause);
        row.attempt -= i64::from(settle.uncounted);
        row.touch(now);
        if let (Some(state), Some(event)) = (settle.close, &mut case.event) {
            event.end(state, None, now);
        }
        true
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
        EventState::Open => event.fingerprint == claim.event.fingerprint,
        EventState::Done | EventState::Muted => false,
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

/// Adds the attempts that are not written yet: a claim's renewals and its settlement each bring all of them.
fn write_down(row: &mut NotificationRow, attempts: &[Attempt], now: i64) {
    let written = usize::try_from(row.written).unwrap_or_default();
    for attempt in attempts.iter().skip(written) {
        row.add(attempt, now);
    }
    row.written = i64::try_from(attempts.len()).unwrap_or(i64::MAX).max(row.written);
}

fn granted(row: &NotificationRow, token: u64, now: i64) -> Grant {
    Grant {
        token,
        epoch: row.epoch,
        attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
        age: between(row.first_claimed, now),
        taken_over: row.unknown_since.is_some() && row.ends_lost(),
        unknown: row
            .unknown_since
            .map(|since| UnknownAttempt { gateway: row.unknown_at.clone(), ago: between(since, now) }),
    }
}

/// A done or muted event stays so, and one that is on its way with another body goes on: what a duplicate would have
/// come to does not count.
fn close(case: &mut Case, close: &Close, now: i64) -> bool {
    let event = case.event.get_or_insert_with(|| EventRow::new(&close.event, now));
    let mine = match event.state {
        EventState::Open => event.fingerprint == close.event.fingerprint,
        EventState::Dead => true,
        EventState::Done | EventState::Muted => false,
    };
    if mine {
        event.end(close.state, close.reason, now);
        event.deaths = event.deaths.max(i64::from(close.deaths));
    }
    mine
}

/// The first end counts. A message that is said to have arrived was accepted, whatever we thought of it.
fn receipt(case: &mut Case, receipt: &Receipt, now: i64) -> ReceiptAnswer {
    let row = case.notifications.iter_mut().find(|row| row.reference == receipt.reference);
    let Some(row) = row else { return ReceiptAnswer::Stranger };
    let (state, reason) = match &receipt.fate {
        Fate::Delivered => (State::Delivered, None),
        Fate::Undelivered { reason } => (State::Undelivered, Some(reason.to_string())),
    };
    let given_up = row.state == State::Failed && state == State::Undelivered;
    if given_up || matches!(row.state, State::Delivered | State::Undelivered) {
        return ReceiptAnswer::Stale;
    }
    row.state = state;
    row.reason = reason;
    row.provider_id = receipt.provider_id.clone().or(row.provider_id.take());
    row.touch(now);
    ReceiptAnswer::Applied
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

fn after(now: i64, span: Duration) -> i64 {
    now.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

fn between(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or_default())
}

#[cfg(test)]
mod tests;

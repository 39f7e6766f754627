//! The rules that protect a recipient, judged once an event: when its row is made, in the same transaction. So whatever is
//! redelivered, retried or committed twice is counted once.

use std::mem::take;
use std::time::Duration;

use super::super::memory::{Memory, MemoryRow};
use super::super::operation::{Claim, DayLimit, DeviceRule, EventState, HeldBack, TargetRecord};
use super::super::rows::{Case, EventRow, NotificationRow, State, after};

/// A day and its time zones.
const DAY_AND_MORE: Duration = Duration::from_secs(48 * 3600);

/// Whether a new event is deliberately not told, and why; then it is written down as that.
pub(super) fn judge(case: &mut Case, claim: &Claim, memory: &mut Memory, now: i64) -> Option<HeldBack> {
    let event = case.event.as_mut()?;
    let (fresh, rules) = (take(&mut event.fresh), claim.rules.as_deref()?);
    if !fresh {
        return None;
    }
    let known = |rule: &DeviceRule| is_known(memory.row(&rule.key), rule, event.time, now);
    if rules.device.as_ref().is_some_and(known) {
        event.end(EventState::HeldBack, Some(HeldBack::KnownDevice.as_str()), now);
        return Some(HeldBack::KnownDevice);
    }
    let rule = rules.collapse.as_ref()?;
    if memory.row(&rule.key).count(rule, now) {
        return None;
    }
    event.summary = Some(memory.summarise(event, rule));
    event.end(EventState::HeldBack, Some(HeldBack::Collapsed.as_str()), now);
    Some(HeldBack::Collapsed)
}

/// Why an event was held back before.
pub(super) fn held_back(event: &EventRow) -> Option<HeldBack> {
    let reason = event.reason.as_deref().filter(|_| event.state == EventState::HeldBack)?;
    HeldBack::from_word(reason)
}

/// Whether it is the last device of this recipient. From here on it is, unless a later login was judged before this one.
fn is_known(row: &mut MemoryRow, rule: &DeviceRule, time: i64, now: i64) -> bool {
    let known = row.device.as_ref() == Some(&rule.device);
    if row.device.is_none() || time >= row.latest {
        row.device = Some(rule.device.clone());
        row.latest = time;
        row.until = after(now, rule.retention);
        row.changed = true;
    }
    known
}

/// A new SMS to a number that has had its share of the day fails before it is tried, so that the other channel takes over.
pub(super) fn limit(case: &mut Case, target: &TargetRecord, memory: &mut Memory, now: i64) {
    let new = case.notification(&target.target).is_none();
    let Some(limit) = target.day_limit.as_ref().filter(|_| new) else { return };
    if !may_be_sent(memory, limit, now) {
        let (state, reason) = (State::Failed, Some(HeldBack::SmsDayLimit.as_str().to_owned()));
        case.notifications.push(NotificationRow { state, reason, ..NotificationRow::new(target, now) });
    }
}

/// Counts an SMS of the day: true when it may be sent.
fn may_be_sent(memory: &mut Memory, limit: &DayLimit, now: i64) -> bool {
    let row = memory.row(&limit.key);
    let may = row.told < i64::from(limit.max);
    if may {
        row.told += 1;
        row.until = after(now, DAY_AND_MORE);
        row.changed = true;
    }
    may
}

#[cfg(test)]
mod tests;

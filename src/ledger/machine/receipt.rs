//! What a gateway says later: the end of a notification, and an event that has to be brought to its lane again.

use super::super::operation::{Attempt, EventState, Fate, Receipt, ReceiptAnswer};
use super::super::rows::{Case, NotificationRow, State};

/// The first end counts: states never go backwards. A message that is said to have arrived was accepted, whatever we
/// thought of it; that it did not arrive counts only from the gateway that has it.
pub(super) fn receipt(case: &mut Case, receipt: &Receipt, now: i64) -> ReceiptAnswer {
    let Some(row) = case.named(&receipt.message) else { return ReceiptAnswer::Stranger };
    let is_anew = row.state == State::Undelivered && row.sealed.is_some();
    match said(row, receipt) {
        Some(state) => note(row, state, receipt, now),
        // It was written down, and nobody could bring the event to its lane yet.
        None if is_anew && matches!(receipt.fate, Fate::Undelivered { .. }) => {}
        None => return ReceiptAnswer::Stale,
    }
    let target = row.target.clone();
    let sealed =
        row.sealed.clone().filter(|_| row.state == State::Undelivered && row.sealed_until >= Some(now));
    let Some(event) = &mut case.event else { return ReceiptAnswer::Stranger };
    let reopened = sealed.map(|sealed| {
        if event.state != EventState::Open {
            event.end(EventState::Open, None, now);
        }
        event.reopened(target, sealed)
    });
    ReceiptAnswer::Applied { event_id: event.id.clone(), reopened }
}

/// The state that a receipt brings a notification to; nothing when it says nothing new.
fn said(row: &NotificationRow, receipt: &Receipt) -> Option<State> {
    let is_at = |gateway: &Option<String>| receipt.gateway.is_none() || *gateway == receipt.gateway;
    let has_it = match row.state {
        State::Accepted | State::InFlight => is_at(&row.gateway),
        State::Unknown => is_at(&row.gateway) || is_at(&row.unknown_at),
        State::Retry | State::Failed | State::Delivered | State::Undelivered => false,
    };
    match (&receipt.fate, row.state) {
        (_, State::Delivered | State::Undelivered) => None,
        (Fate::Delivered, _) => Some(State::Delivered),
        (Fate::Undelivered { .. }, _) if has_it => Some(State::Undelivered),
        (Fate::Underway, State::Unknown) if has_it => Some(State::Accepted),
        (Fate::Undelivered { .. } | Fate::Underway, _) => None,
    }
}

fn note(row: &mut NotificationRow, state: State, receipt: &Receipt, now: i64) {
    let reason = match &receipt.fate {
        Fate::Undelivered { reason } => Some(reason.to_string()),
        Fate::Underway | Fate::Delivered => None,
    };
    row.add(&receipt_line(row, state, receipt, reason.clone()), now);
    row.state = state;
    row.reason = reason;
    row.gateway = receipt.gateway.clone().or(row.gateway.take());
    row.provider_id = receipt.provider_id.clone().or(row.provider_id.take());
    if state == State::Delivered {
        row.unseal();
    }
    row.touch(now);
}

/// A receipt as the notification's story tells it, among its attempts.
fn receipt_line(row: &NotificationRow, state: State, receipt: &Receipt, reason: Option<String>) -> Attempt {
    let gateway = receipt.gateway.clone().or_else(|| row.gateway.clone()).unwrap_or_default();
    Attempt {
        at: receipt.at,
        gateway,
        outcome: Attempt::receipt(state.as_str()),
        reason: reason.map(Into::into),
        detail: receipt.code.clone(),
        provider_id: receipt.provider_id.clone(),
        ms: 0,
    }
}

/// The event of a message that did not arrive is in its lane again.
pub(super) fn brought(case: &mut Case, target: &str, now: i64) {
    if let Some(row) = case.notification(target) {
        row.unseal();
        row.touch(now);
    }
}

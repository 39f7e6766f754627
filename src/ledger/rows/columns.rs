//! The columns of both tables, as statements name them and as rows are read: one order for both engines.

/// The columns of an event, in the order in which [`event_row`] reads them.
macro_rules! event_columns {
    () => {
        "key, id, type, lane, fingerprint, state, reason, time, deaths, first_seen, updated_at, summary"
    };
}

/// The columns of a notification, in the order in which [`notification_row`] reads them.
macro_rules! notification_columns {
    () => {
        "event_key, target, state, owner, epoch, attempt, busy_until, first_claimed, written, unknowns, unknown_since, \
         unknown_at, reference, recipient, why, template_version, gateway, provider_id, reason, attempts, updated_at, \
         sealed, sealed_until, receipt_id, by_reference"
    };
}

/// What changes of a notification that is there already.
macro_rules! notification_changes {
    () => {
        "state = excluded.state, owner = excluded.owner, epoch = excluded.epoch, attempt = excluded.attempt, \
         busy_until = excluded.busy_until, first_claimed = excluded.first_claimed, written = excluded.written, \
         unknowns = excluded.unknowns, unknown_since = excluded.unknown_since, unknown_at = excluded.unknown_at, \
         recipient = excluded.recipient, template_version = excluded.template_version, gateway = excluded.gateway, \
         provider_id = excluded.provider_id, reason = excluded.reason, attempts = excluded.attempts, \
         updated_at = excluded.updated_at, sealed = excluded.sealed, sealed_until = excluded.sealed_until, \
         receipt_id = excluded.receipt_id"
    };
}

/// An event from a row of either engine, which differ in what they call reading a column.
macro_rules! event_row {
    ($row:expr, $get:ident, $word:path) => {
        $crate::ledger::rows::EventRow {
            key: $row.$get(0)?,
            id: $row.$get(1)?,
            event_type: $row.$get(2)?,
            lane: $row.$get(3)?,
            fingerprint: $row.$get(4)?,
            state: $word($row, 5, $crate::ledger::EventState::from_word)?,
            reason: $row.$get(6)?,
            time: $row.$get(7)?,
            deaths: $row.$get(8)?,
            first_seen: $row.$get(9)?,
            updated_at: $row.$get(10)?,
            summary: $row.$get(11)?,
            changed: false,
            fresh: false,
        }
    };
}

/// As [`event_row`], of a notification.
macro_rules! notification_row {
    ($row:expr, $get:ident, $word:path) => {
        $crate::ledger::rows::NotificationRow {
            target: $row.$get(1)?,
            state: $word($row, 2, $crate::ledger::rows::State::from_word)?,
            owner: $row.$get(3)?,
            epoch: $row.$get(4)?,
            attempt: $row.$get(5)?,
            busy_until: $row.$get(6)?,
            first_claimed: $row.$get(7)?,
            written: $row.$get(8)?,
            unknowns: $row.$get(9)?,
            unknown_since: $row.$get(10)?,
            unknown_at: $row.$get(11)?,
            reference: $row.$get(12)?,
            recipient: $row.$get(13)?,
            why: $row.$get(14)?,
            template_version: $row.$get(15)?,
            gateway: $row.$get(16)?,
            provider_id: $row.$get(17)?,
            reason: $row.$get(18)?,
            attempts: $row.$get(19)?,
            updated_at: $row.$get(20)?,
            sealed: $row.$get(21)?,
            sealed_until: $row.$get(22)?,
            receipt_id: $row.$get(23)?,
            by_reference: $row.$get(24)?,
            changed: false,
        }
    };
}
pub(in crate::ledger) use {
    event_columns, event_row, notification_changes, notification_columns, notification_row,
};

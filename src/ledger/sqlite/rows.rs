//! Rows in and out of SQLite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::operation::EventState;
use super::super::rows::{Case, EventRow, NotificationRow, State};

pub(super) fn load(connection: &Connection, key: &str) -> rusqlite::Result<Case> {
    let Some(event) = read_event(connection, key)? else { return Ok(Case::default()) };
    Ok(Case { event: Some(event), notifications: read_notifications(connection, key)? })
}

pub(super) fn read_event(connection: &Connection, key: &str) -> rusqlite::Result<Option<EventRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, id, type, lane, fingerprint, state, reason, time, deaths, first_seen, updated_at
         FROM event WHERE key = ?1",
    )?;
    statement.query_row([key], event).optional()
}

pub(super) fn read_notifications(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Vec<NotificationRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT target, state, owner, epoch, attempt, busy_until, first_claimed, written, unknowns, unknown_since,
                unknown_at, reference, recipient, why, template_version, gateway, provider_id, reason, attempts, updated_at
         FROM notification WHERE event_key = ?1",
    )?;
    statement.query_map([key], notification)?.collect()
}

fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        key: row.get(0)?,
        id: row.get(1)?,
        event_type: row.get(2)?,
        lane: row.get(3)?,
        fingerprint: row.get(4)?,
        state: word(row, 5, EventState::from_word)?,
        reason: row.get(6)?,
        time: row.get(7)?,
        deaths: row.get(8)?,
        first_seen: row.get(9)?,
        updated_at: row.get(10)?,
        changed: false,
    })
}

fn notification(row: &Row<'_>) -> rusqlite::Result<NotificationRow> {
    Ok(NotificationRow {
        target: row.get(0)?,
        state: word(row, 1, State::from_word)?,
        owner: row.get(2)?,
        epoch: row.get(3)?,
        attempt: row.get(4)?,
        busy_until: row.get(5)?,
        first_claimed: row.get(6)?,
        written: row.get(7)?,
        unknowns: row.get(8)?,
        unknown_since: row.get(9)?,
        unknown_at: row.get(10)?,
        reference: row.get(11)?,
        recipient: row.get(12)?,
        why: row.get(13)?,
        template_version: row.get(14)?,
        gateway: row.get(15)?,
        provider_id: row.get(16)?,
        reason: row.get(17)?,
        attempts: row.get(18)?,
        updated_at: row.get(19)?,
        changed: false,
    })
}

fn word<T>(row: &Row<'_>, index: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    parse(&text).ok_or_else(|| {
        let error = format!("\"{text}\" is no state that this version knows");
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error.into())
    })
}

/// Writes what the machine has changed.
pub(super) fn save(connection: &Connection, key: &str, case: &Case) -> rusqlite::Result<()> {
    if let Some(event) = case.event.as_ref().filter(|event| event.changed) {
        save_event(connection, event)?;
    }
    case.notifications
        .iter()
        .filter(|row| row.changed)
        .try_for_each(|row| save_notification(connection, key, row))
}

fn save_event(connection: &Connection, event: &EventRow) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO event (key, id, type, lane, fingerprint, state, reason, time, deaths, first_seen, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, state = excluded.state,
           reason = excluded.reason, deaths = excluded.deaths, updated_at = excluded.updated_at",
    )?;
    let values = params![
        event.key,
        event.id,
        event.event_type,
        event.lane,
        event.fingerprint,
        event.state.as_str(),
        event.reason,
        event.time,
        event.deaths,
        event.first_seen,
        event.updated_at
    ];
    statement.execute(values).map(drop)
}

fn save_notification(connection: &Connection, key: &str, row: &NotificationRow) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO notification
           (event_key, target, state, owner, epoch, attempt, busy_until, first_claimed, written, unknowns, unknown_since,
            unknown_at, reference, recipient, why, template_version, gateway, provider_id, reason, attempts, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
         ON CONFLICT (event_key, target) DO UPDATE SET
           state = excluded.state, owner = excluded.owner, epoch = excluded.epoch, attempt = excluded.attempt,
           busy_until = excluded.busy_until, first_claimed = excluded.first_claimed, written = excluded.written,
           unknowns = excluded.unknowns, unknown_since = excluded.unknown_since, unknown_at = excluded.unknown_at,
           recipient = excluded.recipient, template_version = excluded.template_version, gateway = excluded.gateway,
           provider_id = excluded.provider_id, reason = excluded.reason, attempts = excluded.attempts,
           updated_at = excluded.updated_at",
    )?;
    let values = params![
        key,
        row.target,
        row.state.as_str(),
        row.owner,
        row.epoch,
        row.attempt,
        row.busy_until,
        row.first_claimed,
        row.written,
        row.unknowns,
        row.unknown_since,
        row.unknown_at,
        row.reference,
        row.recipient,
        row.why,
        row.template_version,
        row.gateway,
        row.provider_id,
        row.reason,
        row.attempts,
        row.updated_at
    ];
    statement.execute(values).map(drop)
}

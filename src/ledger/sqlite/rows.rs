//! Rows in and out of SQLite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::rows::{
    Case, EventRow, NotificationRow, event_columns, event_row, notification_changes, notification_columns,
    notification_row,
};

pub(super) fn load(connection: &Connection, key: &str) -> rusqlite::Result<Case> {
    let Some(event) = read_event(connection, key)? else { return Ok(Case::default()) };
    Ok(Case { event: Some(event), notifications: read_notifications(connection, key)?, ..Case::default() })
}

pub(super) fn read_event(connection: &Connection, key: &str) -> rusqlite::Result<Option<EventRow>> {
    let select = concat!("SELECT ", event_columns!(), " FROM event WHERE key = ?1");
    let read = |row: &Row<'_>| Ok(event_row!(row, get, word));
    connection.prepare_cached(select)?.query_row([key], read).optional()
}

pub(super) fn read_notifications(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Vec<NotificationRow>> {
    let select = concat!("SELECT ", notification_columns!(), " FROM notification WHERE event_key = ?1");
    let read = |row: &Row<'_>| Ok(notification_row!(row, get, word));
    connection.prepare_cached(select)?.query_map([key], read)?.collect()
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
    let upsert = concat!(
        "INSERT INTO event (",
        event_columns!(),
        ")
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, state = excluded.state,
           reason = excluded.reason, deaths = excluded.deaths, updated_at = excluded.updated_at"
    );
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
        event.updated_at,
        event.summary
    ];
    connection.prepare_cached(upsert)?.execute(values).map(drop)
}

fn save_notification(connection: &Connection, key: &str, row: &NotificationRow) -> rusqlite::Result<()> {
    let upsert = concat!(
        "INSERT INTO notification (", notification_columns!(), ")
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
            ?22, ?23, ?24, ?25)
         ON CONFLICT (event_key, target) DO UPDATE SET ", notification_changes!()
    );
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
        row.updated_at,
        row.sealed,
        row.sealed_until,
        row.receipt_id,
        row.by_reference
    ];
    connection.prepare_cached(upsert)?.execute(values).map(drop)
}

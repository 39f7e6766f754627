//! What is remembered of recipients, and summaries, in SQLite.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::engine::{STRANDED_STEP, SWEEP_STEP};
use super::super::memory::{
    Memory, MemoryRow, SummaryRow, due_columns, due_summary, memory_changes, memory_columns, memory_row,
    summary_changes, summary_columns, summary_story,
};
use super::super::operation::DueSummary;
use super::super::rows::{EventRow, before};
use super::super::story::SummaryStory;

/// What is known by these keys.
pub(super) fn load(connection: &Connection, keys: &[String]) -> rusqlite::Result<Memory> {
    let mut memory = Memory::default();
    let select = concat!("SELECT ", memory_columns!(), " FROM memory WHERE key = ?1");
    let read = |row: &Row<'_>| Ok(memory_row!(row, get));
    for key in keys {
        let found = connection.prepare_cached(select)?.query_row([key], read).optional()?;
        memory.rows.extend(found.map(|row| (key.clone(), row)));
    }
    Ok(memory)
}

/// Writes what the machine has changed.
pub(super) fn save(connection: &Connection, memory: &Memory) -> rusqlite::Result<()> {
    memory.changed().try_for_each(|row| save_row(connection, row))?;
    memory.summaries.values().try_for_each(|row| save_summary(connection, row))
}

fn save_row(connection: &Connection, row: &MemoryRow) -> rusqlite::Result<()> {
    let upsert = concat!(
        "INSERT INTO memory (",
        memory_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (key) DO UPDATE SET ",
        memory_changes!()
    );
    let values = params![row.key, row.since, row.due, row.told, row.over, row.latest, row.device, row.until];
    connection.prepare_cached(upsert)?.execute(values).map(drop)
}

fn save_summary(connection: &Connection, row: &SummaryRow) -> rusqlite::Result<()> {
    let upsert = concat!(
        "INSERT INTO summary (",
        summary_columns!(),
        ", looked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0) ON CONFLICT (id) DO UPDATE SET ",
        summary_changes!("summary")
    );
    let values = params![
        row.key,
        row.window,
        row.event_type,
        row.lane,
        row.event_key,
        row.event_id,
        row.event_time,
        row.over,
        row.due,
        row.sealed
    ];
    connection.prepare_cached(upsert)?.execute(values).map(drop)
}

/// The oldest first; touched, so that whoever looks next leaves them to whoever has them now.
pub(super) fn due(connection: &Connection, after: Duration, now: i64) -> rusqlite::Result<Vec<DueSummary>> {
    let select = concat!(
        "UPDATE summary SET looked_at = ?1 WHERE id IN
           (SELECT id FROM summary WHERE brought_at IS NULL AND due <= ?1 AND looked_at <= ?2 ORDER BY due LIMIT ?3)
         RETURNING ",
        due_columns!()
    );
    let mut statement = connection.prepare_cached(select)?;
    let read = |row: &Row<'_>| Ok(due_summary!(row, get));
    statement.query_map((now, before(now, after), STRANDED_STEP), read)?.collect()
}

pub(super) fn brought(connection: &Connection, summary: &DueSummary, now: i64) -> rusqlite::Result<()> {
    let update = "UPDATE summary SET brought_at = ?1, sealed = NULL WHERE id = ?2 AND brought_at IS NULL";
    connection.prepare_cached(update)?.execute((now, &summary.id)).map(drop)
}

/// Forgets a few of what is over, but no window whose summary is still to be brought.
pub(super) fn sweep(connection: &Connection, retention: Duration, now: i64) -> rusqlite::Result<u64> {
    let summaries =
        "DELETE FROM summary WHERE id IN (SELECT id FROM summary WHERE due < ?1 ORDER BY due LIMIT ?2)";
    let swept = connection.prepare_cached(summaries)?.execute((before(now, retention), SWEEP_STEP))? as u64;
    let memory = "DELETE FROM memory WHERE key IN (SELECT key FROM memory WHERE until < ?1 AND NOT EXISTS
                    (SELECT 1 FROM summary WHERE window_key = memory.key AND brought_at IS NULL)
                  ORDER BY until LIMIT ?2)";
    Ok(swept + connection.prepare_cached(memory)?.execute((now, SWEEP_STEP))? as u64)
}

/// The summary that an event is part of, or that is made of it.
pub(super) fn summary_of(
    connection: &Connection,
    event: Option<&EventRow>,
) -> rusqlite::Result<Option<SummaryStory>> {
    let Some((id, event_key)) = event.and_then(EventRow::in_summary) else { return Ok(None) };
    let select = "SELECT event_id, over, due, brought_at FROM summary WHERE id = ?1 OR event_key = ?2 ORDER BY due DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok(summary_story!(row, get));
    connection.prepare_cached(select)?.query_row((id, event_key), read).optional()
}

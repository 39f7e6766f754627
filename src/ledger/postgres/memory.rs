//! What is remembered of recipients, and summaries, in PostgreSQL.
//!
//! A row of memory is made and locked by one statement, in the order of the keys and after the batch's events: two workers
//! never wait for each other in a circle, and nobody counts beside somebody else. A summary's row is written under its
//! window's lock alone.

use std::time::Duration;

use futures_util::try_join;
use tokio_postgres::{Client, Error, Row};

use super::super::engine::{STRANDED_STEP, SWEEP_STEP};
use super::super::memory::{Memory, due_summary, memory_row, summary_story};
use super::super::operation::DueSummary;
use super::super::rows::{EventRow, before};
use super::super::story::SummaryStory;
use super::connect::{Connected, Problem};
use super::rows::{MemoryColumns, Statements, SummaryColumns};

/// Makes what is not there, locks all of it, and says what is known.
pub(super) async fn load(at: &Connected, keys: &[String]) -> Result<Memory, Problem> {
    let mut memory = Memory::default();
    if keys.is_empty() {
        return Ok(memory);
    }
    let row = |row: Row| Ok::<_, Problem>(memory_row!(row, try_get));
    for found in at.client.query(&at.statements.lock_memory, &[&keys]).await? {
        let found = row(found)?;
        memory.rows.insert(found.key.clone(), found);
    }
    Ok(memory)
}

/// Writes what the machine has changed; mostly nothing.
pub(super) async fn save(client: &Client, statements: &Statements, memory: &Memory) -> Result<(), Error> {
    let (mut rows, mut summaries) = (MemoryColumns::default(), SummaryColumns::default());
    memory.changed().for_each(|row| rows.push(row));
    memory.summaries.values().for_each(|row| summaries.push(row));
    try_join!(rows.update(client, statements), summaries.upsert(client, statements)).map(drop)
}

/// The oldest first; touched, so that whoever looks next leaves them to whoever has them now. A window that a claim is at is
/// left for the next look: it may still be counting.
pub(super) async fn due(at: &Connected, after: Duration, now: i64) -> Result<Vec<DueSummary>, Problem> {
    let before = before(now, after);
    let windows = at.client.query(&at.statements.lock_due, &[&now, &before, &STRANDED_STEP]).await?;
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let windows = windows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    let rows = at.client.query(&at.statements.due_summaries, &[&now, &before, &windows]).await?;
    let summary = |row: Row| Ok(due_summary!(row, try_get));
    rows.into_iter().map(summary).collect()
}

pub(super) async fn brought(at: &Connected, summary: &DueSummary, now: i64) -> Result<(), Problem> {
    at.client.execute(&at.statements.summary_brought, &[&now, &summary.id]).await?;
    Ok(())
}

/// Forgets a few of what is over, but no window whose summary is still to be brought.
pub(super) async fn sweep(at: &Connected, retention: Duration, now: i64) -> Result<u64, Problem> {
    let before = before(now, retention);
    let swept = at.client.execute(&at.statements.sweep_summaries, &[&before, &SWEEP_STEP]).await?;
    Ok(swept + at.client.execute(&at.statements.sweep_memory, &[&now, &SWEEP_STEP]).await?)
}

/// The summary that an event is part of, or that is made of it.
pub(super) async fn summary_of(
    at: &Connected,
    event: Option<&EventRow>,
) -> Result<Option<SummaryStory>, Problem> {
    let Some((id, event_key)) = event.and_then(EventRow::in_summary) else { return Ok(None) };
    let found = at.client.query_opt(&at.statements.summary_of, &[&id, &event_key]).await?;
    let story = |row: Row| Ok(summary_story!(row, try_get));
    found.map(story).transpose()
}

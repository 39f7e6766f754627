//! What is remembered of recipients, by HMACs alone: windows of `collapse`, last devices, SMS of a day. And the summaries of
//! what was held back.
//!
//! A row of memory is locked together with the events whose rules look at it, so that workers count as one. Whoever writes a
//! summary holds its window's row: what is counted is counted once, and a window that was brought is never added to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::operation::{Claim, CollapseRule, DueSummary, Operation, Step};
use super::rows::{EventRow, after};

/// A window's row outlives it by longer than a transaction can take: nobody forgets it under a claim that still counts.
const AFTER_WINDOW: Duration = Duration::from_secs(60);

/// One thing remembered of one recipient. A new one is blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MemoryRow {
    pub key: String,
    /// Of a window: when it began.
    pub since: i64,
    /// Of a window: when it ends.
    pub due: i64,
    /// How many were told.
    pub told: i64,
    /// How many were held back.
    pub over: i64,
    /// Of a device: when its login happened, by the event's own word.
    pub latest: i64,
    /// Of a device: HMAC of it.
    pub device: Option<String>,
    /// Forgotten after this.
    pub until: i64,
    pub changed: bool,
}

/// A summary, as the newest event that was held back leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SummaryRow {
    /// Window and its beginning.
    pub key: String,
    pub window: String,
    pub event_type: String,
    pub lane: String,
    pub event_key: String,
    pub event_id: String,
    /// When it happened: an older one that comes late is counted, and no more.
    pub event_time: i64,
    pub over: i64,
    pub due: i64,
    pub sealed: Vec<u8>,
}

/// The memory that a batch works on.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub rows: HashMap<String, MemoryRow>,
    /// Those that changed.
    pub summaries: BTreeMap<String, SummaryRow>,
}

impl Memory {
    /// What is known by this key.
    pub fn row(&mut self, key: &str) -> &mut MemoryRow {
        let blank = || MemoryRow { key: key.to_owned(), ..MemoryRow::default() };
        self.rows.entry(key.to_owned()).or_insert_with(blank)
    }

    pub fn changed(&self) -> impl Iterator<Item = &MemoryRow> {
        self.rows.values().filter(|row| row.changed)
    }

    /// Notes an event that was held back, for the summary of its window.
    pub fn summarise(&mut self, event: &EventRow, rule: &CollapseRule) -> String {
        let row = self.row(&rule.key);
        let (over, due, key) = (row.over, row.due, format!("{}.{}", row.key, row.since));
        let new = SummaryRow {
            key: key.clone(),
            window: rule.key.clone(),
            event_type: event.event_type.clone(),
            lane: event.lane.clone(),
            event_key: event.key.clone(),
            event_id: event.id.clone(),
            event_time: event.time,
            over,
            due,
            sealed: rule.sealed.0.clone(),
        };
        match self.summaries.get_mut(&key) {
            Some(known) if known.event_time > event.time => known.over = over,
            _ => drop(self.summaries.insert(key.clone(), new)),
        }
        key
    }
}

impl MemoryRow {
    /// Counts one of a window: true when it may be told. A window begins with the first event after the one before.
    pub fn count(&mut self, rule: &CollapseRule, now: i64) -> bool {
        if now >= self.due {
            self.since = now.max(self.since.saturating_add(1));
            self.due = after(self.since, rule.window);
            self.until = after(self.due, AFTER_WINDOW);
            (self.told, self.over) = (0, 0);
        }
        self.changed = true;
        let may = self.told < i64::from(rule.max);
        if may {
            self.told += 1
        } else {
            self.over += 1
        }
        may
    }
}

/// How a row of either engine says how many were held back beside the one that the summary is made of.
pub(super) fn others(over: i64) -> u32 {
    u32::try_from(over.saturating_sub(1)).unwrap_or_default()
}

/// The keys of the memory that a batch needs, in order; mostly none.
pub(super) fn memory_keys(batch: &[Operation]) -> Vec<String> {
    let keys: BTreeSet<&str> = batch.iter().flat_map(of_operation).collect();
    keys.into_iter().map(str::to_owned).collect()
}

fn of_operation(operation: &Operation) -> Vec<&str> {
    match operation {
        Operation::Step(Step::Claim { claim, .. }) => of_claim(claim),
        Operation::SummaryBrought(DueSummary { window, .. }) => vec![window],
        _ => Vec::new(),
    }
}

fn of_claim(claim: &Claim) -> Vec<&str> {
    let rules = claim.rules.as_deref();
    let device = rules.and_then(|rules| rules.device.as_ref()).map(|rule| rule.key.as_str());
    let collapse = rules.and_then(|rules| rules.collapse.as_ref()).map(|rule| rule.key.as_str());
    let days = claim.targets.iter().filter_map(|target| target.day_limit.as_ref());
    device.into_iter().chain(collapse).chain(days.map(|limit| limit.key.as_str())).collect()
}

/// The columns of a memory, in the order in which [`memory_row`] reads them.
macro_rules! memory_columns {
    () => {
        "key, since, due, told, over, latest, device, until"
    };
}

/// What changes of a memory that is there already.
macro_rules! memory_changes {
    () => {
        "since = excluded.since, due = excluded.due, told = excluded.told, over = excluded.over, \
         latest = excluded.latest, device = excluded.device, until = excluded.until"
    };
}

/// The columns of a summary as it is written.
macro_rules! summary_columns {
    () => {
        "id, window_key, type, lane, event_key, event_id, event_time, over, due, sealed"
    };
}

/// What of a summary comes from the event that it is made of: the newest.
macro_rules! summary_changes {
    ($table:literal) => {
        concat!(
            "over = excluded.over, ",
            "event_key = CASE WHEN excluded.event_time >= ",
            $table,
            ".event_time
               THEN excluded.event_key ELSE ",
            $table,
            ".event_key END, ",
            "event_id = CASE WHEN excluded.event_time >= ",
            $table,
            ".event_time
               THEN excluded.event_id ELSE ",
            $table,
            ".event_id END, ",
            "lane = CASE WHEN excluded.event_time >= ",
            $table,
            ".event_time
               THEN excluded.lane ELSE ",
            $table,
            ".lane END, ",
            "sealed = CASE WHEN excluded.event_time >= ",
            $table,
            ".event_time
               THEN excluded.sealed ELSE ",
            $table,
            ".sealed END, ",
            "event_time = CASE WHEN excluded.event_time >= ",
            $table,
            ".event_time
               THEN excluded.event_time ELSE ",
            $table,
            ".event_time END"
        )
    };
}

/// A memory from a row of either engine.
macro_rules! memory_row {
    ($row:expr, $get:ident) => {
        $crate::ledger::memory::MemoryRow {
            key: $row.$get(0)?,
            since: $row.$get(1)?,
            due: $row.$get(2)?,
            told: $row.$get(3)?,
            over: $row.$get(4)?,
            latest: $row.$get(5)?,
            device: $row.$get(6)?,
            until: $row.$get(7)?,
            changed: false,
        }
    };
}

/// The columns of a summary that is due, in the order in which [`due_summary`] reads them.
macro_rules! due_columns {
    () => {
        "id, window_key, event_key, event_id, type, lane, over, sealed"
    };
}

/// A due summary from a row of either engine.
macro_rules! due_summary {
    ($row:expr, $get:ident) => {
        $crate::ledger::operation::DueSummary {
            id: $row.$get(0)?,
            window: $row.$get(1)?,
            event_key: $row.$get(2)?,
            event_id: $row.$get(3)?,
            event_type: $row.$get(4)?,
            lane: $row.$get(5)?,
            others: $crate::ledger::memory::others($row.$get(6)?),
            sealed: $crate::ledger::operation::Sealed($row.$get(7)?),
        }
    };
}

/// What `trace` says of a summary, from a row of either engine.
macro_rules! summary_story {
    ($row:expr, $get:ident) => {
        $crate::ledger::story::SummaryStory {
            event_id: $row.$get(0)?,
            others: $crate::ledger::memory::others($row.$get(1)?),
            due: $crate::ledger::time($row.$get(2)?),
            brought_at: $row.$get::<_, Option<i64>>(3)?.map($crate::ledger::time),
        }
    };
}
pub(super) use {
    due_columns, due_summary, memory_changes, memory_columns, memory_row, summary_changes, summary_columns,
    summary_story,
};

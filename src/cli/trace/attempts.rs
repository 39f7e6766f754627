//! Attempts, and receipts after them, as a table without headings: when, through which gateway, how it ended, how long
//! that took, why.

use super::time::jst;
use crate::ledger::{Attempt, NotificationStory, ReceiptStory};

const COLUMNS: usize = 5;
/// The milliseconds stand to the right.
const RIGHT: usize = 3;

/// A line an attempt or receipt.
pub(super) fn in_words(one: &NotificationStory) -> String {
    let rows: Vec<_> = one.attempts.iter().map(row).chain(one.receipts.iter().map(receipt_row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut lines = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            RIGHT => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        lines.push_str(&format!("    {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
    lines
}

fn row(attempt: &Attempt) -> [String; COLUMNS] {
    let lost = is_lost(attempt);
    // Of a lost one nobody knows.
    let ms = if lost { "- ms".to_owned() } else { format!("{} ms", attempt.ms) };
    [jst(attempt.at), attempt.gateway.clone(), attempt.outcome.to_string(), ms, why(attempt)]
}

fn receipt_row(receipt: &ReceiptStory) -> [String; COLUMNS] {
    let words = [receipt.reason.as_deref(), receipt.code.as_deref()];
    let why = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
    [jst(receipt.at), receipt.gateway.clone(), receipt.status.clone(), "receipt".to_owned(), why]
}

fn why(attempt: &Attempt) -> String {
    let lost = is_lost(attempt).then_some("the worker ended or stalled before the answer");
    let id = attempt.provider_id.as_deref().map(|id| format!("its id {id}"));
    let words = [attempt.reason.as_deref(), attempt.detail.as_deref(), lost, id.as_deref()];
    words.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn is_lost(attempt: &Attempt) -> bool {
    attempt.reason.as_deref() == Some(Attempt::LOST)
}

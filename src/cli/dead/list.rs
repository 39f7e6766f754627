//! `shirase dead list`: which, why, since when.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::process::ExitCode;

use super::super::table::table as lined_up;
use super::pass;
use super::selection::Selection;
use super::words::{age, or_nothing, to_the_second};
use crate::dead::{Letter, NOTHING};

/// More of a detail does not fit a line; `dead show` has all of it.
const MAX_DETAIL: usize = 60;

const HEADINGS: [&str; 9] =
    ["#", "died at", "age", "reason", "type", "attempts", "bytes", "event id", "detail"];
/// Numbers stand to the right.
const RIGHT: [usize; 3] = [0, 5, 6];

/// `dead list`
#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    selection: Selection,
}

impl List {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut look = pass::open(&self.selection).await?;
        let letters: Vec<Letter> = look.held().await?.into_iter().map(|(letter, _)| letter).collect();
        let pass = pass::close(look, &self.selection).await?;
        let shown = &letters[..letters.len().min(self.selection.at_most())];
        let mut out = stdout().lock();
        if self.selection.json {
            for letter in shown {
                writeln!(out, "{}", serde_json::to_string(letter)?)?;
            }
        } else if !letters.is_empty() {
            write!(out, "{}\n{}\n", table(shown), by_reason(&letters))?;
        }
        drop(out);
        pass.tell(self.selection.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How many of each reason, most first.
pub(super) fn by_reason<'a>(letters: impl IntoIterator<Item = &'a Letter>) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for letter in letters {
        *counts.entry(&letter.reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut lines = String::new();
    for (reason, count) in counts {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{count:>7}  {reason}");
    }
    lines
}

fn table(letters: &[Letter]) -> String {
    let rows = letters.iter().enumerate().map(|(index, letter)| row(index + 1, letter));
    let rows: Vec<_> = [HEADINGS.map(str::to_owned)].into_iter().chain(rows).collect();
    lined_up(&rows, &RIGHT)
}

fn row(number: usize, letter: &Letter) -> [String; HEADINGS.len()] {
    [
        number.to_string(),
        letter.died_at.map_or_else(|| NOTHING.to_owned(), to_the_second),
        age(letter),
        letter.reason.clone(),
        letter.event_type().to_owned(),
        or_nothing(letter.attempts),
        letter.bytes.to_string(),
        letter.event_id().to_owned(),
        cut(letter.detail.as_deref().unwrap_or(NOTHING)),
    ]
}

fn cut(detail: &str) -> String {
    match detail.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &detail[..end]),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str, reason: &str, detail: &str) -> Letter {
        Letter {
            event_id: Some(id.to_owned()),
            event_type: Some("security.login".to_owned()),
            reason: reason.to_owned(),
            detail: Some(detail.to_owned()),
            attempts: Some(4),
            died_at: Some("2026-11-22T06:04:05.678Z".parse().expect("a time")),
            age_seconds: Some(7500),
            bytes: 512,
            ..Letter::default()
        }
    }

    #[test]
    fn a_table_has_a_line_a_letter_and_shows_what_is_not_known_as_a_dash() {
        let long = "x".repeat(70);
        let unknown = Letter { reason: "unknown".to_owned(), ..Letter::default() };
        let table = table(&[letter("e-1", "schema", &long), unknown]);
        let expected = format!(
            "#  died at               age    reason   type            attempts  bytes  event id  detail\n\
             1  2026-11-22T06:04:05Z  2h 5m  schema   security.login         4    512  e-1       {}…\n\
             2  -                     -      unknown  -                      -      0  -         -\n",
            "x".repeat(60)
        );
        assert_eq!(table, expected);
    }

    #[test]
    fn the_most_frequent_reason_comes_first() {
        let letters = ["expired", "schema", "schema"].map(|reason| letter("e", reason, ""));
        assert_eq!(by_reason(&letters), "      2  schema\n      1  expired\n");
    }
}

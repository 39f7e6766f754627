//! What became of each dead letter, a line each, and their count.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::NOT_IN_ORDER;
use crate::dead::{Letter, Outcome};

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    outcome: &'static str,
    why: Option<&'a str>,
    #[serde(flatten)]
    letter: &'a Letter,
}

/// Tells each outcome as it comes, and counts.
pub(super) struct Outcomes {
    json: bool,
    counts: BTreeMap<&'static str, usize>,
}

impl Outcomes {
    pub fn new(json: bool) -> Self {
        Self { json, counts: BTreeMap::new() }
    }

    /// # Errors
    /// When nobody reads.
    pub fn tell(&mut self, letter: &Letter, outcome: &Outcome) -> anyhow::Result<()> {
        let (word, why) = (outcome.as_str(), outcome.why());
        *self.counts.entry(word).or_default() += 1;
        if self.json {
            let line = serde_json::to_string(&Line { outcome: word, why, letter })?;
            writeln!(stdout(), "{line}")?;
            return Ok(());
        }
        let (id, event_type, reason) = (letter.event_id(), letter.event_type(), &letter.reason);
        let rest = match (outcome, letter.lane) {
            (Outcome::Kept(why), _) => format!(": {why}"),
            (Outcome::Replayed | Outcome::WouldReplay, Some(lane)) => format!(" → {lane}"),
            _ => String::new(),
        };
        let word = word.replace('_', " ");
        writeln!(stdout(), "{word:<12}  {id}  {event_type}  {reason}{rest}")?;
        Ok(())
    }

    /// The counts for a person, and the exit code: not in order when a letter was kept.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn finish(self) -> anyhow::Result<ExitCode> {
        let counts: Vec<_> =
            self.counts.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " "))).collect();
        if !self.json && !counts.is_empty() {
            writeln!(stdout(), "{}", counts.join(", "))?;
        }
        let kept = self.counts.contains_key("kept");
        Ok(if kept { ExitCode::from(NOT_IN_ORDER) } else { ExitCode::SUCCESS })
    }
}

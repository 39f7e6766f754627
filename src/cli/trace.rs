//! `shirase trace`: was this customer told, when, how, and if not, why.
//!
//! It reads the ledger beside the workers that write it, and needs the configuration alone: a broken template or catalog
//! keeps nobody from looking. Nothing personal comes out of it; customers are told apart by their pseudonyms.

mod attempts;
mod event;
mod notification;
mod question;
mod shell;
mod time;

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use self::question::Question;
use super::{ConfigArg, Usage};
use crate::clock::Clock;
use crate::config::{Config, process_environment};
use crate::ledger::{Reader, Story};

/// `trace`
#[derive(clap::Args)]
pub(super) struct Trace {
    /// The event with this id, of whatever source
    #[arg(value_name = "EVENT_ID", required_unless_present = "recipient", conflicts_with = "recipient")]
    event_id: Option<String>,
    /// Only the event of this source, where several use the same id
    #[arg(long, requires = "event_id")]
    source: Option<String>,
    /// The newest events that this number or address, however it is written, was or was to be told of; `-` reads it from
    /// standard input, so that neither the shell's history nor the list of processes holds it
    #[arg(long, value_name = "PHONE|EMAIL")]
    recipient: Option<String>,
    /// One JSON object an event, each on a line of its own
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What the words about an event depend on beside its story.
struct Telling<'a> {
    now: Timestamp,
    /// The pseudonym that was asked for.
    asked_for: Option<&'a str>,
    /// For the commands that the words name.
    config: Option<&'a Path>,
}

impl Trace {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let question = Question::of(self.event_id, self.source, self.recipient.as_deref())?;
        let config_file = self.config.config.as_deref();
        let ledger = Config::load(config_file, process_environment())?.ledger;
        // Not "nothing is known of it": a script must not take the one for the other.
        let unreadable = |error: &dyn std::error::Error| Usage(format!("ledger.url: {error}"));
        let reader = Reader::open(&ledger).await.map_err(|error| unreadable(&error))?;
        let asked_for = question.pseudonym(&reader).await.map_err(|error| unreadable(&error))?;
        let stories =
            question.ask(&reader, asked_for.as_deref()).await.map_err(|error| unreadable(&error))?;
        let stories = question.answered(stories, &ledger, config_file)?;
        let mut out = stdout().lock();
        if self.json {
            stories.iter().try_for_each(|story| writeln!(out, "{}", serde_json::to_string(story)?))?;
        } else {
            let telling =
                Telling { now: Clock::system().now(), asked_for: asked_for.as_deref(), config: config_file };
            write!(out, "{}", telling.all(&stories))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Telling<'_> {
    fn all(&self, stories: &[Story]) -> String {
        let heading = self.asked_for.map(|pseudonym| question::heading(pseudonym, stories.len()));
        let events = stories.iter().map(|story| self.event(story));
        heading.into_iter().chain(events).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests;

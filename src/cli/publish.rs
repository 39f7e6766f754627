//! `shirase publish`: events into RabbitMQ, each confirmed.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, examples};
use crate::broker::{BrokerError, Names, Outgoing, Publisher};
use crate::dispatch::Schedule;
use crate::event::{RawEvent, peek};

/// How many are on their way to the broker at once.
const PIPELINED: usize = 256;

/// Publish events with confirms: JSON Lines, one document, or an array.
///
/// Bodies are sent as they are, with routing key = event type; the worker, not this command, judges them.
#[derive(clap::Args)]
pub(super) struct Publish {
    /// A file of events, `-` for standard input
    file: PathBuf,
    /// One JSON object with the counts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Publish {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let house = House::load(self.config.config.as_deref())?;
        let events = examples::read(&self.file).await?;
        let config = &house.config;
        let names = Names::new(&config.broker, &house.catalog, Schedule::new(&config.retry).steps());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let publisher = Publisher::start(config.broker.clone(), names.clone(), stop.clone(), &tasks);

        let mut outcome = Outcome::default();
        for chunk in events.chunks(PIPELINED) {
            let sends = chunk.iter().map(|(line, raw)| publish(&publisher, &names, *line, raw));
            for sent in futures_util::future::join_all(sends).await {
                match sent {
                    Ok(()) => outcome.confirmed += 1,
                    Err(problem) => outcome.problems.push(problem),
                }
            }
            if outcome.problems.iter().any(|problem| problem.fatal) {
                break;
            }
        }
        stop.cancel();
        tasks.close();
        // What was confirmed is confirmed; a connection that does not close in time changes nothing.
        let _ = tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await;
        let not_tried = events.get(outcome.confirmed + outcome.problems.len()..).unwrap_or_default();
        self.report(events.len(), &outcome, not_tried.first().map(|(line, _)| *line))
    }

    fn report(
        &self,
        events: usize,
        outcome: &Outcome,
        not_tried_from: Option<usize>,
    ) -> anyhow::Result<ExitCode> {
        let Outcome { confirmed, problems } = outcome;
        let file = self.file.display();
        let mut words: Vec<String> =
            problems.iter().map(|problem| format!("{file}:{}: {}", problem.line, problem.words)).collect();
        if let Some(line) = not_tried_from {
            words.push(format!("{file}:{line}: not tried, nor any event after it"));
        }
        if self.json {
            writeln!(stdout(), "{}", json!({"events": events, "confirmed": confirmed, "problems": words}))?;
        } else {
            words.iter().for_each(|words| eprintln!("{words}"));
            writeln!(stdout(), "{confirmed} of {events} events confirmed by the broker")?;
        }
        Ok(if *confirmed == events { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }
}

/// What became of the events that were tried.
#[derive(Default)]
struct Outcome {
    confirmed: usize,
    problems: Vec<Problem>,
}

/// An event that was not published, or of which nobody knows.
struct Problem {
    line: usize,
    words: String,
    /// The next one would fare no better.
    fatal: bool,
}

async fn publish(publisher: &Publisher, names: &Names, line: usize, raw: &RawEvent) -> Result<(), Problem> {
    let problem = |words: String, fatal: bool| Problem { line, words, fatal };
    let Some(event_type) = peek(raw).1 else {
        return Err(problem("has no type to route it by; it was not published".to_owned(), false));
    };
    let message =
        Outgoing::new(&names.exchange, &event_type, raw.body.clone(), "application/cloudevents+json");
    publisher.publish(&message).await.map_err(|error| match error {
        BrokerError::Unroutable => {
            problem(format!("no queue is bound to {event_type}: add it to the catalog"), false)
        }
        error => problem(format!("not confirmed: {error}"), true),
    })
}

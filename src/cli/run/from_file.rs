//! Events from a file or standard input through the same pipeline. Retries wait in memory; what did not get through is
//! listed with its line, and running the same file again sends nothing twice.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufRead, BufReader, stdin};
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};
use tokio_util::task::TaskTracker;

use super::super::house::tally;
use super::super::{NOT_IN_ORDER, Usage};
use crate::broker::{Entry, EventFile};
use crate::dispatch::{Dispatcher, Disposition, Incoming, NotificationResult, Report};
use crate::event::{Lane, RawEvent, peek};
use crate::worker::Stop;

/// Events that may be known at once, waiting for a retry or being worked on: reading stops there.
const MAX_PENDING: usize = 10_000;

/// What became of all entries.
#[derive(Default)]
struct Outcomes {
    read: AtomicUsize,
    ended: Mutex<Vec<(usize, Report)>>,
}

impl Outcomes {
    fn end(&self, line: usize, report: Report) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push((line, report));
    }

    fn ended(&self) -> usize {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

pub(super) async fn run(
    dispatcher: Arc<Dispatcher>,
    file: &Path,
    limit: usize,
    json: bool,
    stop: Stop,
) -> anyhow::Result<ExitCode> {
    let outcomes = Arc::new(Outcomes::default());
    let progress = stderr().is_terminal().then(|| tokio::spawn(show_progress(Arc::clone(&outcomes))));
    let input: Box<dyn AsyncBufRead + Unpin + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(stdin()))
    } else {
        let opened = File::open(file).await.map_err(|error| Usage(format!("{}: {error}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    let tasks = TaskTracker::new();
    let read = read_all(&dispatcher, input, limit, &tasks, &outcomes, &stop).await;
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = stop.soft.cancelled() => {}
    }
    if let Some(progress) = progress {
        progress.abort();
        eprint!("\r\x1b[K");
    }
    let code = summarise(&outcomes, json)?;
    read.map_err(|error| Usage(format!("{}: {error}", file.display())))?;
    Ok(code)
}

async fn read_all(
    dispatcher: &Arc<Dispatcher>,
    input: Box<dyn AsyncBufRead + Unpin + Send>,
    limit: usize,
    tasks: &TaskTracker,
    outcomes: &Arc<Outcomes>,
    stop: &Stop,
) -> std::io::Result<()> {
    let mut entries = EventFile::new(input);
    let (working, pending) = (Arc::new(Semaphore::new(limit)), Arc::new(Semaphore::new(MAX_PENDING)));
    loop {
        let entry = tokio::select! {
            () = stop.soft.cancelled() => return Ok(()),
            entry = entries.next() => entry?,
        };
        let Some(entry) = entry else { return Ok(()) };
        outcomes.read.fetch_add(1, Ordering::Relaxed);
        let Ok(place) = Arc::clone(&pending).acquire_owned().await else { return Ok(()) };
        let (dispatcher, working, outcomes) =
            (Arc::clone(dispatcher), Arc::clone(&working), Arc::clone(outcomes));
        tasks.spawn(async move {
            let line = entry.line;
            let report = until_it_ends(&dispatcher, entry, &working).await;
            outcomes.end(line, report);
            drop(place);
        });
    }
}

/// Dispatches one event as often as its schedule says; only working holds a permit, waiting does not.
async fn until_it_ends(dispatcher: &Dispatcher, entry: Entry, working: &Semaphore) -> Report {
    let raw = RawEvent::structured(entry.body);
    let mut incoming = Incoming { lane: lane(dispatcher, &raw), raw, attempts: 0 };
    loop {
        let permit = working.acquire().await;
        let report = dispatcher.dispatch(&incoming).await;
        drop(permit);
        let Disposition::Retry { delay, attempts } = report.disposition else { return report };
        incoming.attempts = attempts;
        sleep(delay).await;
    }
}

fn lane(dispatcher: &Dispatcher, raw: &RawEvent) -> Lane {
    let kind = peek(raw).1.and_then(|name| dispatcher.catalog.get(&name).cloned());
    kind.map_or(Lane::Standard, |kind| kind.policy.lane)
}

async fn show_progress(outcomes: Arc<Outcomes>) {
    let mut tick = interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        let (read, ended) = (outcomes.read.load(Ordering::Relaxed), outcomes.ended());
        eprint!("\r\x1b[K{ended} of {read} events");
        // A terminal that is gone shows no progress; the work goes on.
        let _ = stderr().flush();
    }
}

fn summarise(outcomes: &Outcomes, json: bool) -> anyhow::Result<ExitCode> {
    let read = outcomes.read.load(Ordering::Relaxed);
    let mut ended = std::mem::take(&mut *outcomes.ended.lock().unwrap_or_else(PoisonError::into_inner));
    ended.sort_by_key(|(line, _)| *line);
    if json {
        let mut out = stdout().lock();
        for (line, report) in &ended {
            let mut value = serde_json::to_value(report)?;
            value["line"] = (*line).into();
            writeln!(out, "{value}")?;
        }
    }
    let notifications = ended.iter().flat_map(|(_, report)| &report.notifications);
    let accepted = notifications.clone().filter(|one| one.result == NotificationResult::Accepted);
    let told: Vec<String> = tally(accepted.map(|one| one.channel))
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let duplicates = notifications.filter(|one| one.result == NotificationResult::Duplicate).count();
    let muted = ended.iter().filter(|(_, report)| report.muted).count();
    let dead: Vec<_> = ended.iter().filter(|(_, report)| report.result() == Some("dead")).collect();
    let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
    eprintln!("{read} events: sent {told}; {duplicates} told before, {muted} muted, {} dead", dead.len());
    for (line, report) in &dead {
        if let Disposition::Dead { reason, detail } = &report.disposition {
            eprintln!("  line {line}: {}: {detail}", reason.as_str());
        }
    }
    let unfinished = read - ended.iter().filter(|(_, report)| report.result().is_some()).count();
    if unfinished > 0 {
        eprintln!("{unfinished} events not finished: run the same file again, nothing is sent twice");
    }
    Ok(if dead.is_empty() && unfinished == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
}

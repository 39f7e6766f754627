//! Events from a file or standard input through the same pipeline. Retries wait in memory; what did not get through is
//! listed with its line, and running the same file again sends nothing twice.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufRead, BufReader, stdin};
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::super::{NOT_IN_ORDER, Usage};
use crate::broker::{Entry, EventFile};
use crate::dispatch::{Dispatcher, Disposition, Incoming, NotificationResult, Report, Revive};
use crate::event::{Lane, RawEvent, peek};
use crate::worker::Stop;

/// Events that may be known at once, waiting for a retry or being worked on: reading stops there.
const MAX_PENDING: usize = 10_000;

/// Dead letters that the summary lists; beyond that only their number.
const MAX_LISTED: usize = 1000;

/// One run over one input.
pub(super) struct FileRun {
    pub dispatcher: Arc<Dispatcher>,
    /// Events worked on at once.
    pub limit: u32,
    /// After a signal, how long what is in flight may take.
    pub drain: Duration,
    /// Print each report as a line of JSON.
    pub json: bool,
    pub stop: Stop,
}

/// What became of the entries so far. Bounded, because a pipe may go on for ever.
#[derive(Default)]
struct Summary {
    read: usize,
    ended: usize,
    accepted: BTreeMap<&'static str, usize>,
    duplicates: usize,
    muted: usize,
    held_back: usize,
    dead: usize,
    listed: Vec<(usize, String)>,
}

#[derive(Clone)]
struct Shared {
    dispatcher: Arc<Dispatcher>,
    summary: Arc<Mutex<Summary>>,
    working: Arc<Semaphore>,
    json: bool,
}

impl FileRun {
    pub async fn run(self, file: &Path) -> anyhow::Result<ExitCode> {
        let failed = |error: std::io::Error| Usage(format!("{}: {error}", file.display()));
        let input: Box<dyn AsyncBufRead + Unpin + Send> = if file == Path::new("-") {
            Box::new(BufReader::new(stdin()))
        } else {
            Box::new(BufReader::new(File::open(file).await.map_err(failed)?))
        };
        let shared = Shared {
            dispatcher: Arc::clone(&self.dispatcher),
            summary: Arc::default(),
            working: Arc::new(Semaphore::new(self.limit as usize)),
            json: self.json,
        };
        let progress =
            stderr().is_terminal().then(|| tokio::spawn(show_progress(Arc::clone(&shared.summary))));
        let tasks = TaskTracker::new();
        let read = self.read_all(input, &tasks, &shared).await;
        tasks.close();
        tokio::select! {
            () = tasks.wait() => {}
            () = self.stop.soft.cancelled() => self.finish_sends(&shared).await,
        }
        if let Some(progress) = progress {
            progress.abort();
            eprint!("\r\x1b[K");
        }
        let code = shared.locked().report();
        read.map_err(failed)?;
        Ok(code)
    }

    async fn read_all(
        &self,
        input: Box<dyn AsyncBufRead + Unpin + Send>,
        tasks: &TaskTracker,
        shared: &Shared,
    ) -> std::io::Result<()> {
        let mut entries = EventFile::new(input);
        let pending = Arc::new(Semaphore::new(MAX_PENDING));
        loop {
            let next = async {
                let place = Arc::clone(&pending).acquire_owned().await;
                entries.next().await.map(|entry| (place, entry))
            };
            let (place, entry) = tokio::select! {
                () = self.stop.soft.cancelled() => return Ok(()),
                next = next => next?,
            };
            let Some(entry) = entry else { return Ok(()) };
            shared.locked().read += 1;
            let shared = shared.clone();
            tasks.spawn(async move {
                until_it_ends(&shared, entry).await;
                drop(place);
            });
        }
    }

    /// After a signal: what is being sent may finish; what waits for a retry is left to the next run. Whoever holds all
    /// permits knows that nothing is being sent.
    async fn finish_sends(&self, shared: &Shared) {
        let _ = timeout(self.drain, shared.working.acquire_many(self.limit)).await;
        shared.working.close();
    }
}

/// Dispatches one event as often as its schedule says, unless the run is stopped before that; only working holds a permit,
/// waiting does not. How it ended is noted under the permit: whoever holds all of them sums up.
async fn until_it_ends(shared: &Shared, entry: Entry) {
    let line = entry.line;
    let raw = RawEvent::structured(entry.body);
    let mut incoming =
        Incoming { lane: lane(&shared.dispatcher, &raw), raw, attempts: 0, revive: Revive::Always };
    loop {
        let Ok(permit) = shared.working.acquire().await else { return };
        let mut report = shared.dispatcher.dispatch(&incoming).await;
        if let Some(burial) = report.burial.take()
            && shared.dispatcher.bury(burial).await.is_err()
        {
            return;
        }
        let Disposition::Retry { delay, attempts } = report.disposition else {
            return shared.end(line, &report);
        };
        drop(permit);
        incoming.attempts = attempts;
        sleep(delay).await;
    }
}

fn lane(dispatcher: &Dispatcher, raw: &RawEvent) -> Lane {
    let kind = peek(raw).1.and_then(|name| dispatcher.catalog.get(&name).cloned());
    kind.map_or(Lane::Standard, |kind| kind.policy.lane)
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, line: usize, report: &Report) {
        let mut summary = self.locked();
        summary.add(line, report);
        if self.json {
            let mut value = serde_json::to_value(report).unwrap_or_default();
            value["line"] = line.into();
            // A reader that went away (`| head`) does not stop the sending.
            let _ = writeln!(stdout(), "{value}");
        }
    }
}

impl Summary {
    fn add(&mut self, line: usize, report: &Report) {
        if report.result().is_none() {
            return; // Left alone in a shutdown: not ended.
        }
        self.ended += 1;
        self.muted += usize::from(report.muted);
        self.held_back += usize::from(report.held_back.is_some());
        for notification in &report.notifications {
            match notification.result {
                NotificationResult::Accepted => *self.accepted.entry(notification.channel).or_default() += 1,
                NotificationResult::Duplicate => self.duplicates += 1,
                _ => {}
            }
        }
        if let Disposition::Dead { reason, detail } = &report.disposition {
            self.dead += 1;
            if self.listed.len() < MAX_LISTED {
                self.listed.push((line, format!("{}: {detail}", reason.as_str())));
            }
        }
    }

    /// The closing lines on stderr, and the exit code.
    fn report(&mut self) -> ExitCode {
        let told: Vec<String> =
            self.accepted.iter().map(|(channel, count)| format!("{count} {channel}")).collect();
        let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
        let Self { read, duplicates, muted, dead, .. } = self;
        let held_back = match self.held_back {
            0 => String::new(),
            count => format!(" {count} held back,"),
        };
        eprintln!(
            "{read} events: sent {told}; {duplicates} told before, {muted} muted,{held_back} {dead} dead"
        );
        self.listed.sort();
        for (line, what) in &self.listed {
            eprintln!("  line {line}: {what}");
        }
        if self.dead > self.listed.len() {
            eprintln!("  and {} more", self.dead - self.listed.len());
        }
        let unfinished = self.read - self.ended;
        if unfinished > 0 {
            eprintln!("{unfinished} events not finished: run the same file again, nothing is sent twice");
        }
        if self.dead == 0 && unfinished == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) }
    }
}

async fn show_progress(summary: Arc<Mutex<Summary>>) {
    let mut tick = interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        let (read, ended) = {
            let summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            (summary.read, summary.ended)
        };
        eprint!("\r\x1b[K{ended} of {read} events");
        // A terminal that is gone shows no progress; the work goes on.
        let _ = stderr().flush();
    }
}

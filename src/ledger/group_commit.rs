//! Many callers, few writers: what waits while a commit runs goes into the next one. A durable commit costs a disk
//! flush; sharing it is worth twenty to eighty times the throughput.
//!
//! A writer never gives an operation up: while the engine cannot write it tries again, callers wait, and so nothing
//! is sent and nothing is acked. [`Ledger::trouble`] says why.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::engine::{Engine, EngineError};
use super::operation::{
    Answer, Claim, ClaimAnswer, Close, DueSummary, Oldest, Operation, Receipt, ReceiptAnswer, Renew,
    Reopened, Settle, SettleAnswer, Step,
};
use super::postgres::{Postgres, PostgresUrl};
use super::sqlite::Sqlite;
use super::{LedgerConfig, LedgerUrl, OpenError, Pseudonyms};
use crate::clock::Clock;
use crate::drain::Drain;
use crate::telemetry;

/// Operations in one transaction at most.
const MAX_BATCH: usize = 256;

/// A batch of so many says that there is a crowd: the next one waits for company.
const CROWD: usize = 12;

/// It waits as long as the last commit took, and this at most. A commit costs as much as some fifty operations in it, so that
/// without company a full queue is worked off in commits of ten, of which each is a disk flush and wakes everybody up. Less
/// waiting was measured to tell fewer events, at more CPU each.
const LONGEST_WAIT: Duration = Duration::from_millis(8);

/// Between two tries of an engine that cannot write.
const RETRY_EVERY: Duration = Duration::from_millis(250);

type Request = (Operation, oneshot::Sender<Answer>);
type Queue = Arc<Mutex<mpsc::Receiver<Request>>>;
/// What each writer cannot do at the moment.
type Troubles = BTreeMap<usize, String>;

/// The ledger as the rest of the program knows it. Cheap to clone; the last clone dropped ends the writers.
#[derive(Clone)]
pub struct Ledger {
    requests: mpsc::Sender<Request>,
    troubles: watch::Receiver<Troubles>,
    pseudonyms: watch::Receiver<Option<Pseudonyms>>,
    tokens: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
}

/// The ledger was closed before it answered: whatever waits for it must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is closed")]
pub struct LedgerClosed;

impl Ledger {
    /// Opens the configured ledger, creating it when it is not there. A SQLite file is opened at once and lives by
    /// `clock`, which has to run steadily; PostgreSQL has a clock of its own, is connected to when there is something to
    /// write, and as often as it takes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(config: &LedgerConfig, clock: &Clock) -> Result<Self, OpenError> {
        match &config.url {
            LedgerUrl::File(path) => Self::embedded(Sqlite::open(path, clock.clone())?, config),
            LedgerUrl::Memory => Self::embedded(Sqlite::in_memory(clock.clone())?, config),
            LedgerUrl::Postgres(url) => Self::shared(url, config),
        }
    }

    fn embedded(engine: Sqlite, config: &LedgerConfig) -> Result<Self, OpenError> {
        let key = match &config.recipient_key {
            Some(secret) => secret.clone(),
            None => engine.own_key()?,
        };
        Ok(Self::with_engines([engine], watch::channel(Some(Pseudonyms::new(&key))).1))
    }

    fn shared(url: &PostgresUrl, config: &LedgerConfig) -> Result<Self, OpenError> {
        let configured = config.recipient_key.as_ref().map(Pseudonyms::new);
        let (told, pseudonyms) = watch::channel(configured);
        let told = Arc::new(told);
        let process = Postgres::process();
        let engine = |_| {
            let told = Arc::clone(&told);
            let key_found = move |key| {
                told.send_if_modified(|known| {
                    let new = known.is_none();
                    known.get_or_insert_with(|| Pseudonyms::new(&key));
                    new
                });
            };
            Postgres::new(url.clone(), process.clone(), Box::new(key_found))
        };
        let engines = (0..config.pool).map(engine).collect::<Result<Vec<_>, _>>();
        let engines = engines
            .map_err(|error| OpenError::Engine { place: url.to_string(), detail: error.to_string() })?;
        Ok(Self::with_engines(engines, pseudonyms))
    }

    fn with_engines<E: Engine + 'static>(
        engines: impl IntoIterator<Item = E>,
        pseudonyms: watch::Receiver<Option<Pseudonyms>>,
    ) -> Self {
        let (requests, queue) = mpsc::channel(4 * MAX_BATCH);
        let (troubles, troubles_seen) = watch::channel(Troubles::new());
        let (queue, troubles) = (Arc::new(Mutex::new(queue)), Arc::new(troubles));
        let (stopping, busy) = (Arc::new(AtomicBool::new(false)), Arc::default());
        for (number, engine) in engines.into_iter().enumerate() {
            let (queue, troubles) = (Arc::clone(&queue), Arc::clone(&troubles));
            let (stopping, busy) = (Arc::clone(&stopping), Arc::clone(&busy));
            let writer = Writer { number, engine, queue, troubles, stopping, busy };
            thread::Builder::new()
                .name(format!("ledger-{number}"))
                .spawn(move || writer.run())
                .expect("a thread can be started while the program starts");
        }
        Self { requests, troubles: troubles_seen, pseudonyms, tokens: Arc::default(), stopping }
    }

    /// Asks for the right to send; durable before it is granted.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn claim(&self, claim: Claim) -> Result<ClaimAnswer, LedgerClosed> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        match self.step(Step::Claim { claim, token }).await? {
            Answer::Claim(answer) => Ok(answer),
            _ => Err(LedgerClosed),
        }
    }

    /// Makes a claim last longer and names the gateway that is asked next; durable when it returns. False: someone else
    /// has taken the claim over.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn renew(&self, renew: Renew) -> Result<bool, LedgerClosed> {
        Ok(self.step(Step::Renew(renew)).await? == Answer::Held(true))
    }

    /// Writes down how a claim ended; durable when it returns.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn settle(&self, settle: Settle) -> Result<SettleAnswer, LedgerClosed> {
        match self.step(Step::Settle(settle)).await? {
            Answer::Settled(answer) => Ok(answer),
            _ => Err(LedgerClosed),
        }
    }

    /// Writes down what became of an event; durable when it returns. False, and nothing is changed, when the event was
    /// done or muted before, or is on its way with another body: then this delivery is a duplicate.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn close_event(&self, close: Close) -> Result<bool, LedgerClosed> {
        Ok(self.step(Step::Close(close)).await? == Answer::Closed(true))
    }

    /// Writes down that a reopened event is in its lane again; its sealed message is forgotten.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn brought(&self, reopened: &Reopened) -> Result<(), LedgerClosed> {
        let (event_key, target) = (reopened.event_key.clone(), reopened.target.clone());
        self.step(Step::Brought { event_key, target }).await.map(drop)
    }

    /// Reopened events that nobody has brought to their lane for `after`: whoever took the receipt ended before that. A
    /// few at a time; none is given twice within `after`.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn stranded(&self, after: Duration) -> Result<Vec<Reopened>, LedgerClosed> {
        match self.write(Operation::Stranded { after }).await? {
            Answer::Stranded(reopened) => Ok(reopened),
            _ => Err(LedgerClosed),
        }
    }

    /// Writes down what a gateway said of a message that it was given; durable when it returns.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn receipt(&self, receipt: Receipt) -> Result<ReceiptAnswer, LedgerClosed> {
        match self.step(Step::Receipt(receipt)).await? {
            Answer::Receipt(answer) => Ok(answer),
            _ => Err(LedgerClosed),
        }
    }

    /// Forgets a few of the events first seen longer ago than `retention`; returns how many.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn sweep(&self, retention: Duration) -> Result<u64, LedgerClosed> {
        match self.write(Operation::Sweep { retention }).await? {
            Answer::Swept(count) => Ok(count),
            _ => Err(LedgerClosed),
        }
    }

    /// The oldest open event of each lane that has one.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn oldest(&self) -> Result<Vec<Oldest>, LedgerClosed> {
        match self.write(Operation::Oldest).await? {
            Answer::Oldest(oldest) => Ok(oldest),
            _ => Err(LedgerClosed),
        }
    }

    /// Summaries whose window is over and that nobody has brought to their lane for `after`. A few at a time; none is given
    /// twice within `after`.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn due_summaries(&self, after: Duration) -> Result<Vec<DueSummary>, LedgerClosed> {
        match self.write(Operation::DueSummaries { after }).await? {
            Answer::DueSummaries(due) => Ok(due),
            _ => Err(LedgerClosed),
        }
    }

    /// Writes down that a summary is in its lane; its sealed message is forgotten.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn summary_brought(&self, summary: DueSummary) -> Result<(), LedgerClosed> {
        self.write(Operation::SummaryBrought(summary)).await.map(drop)
    }

    /// Its writers have ended, so that nothing can ever be written again.
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Every gateway's drain; some may be over.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn drains(&self) -> Result<Vec<Drain>, LedgerClosed> {
        match self.write(Operation::Drains).await? {
            Answer::Drains(drains) => Ok(drains),
            _ => Err(LedgerClosed),
        }
    }

    /// Why nothing can be written at the moment; `None` when all is well.
    pub fn trouble(&self) -> Option<String> {
        if self.is_closed() {
            return Some("its writer has ended; restart the worker".to_owned());
        }
        self.troubles.borrow().values().next().cloned()
    }

    /// What stands for something personal, as soon as the key is known: one that a shared ledger keeps itself is known
    /// when it has been reached for the first time.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn pseudonyms(&self) -> Result<Pseudonyms, LedgerClosed> {
        let mut pseudonyms = self.pseudonyms.clone();
        if let Some(known) = &*pseudonyms.borrow() {
            return Ok(known.clone());
        }
        // Nobody may have asked anything of the ledger yet, and only a question makes it connect.
        self.oldest().await?;
        let known = pseudonyms.wait_for(Option::is_some).await.map_err(|_| LedgerClosed)?;
        known.clone().ok_or(LedgerClosed)
    }

    /// Gives up what an engine in trouble has not written; its callers get [`LedgerClosed`].
    pub fn abandon(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    async fn step(&self, step: Step) -> Result<Answer, LedgerClosed> {
        self.write(Operation::Step(step)).await
    }

    async fn write(&self, operation: Operation) -> Result<Answer, LedgerClosed> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((operation, answer)).await.map_err(|_| LedgerClosed)?;
        answered.await.map_err(|_| LedgerClosed)
    }
}

/// A thread that writes. Several share a queue; whoever is free takes what is in it.
struct Writer<E> {
    number: usize,
    engine: E,
    queue: Queue,
    troubles: Arc<watch::Sender<Troubles>>,
    stopping: Arc<AtomicBool>,
    /// Writers that are committing.
    busy: Arc<AtomicUsize>,
}

impl<E: Engine> Writer<E> {
    fn run(mut self) {
        let (mut crowded, mut took) = (false, Duration::ZERO);
        while let Some((operations, callers)) = self.next(crowded, took) {
            let began = Instant::now();
            self.busy.fetch_add(1, Ordering::Relaxed);
            let answers = self.commit(&operations);
            self.busy.fetch_sub(1, Ordering::Relaxed);
            (crowded, took) = (operations.len() >= CROWD, began.elapsed());
            let Some(answers) = answers else { return };
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that went away (shutdown) needs no answer.
                let _ = caller.send(answer);
            }
        }
    }

    /// The next batch; nothing when the last [`Ledger`] is gone.
    fn next(&self, crowded: bool, last: Duration) -> Option<(Vec<Operation>, Vec<oneshot::Sender<Answer>>)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let first = queue.blocking_recv()?;
        if crowded || self.busy.load(Ordering::Relaxed) > 0 {
            thread::sleep(last.min(LONGEST_WAIT));
        }
        let (mut operations, mut callers) = (vec![first.0], vec![first.1]);
        while operations.len() < MAX_BATCH {
            let Ok((operation, caller)) = queue.try_recv() else { break };
            operations.push(operation);
            callers.push(caller);
        }
        Some((operations, callers))
    }

    /// Commits however often it takes; `None` when the program stops before that.
    fn commit(&mut self, operations: &[Operation]) -> Option<Vec<Answer>> {
        loop {
            let started = Instant::now();
            match self.engine.commit(operations) {
                Ok(answers) => {
                    telemetry::ledger_committed(started.elapsed());
                    self.recovered();
                    return Some(answers);
                }
                Err(error) => self.in_trouble(error),
            }
            if self.stopping.load(Ordering::Relaxed) {
                return None;
            }
            thread::sleep(RETRY_EVERY);
        }
    }

    fn recovered(&self) {
        let mut all_well = false;
        self.troubles.send_if_modified(|troubles| {
            let changed = troubles.remove(&self.number).is_some();
            all_well = changed && troubles.is_empty();
            changed
        });
        if all_well {
            telemetry::ledger_recovered();
        }
    }

    fn in_trouble(&self, error: EngineError) {
        let mut first = false;
        self.troubles.send_modify(|troubles| {
            first = troubles.is_empty();
            troubles.insert(self.number, error.to_string());
        });
        if first {
            telemetry::ledger_in_trouble(&error.to_string());
        }
    }
}

#[cfg(test)]
mod tests;

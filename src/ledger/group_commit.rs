//! Many callers, one writer: what waits while a commit runs goes into the next one. A durable commit costs a disk
//! flush; sharing it is worth twenty to eighty times the throughput.
//!
//! The writer never gives an operation up: while the engine cannot write it tries again, callers wait, and so nothing
//! is sent and nothing is acked. [`Ledger::trouble`] says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ring::hmac;
use tokio::sync::{mpsc, oneshot, watch};

use super::sqlite::Sqlite;
use super::{
    Answer, Claim, ClaimAnswer, Close, Engine, LedgerConfig, LedgerUrl, OpenError, Operation, Settle,
};
use crate::config::Secret;
use crate::telemetry;

/// Operations in one transaction at most.
const MAX_BATCH: usize = 256;

/// Between two tries of an engine that cannot write.
const RETRY_EVERY: Duration = Duration::from_millis(250);

type Request = (Operation, oneshot::Sender<Answer>);

/// The ledger as the rest of the program knows it. Cheap to clone; the last clone dropped ends the writer.
#[derive(Clone)]
pub struct Ledger {
    requests: mpsc::Sender<Request>,
    trouble: watch::Receiver<Option<String>>,
    recipient_key: hmac::Key,
    stopping: Arc<AtomicBool>,
}

/// The ledger was closed before it answered: whatever waits for it must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is closed")]
pub struct LedgerClosed;

impl Ledger {
    /// Opens the configured ledger, creating it when it is not there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(config: &LedgerConfig) -> Result<Self, OpenError> {
        let engine = match &config.url {
            LedgerUrl::File(path) => Sqlite::open(path)?,
            LedgerUrl::Memory => Sqlite::in_memory()?,
        };
        let key = match &config.recipient_key {
            Some(secret) => secret.clone(),
            None => engine.own_key()?,
        };
        Ok(Self::with_engine(engine, &key))
    }

    fn with_engine(engine: impl Engine + 'static, key: &Secret) -> Self {
        let (requests, queue) = mpsc::channel(4 * MAX_BATCH);
        let (trouble, trouble_seen) = watch::channel(None);
        let stopping = Arc::new(AtomicBool::new(false));
        let writer = Writer { engine, queue, trouble, stopping: Arc::clone(&stopping) };
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .expect("a thread can be started while the program starts");
        let recipient_key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes());
        Self { requests, trouble: trouble_seen, recipient_key, stopping }
    }

    /// Asks for the right to send; durable before it is granted.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn claim(&self, claim: Claim) -> Result<ClaimAnswer, LedgerClosed> {
        match self.write(Operation::Claim(claim)).await? {
            Answer::Claim(answer) => Ok(answer),
            _ => Err(LedgerClosed),
        }
    }

    /// Writes down how an attempt ended; durable when it returns. False: someone else has taken the claim over.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn settle(&self, settle: Settle) -> Result<bool, LedgerClosed> {
        Ok(self.write(Operation::Settle(settle)).await? == Answer::Settled(true))
    }

    /// Writes down what became of an event; durable when it returns. False, and nothing is changed, when the event was
    /// done or muted before, or is on its way with another body: then this delivery is a duplicate.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn close_event(&self, close: Close) -> Result<bool, LedgerClosed> {
        Ok(self.write(Operation::Close(close)).await? == Answer::Closed(true))
    }

    /// Forgets a few of the events first seen before `before`; returns how many.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile.
    pub async fn sweep(&self, before: Timestamp) -> Result<usize, LedgerClosed> {
        match self.write(Operation::Sweep { before }).await? {
            Answer::Swept(count) => Ok(count),
            _ => Err(LedgerClosed),
        }
    }

    /// Why nothing can be written at the moment; `None` when all is well.
    pub fn trouble(&self) -> Option<String> {
        if self.requests.is_closed() {
            return Some("its writer has ended; restart the worker".to_owned());
        }
        self.trouble.borrow().clone()
    }

    /// HMAC of something personal, as the ledger and logs hold it: 16 bytes in hex.
    pub fn pseudonym(&self, personal: &[u8]) -> String {
        hmac::sign(&self.recipient_key, personal).as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Gives up what an engine in trouble has not written; its callers get [`LedgerClosed`].
    pub fn abandon(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    async fn write(&self, operation: Operation) -> Result<Answer, LedgerClosed> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((operation, answer)).await.map_err(|_| LedgerClosed)?;
        answered.await.map_err(|_| LedgerClosed)
    }
}

/// The one thread that writes.
struct Writer<E> {
    engine: E,
    queue: mpsc::Receiver<Request>,
    trouble: watch::Sender<Option<String>>,
    stopping: Arc<AtomicBool>,
}

impl<E: Engine> Writer<E> {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let (mut operations, mut callers) = (vec![first.0], vec![first.1]);
            while operations.len() < MAX_BATCH {
                let Ok((operation, caller)) = self.queue.try_recv() else { break };
                operations.push(operation);
                callers.push(caller);
            }
            let Some(answers) = self.commit(&operations) else { return };
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that went away (shutdown) needs no answer.
                let _ = caller.send(answer);
            }
        }
    }

    /// Commits however often it takes; `None` when the program stops before that.
    fn commit(&mut self, operations: &[Operation]) -> Option<Vec<Answer>> {
        loop {
            let started = Instant::now();
            match self.engine.commit(operations) {
                Ok(answers) => {
                    telemetry::ledger_committed(started.elapsed());
                    if self.trouble.send_replace(None).is_some() {
                        telemetry::ledger_recovered();
                    }
                    return Some(answers);
                }
                Err(error) => {
                    let known = self.trouble.send_replace(Some(error.to_string()));
                    if known.is_none() {
                        telemetry::ledger_in_trouble(&error.to_string());
                    }
                }
            }
            if self.stopping.load(Ordering::Relaxed) {
                return None;
            }
            thread::sleep(RETRY_EVERY);
        }
    }
}

#[cfg(test)]
mod tests;

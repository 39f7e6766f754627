//! PostgreSQL as the ledger: shared by any number of workers.
//!
//! A batch is one transaction of two round trips, whatever is in it: the first makes and locks the events' rows (in the
//! order of their keys, so that two workers never wait for each other in a circle) and brings all that is known of them;
//! the second writes what the machine has changed, and commits. Time is the database's.

mod connect;
mod drains;
mod memory;
mod rows;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures_util::try_join;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;

pub(super) use self::connect::PostgresUrl;
use self::connect::{Connected, Problem, Purpose};
pub(super) use self::drains::PostgresControls;
use self::rows::{EventColumns, NewEvents, NotificationColumns, event, notification};
use super::engine::{Engine, EngineError, STRANDED_STEP, SWEEP_STEP, random_hex};
use super::machine::Machine;
use super::memory::memory_keys;
use super::operation::{Answer, MessageName, Oldest, Operation, Reopened, Sealed, Step};
use super::rows::{Case, Cases, Place, before, place, receipt_key};
use super::{View, ViewError};
use crate::config::Secret;

/// A transaction that takes longer counts as failed; it may still come through, which does no harm.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Told the ledger's own key for pseudonyms as soon as there is a connection.
pub(super) type KeyFound = Box<dyn Fn(Secret) + Send>;

pub(super) struct Postgres {
    url: PostgresUrl,
    machine: Machine,
    runtime: Runtime,
    connected: Option<Connected>,
    key_found: KeyFound,
}

impl Postgres {
    /// Does not connect yet: a database that is away keeps no worker from starting, only from sending.
    pub fn new(url: PostgresUrl, process: String, key_found: KeyFound) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // Others write too: only its lease says when a claim is over.
        Ok(Self { url, machine: Machine::new(process, false), runtime, connected: None, key_found })
    }

    /// A name for this process in its claims.
    pub fn process() -> String {
        random_hex(8)
    }
}

impl Engine for Postgres {
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError> {
        let Self { url, machine, runtime, connected, key_found } = self;
        runtime.block_on(async {
            // A connection that broke while nothing was asked of it says so at the next question: one more try.
            if let Some(old) = connected.take()
                && let Ok(answers) = in_time(transact(&old, machine, batch)).await
            {
                *connected = Some(old);
                return Ok(answers);
            }
            let new = connect::connect(url, Purpose::Write).await.map_err(EngineError::from)?;
            key_found(new.own_key.clone());
            let answers = in_time(transact(&new, machine, batch))
                .await
                .map_err(|problem| EngineError(format!("{url}: {problem}")))?;
            *connected = Some(new);
            Ok(answers)
        })
    }
}

impl From<Problem> for EngineError {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    timeout(TRANSACTION_TIMEOUT, work).await.unwrap_or(Err(Problem::Silent))
}

async fn transact(at: &Connected, machine: &Machine, batch: &[Operation]) -> Result<Vec<Answer>, Problem> {
    at.client.batch_execute("BEGIN").await?;
    let (mut cases, now) = load(at, batch).await?;
    let mut answers = Vec::with_capacity(batch.len());
    for operation in batch {
        answers.push(match operation {
            Operation::Step(step) => cases.apply(machine, step, now),
            Operation::Sweep { retention } => Answer::Swept(sweep(at, *retention, now).await?),
            Operation::Oldest => Answer::Oldest(oldest(at).await?),
            Operation::Stranded { after } => Answer::Stranded(stranded(at, *after, now).await?),
            Operation::Drains => Answer::Drains(drains::drains(at).await?),
            Operation::DueSummaries { after } => Answer::DueSummaries(memory::due(at, *after, now).await?),
            Operation::SummaryBrought(summary) => {
                memory::brought(at, summary, now).await?;
                Answer::Brought
            }
        });
    }
    save(at, &cases).await?;
    Ok(answers)
}

/// Makes the events that are new, locks all of the batch, and reads what is known of them.
async fn load(at: &Connected, batch: &[Operation]) -> Result<(Cases, i64), Problem> {
    let steps = || {
        batch.iter().filter_map(|operation| match operation {
            Operation::Step(step) => Some(step),
            _ => None,
        })
    };
    let mut cases = Cases::default();
    let mut keys = BTreeSet::new();
    let mut messages = Vec::new();
    for step in steps() {
        match place(step) {
            Place::Key(key) => drop(keys.insert(key.to_owned())),
            Place::Message(message) => messages.push(message),
        }
    }
    for (message, key) in keys_of(at, &messages).await? {
        keys.insert(key.clone());
        cases.key_of.insert(message, key);
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let new = NewEvents::of(steps().filter_map(record));
    let (client, statements, remembered) = (&at.client, &at.statements, memory_keys(batch));
    let asked: [&(dyn ToSql + Sync); 1] = [&keys];
    // Sent one behind the other without waiting; PostgreSQL takes them in this order.
    let (made, events, notifications, memory, now) = try_join!(
        insert(at, &new, steps().any(is_judged)),
        async { Ok(client.query(&statements.lock_events, &asked).await?) },
        async { Ok(client.query(&statements.notifications, &asked).await?) },
        memory::load(at, &remembered),
        async { Ok(client.query_one(&statements.now, &[]).await?) },
    )?;
    cases.memory = memory;
    for row in events {
        let mut event = event(&row)?;
        event.fresh = made.contains(&event.key);
        cases.by_key.insert(event.key.clone(), Case { event: Some(event), ..Case::default() });
    }
    for row in notifications {
        let (key, row) = notification(&row)?;
        cases.by_key.entry(key).or_default().notifications.push(row);
    }
    Ok((cases, now.try_get(0)?))
}

/// Makes the events that are new; which they were, where a rule has to know.
async fn insert(at: &Connected, new: &NewEvents<'_>, told: bool) -> Result<HashSet<String>, Problem> {
    if !told {
        new.insert(&at.client, &at.statements).await?;
        return Ok(HashSet::new());
    }
    let rows = new.insert_told(&at.client, &at.statements).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn is_judged(step: &Step) -> bool {
    matches!(step, Step::Claim { claim, .. } if claim.rules.is_some())
}

/// The events of messages that receipts name; strangers are left out.
async fn keys_of(at: &Connected, messages: &[&MessageName]) -> Result<Vec<(MessageName, String)>, Problem> {
    let (references, ids): (Vec<&MessageName>, Vec<&MessageName>) =
        messages.iter().partition(|message| matches!(message, MessageName::Reference(_)));
    let mut found = Vec::new();
    for (messages, statement) in
        [(references, &at.statements.by_reference), (ids, &at.statements.by_receipt_id)]
    {
        if messages.is_empty() {
            continue;
        }
        let names: Vec<String> = messages.iter().map(|message| receipt_key(message)).collect();
        for row in at.client.query(statement, &[&names]).await? {
            let (name, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let named = names.iter().zip(&messages).filter(|(given, _)| **given == name);
            found.extend(named.map(|(_, message)| ((*message).clone(), key.clone())));
        }
    }
    Ok(found)
}

/// The steps that may be the first that the ledger hears of an event.
fn record(step: &Step) -> Option<&super::EventRecord> {
    match step {
        Step::Claim { claim, .. } => Some(&claim.event),
        Step::Close(close) => Some(&close.event),
        Step::Renew(_) | Step::Settle(_) | Step::Receipt(_) | Step::Brought { .. } => None,
    }
}

/// Writes what has changed, and commits.
async fn save(at: &Connected, cases: &Cases) -> Result<(), Problem> {
    let (mut events, mut notifications) = (EventColumns::default(), NotificationColumns::default());
    for (key, case) in &cases.by_key {
        case.event.iter().filter(|row| row.changed).for_each(|row| events.push(row));
        case.notifications.iter().filter(|row| row.changed).for_each(|row| notifications.push(key, row));
    }
    let (client, statements) = (&at.client, &at.statements);
    // Should one of the others fail, the last ends the transaction without effect.
    try_join!(
        events.update(client, statements),
        notifications.upsert(client, statements),
        memory::save(client, statements, &cases.memory),
        async { client.batch_execute("COMMIT").await },
    )?;
    Ok(())
}

async fn sweep(at: &Connected, retention: Duration, now: i64) -> Result<u64, Problem> {
    let unsealed = at.client.execute(&at.statements.unseal, &[&now, &SWEEP_STEP]).await?;
    let before = before(now, retention);
    let forgotten = at.client.execute(&at.statements.sweep, &[&before, &SWEEP_STEP]).await?;
    Ok(unsealed + forgotten + memory::sweep(at, retention, now).await?)
}

async fn stranded(at: &Connected, after: Duration, now: i64) -> Result<Vec<Reopened>, Problem> {
    let (before, step) = (before(now, after), STRANDED_STEP);
    let rows = at.client.query(&at.statements.stranded, &[&now, &before, &step]).await?;
    let reopened = |row: tokio_postgres::Row| {
        Ok(Reopened {
            event_key: row.try_get(0)?,
            target: row.try_get(1)?,
            sealed: Sealed(row.try_get(2)?),
            lane: row.try_get(3)?,
            deaths: u32::try_from(row.try_get::<_, i64>(4)?).unwrap_or(u32::MAX),
        })
    };
    rows.into_iter().map(reopened).collect()
}

async fn oldest(at: &Connected) -> Result<Vec<Oldest>, Problem> {
    let rows = at.client.query(&at.statements.oldest, &[]).await?;
    let oldest =
        |row: tokio_postgres::Row| Ok(Oldest { lane: row.try_get(0)?, time: super::time(row.try_get(1)?) });
    rows.into_iter().map(oldest).collect()
}

/// Reads beside workers that write.
pub(super) struct PostgresView {
    /// Nothing after the drop alone.
    runtime: Option<Runtime>,
    connected: Connected,
}

impl Drop for PostgresView {
    fn drop(&mut self) {
        // Whoever drops it may not be allowed to wait; there is nothing to wait for.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl PostgresView {
    /// # Errors
    /// When the database does not answer, or has no ledger yet.
    pub fn open(url: &PostgresUrl) -> Result<Self, String> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let connected = runtime
            .block_on(connect::connect(url, Purpose::Beside))
            .map_err(|problem| problem.to_string())?;
        Ok(Self { runtime: Some(runtime), connected })
    }

    fn cases(
        &self,
        statement: &tokio_postgres::Statement,
        what: &str,
        limit: i64,
    ) -> Result<Vec<Case>, Problem> {
        let (client, statements) = (&self.connected.client, &self.connected.statements);
        let runtime = self.runtime.as_ref().ok_or(Problem::Silent)?;
        runtime.block_on(in_time(async {
            let found = client.query(statement, &[&what, &limit]).await?;
            let keys = found.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            let asked: [&(dyn ToSql + Sync); 1] = [&keys];
            let (events, notifications) = try_join!(
                client.query(&statements.events, &asked),
                client.query(&statements.notifications, &asked),
            )?;
            let mut cases = Vec::new();
            for row in events {
                let event = Some(event(&row)?);
                let summary = memory::summary_of(&self.connected, event.as_ref()).await?;
                cases.push(Case { event, summary, ..Case::default() });
            }
            for row in notifications {
                let (key, row) = notification(&row)?;
                let of = |case: &&mut Case| case.event.as_ref().is_some_and(|event| event.key == key);
                if let Some(case) = cases.iter_mut().find(of) {
                    case.notifications.push(row);
                }
            }
            Ok(cases)
        }))
    }
}

impl From<Problem> for ViewError {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}

impl View for PostgresView {
    fn own_key(&mut self) -> Result<Option<Secret>, ViewError> {
        Ok(Some(self.connected.own_key.clone()))
    }

    fn by_id(&mut self, id: &str) -> Result<Vec<Case>, ViewError> {
        Ok(self.cases(&self.connected.statements.by_id, id, i64::MAX)?)
    }

    fn by_recipient(&mut self, pseudonym: &str, limit: u32) -> Result<Vec<Case>, ViewError> {
        Ok(self.cases(&self.connected.statements.by_recipient, pseudonym, limit.into())?)
    }
}

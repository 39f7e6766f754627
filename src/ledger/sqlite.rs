//! SQLite as the ledger: one file, one process, every commit flushed to disk.

mod drains;
mod memory;
mod rows;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{File, TryLockError};
use std::mem::take;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

pub(super) use self::drains::SqliteControls;
use self::rows::{load, read_event, read_notifications, save};
use super::engine::{Engine, EngineError, STRANDED_STEP, SWEEP_STEP, random_hex};
use super::machine::Machine;
use super::memory::memory_keys;
use super::operation::{Answer, MessageName, Oldest, Operation, Reopened};
use super::rows::{Case, Cases, Place, before, place, receipt_key};
use super::{OpenError, View, ViewError};
use crate::clock::Clock;
use crate::config::Secret;

/// What `PRAGMA user_version` says of a file that this program made. Migrations are applied one by one.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema/sqlite-1.sql"),
    include_str!("schema/sqlite-2.sql"),
    include_str!("schema/sqlite-3.sql"),
    include_str!("schema/sqlite-4.sql"),
    include_str!("schema/sqlite-5.sql"),
    include_str!("schema/sqlite-6.sql"),
];

/// Somebody else who reads or backs up the file may hold its lock for this long before it counts as trouble.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Events that are remembered while they are being sent: as many as both lanes' largest prefetch.
const MOST_IN_FLIGHT: usize = 4000;

/// The log is written back when it has so many pages (of 4 KiB): what is written often is written back once.
const LOG_PAGES: u32 = 4096;

pub(super) struct Sqlite {
    connection: Connection,
    machine: Machine,
    clock: Clock,
    /// What is being sent, as it was last committed: its settlement comes soon, and nobody else writes.
    in_flight: HashMap<String, Case>,
    /// Held as long as the engine lives.
    _lock: Option<File>,
}

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl Sqlite {
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        let place = shown(path);
        let lock = lock(path, &place)?;
        let connection = Connection::open(path).map_err(|error| engine_error(&place, &error))?;
        Self::prepare(connection, Some(lock), &place, clock)
    }

    pub fn in_memory(clock: Clock) -> Result<Self, OpenError> {
        let connection = Connection::open_in_memory().map_err(|error| engine_error("memory", &error))?;
        Self::prepare(connection, None, "memory", clock)
    }

    fn prepare(
        mut connection: Connection,
        lock: Option<File>,
        place: &str,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| engine_error(place, &error);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // FULL flushes the log at every commit: what is claimed or settled survives a power cut.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;",
            )
            .map_err(failed)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection, place)?;
        // The lock says that nobody else writes: a claim by another process is a dead one's.
        let machine = Machine::new(random_hex(8), true);
        Ok(Self { connection, machine, clock, in_flight: HashMap::new(), _lock: lock })
    }

    /// A key for pseudonyms that lives in the ledger itself, made at its first use.
    pub fn own_key(&self) -> Result<Secret, OpenError> {
        let failed = |error: rusqlite::Error| engine_error("recipient key", &error);
        let insert = "INSERT OR IGNORE INTO meta (name, value) VALUES ('recipient_key', ?1)";
        self.connection.execute(insert, [random_hex(32)]).map_err(failed)?;
        let found = stored_key(&self.connection).map_err(failed)?;
        found.ok_or_else(|| OpenError::Engine {
            place: "recipient key".to_owned(),
            detail: "is empty".to_owned(),
        })
    }
}

fn stored_key(connection: &Connection) -> rusqlite::Result<Option<Secret>> {
    let select = "SELECT value FROM meta WHERE name = 'recipient_key'";
    let key: Option<String> = connection.query_row(select, [], |row| row.get(0)).optional()?;
    Ok(key.and_then(|key| key.parse().ok()))
}

fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn engine_error(place: &str, error: &rusqlite::Error) -> OpenError {
    OpenError::Engine { place: place.to_owned(), detail: error.to_string() }
}

/// An advisory lock beside the database, so that readers (`sqlite3`, `trace`) can still look into it.
fn lock(path: &Path, place: &str) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let failed =
        |error: std::io::Error| OpenError::Engine { place: place.to_owned(), detail: error.to_string() };
    let file = File::create(&beside).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(place.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn version(connection: &Connection, place: &str) -> Result<i64, OpenError> {
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| engine_error(place, &error))?;
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(OpenError::Newer { place: place.to_owned(), found, known }) } else { Ok(found) }
}

/// For whoever is no worker, and so may not bring it up to date.
fn of_this_version(connection: &Connection, place: String) -> Result<(), OpenError> {
    let (found, known) = (version(connection, &place)?, MIGRATIONS.len() as i64);
    if found < known { Err(OpenError::Older { place, found, known }) } else { Ok(()) }
}

fn migrate(connection: &mut Connection, place: &str) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| engine_error(place, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = version(&transaction, place)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(failed)?;
    transaction.commit().map_err(failed)
}

impl Engine for Sqlite {
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError> {
        let now = self.clock.now().as_millisecond();
        // Should anything fail, what is in the file counts.
        let mut in_flight = take(&mut self.in_flight);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut cases = load_cases(&transaction, batch, &mut in_flight)?;
        cases.memory = memory::load(&transaction, &memory_keys(batch))?;
        let answer = |operation: &Operation| {
            Ok::<_, EngineError>(match operation {
                Operation::Step(step) => cases.apply(&self.machine, step, now),
                Operation::Sweep { retention } => Answer::Swept(sweep(&transaction, *retention, now)?),
                Operation::Oldest => Answer::Oldest(oldest(&transaction)?),
                Operation::Stranded { after } => Answer::Stranded(stranded(&transaction, *after, now)?),
                Operation::Drains => Answer::Drains(drains::drains(&transaction)?),
                Operation::DueSummaries { after } => {
                    Answer::DueSummaries(memory::due(&transaction, *after, now)?)
                }
                Operation::SummaryBrought(summary) => {
                    memory::brought(&transaction, summary, now)?;
                    Answer::Brought
                }
            })
        };
        let answers = batch.iter().map(answer).collect::<Result<_, _>>()?;
        for (key, case) in &cases.by_key {
            save(&transaction, key, case)?;
        }
        memory::save(&transaction, &cases.memory)?;
        transaction.commit()?;
        // Those write beside the cases.
        let beside =
            |operation: &Operation| matches!(operation, Operation::Sweep { .. } | Operation::Stranded { .. });
        if !batch.iter().any(beside) {
            keep(&mut in_flight, cases);
            self.in_flight = in_flight;
        }
        Ok(answers)
    }
}

/// Of the cases of a batch that is committed, those of which something is being sent.
fn keep(in_flight: &mut HashMap<String, Case>, cases: Cases) {
    for (key, mut case) in cases.by_key {
        if case.is_in_flight() && in_flight.len() < MOST_IN_FLIGHT {
            case.written();
            in_flight.insert(key, case);
        }
    }
}

fn load_cases(
    transaction: &Transaction<'_>,
    batch: &[Operation],
    in_flight: &mut HashMap<String, Case>,
) -> rusqlite::Result<Cases> {
    let mut cases = Cases::default();
    for operation in batch {
        let Operation::Step(step) = operation else { continue };
        let key = match place(step) {
            Place::Key(key) => key.to_owned(),
            Place::Message(message) => {
                let Some(key) = key_of(transaction, message)? else { continue };
                cases.key_of.insert(message.clone(), key.clone());
                key
            }
        };
        if let Entry::Vacant(vacant) = cases.by_key.entry(key) {
            let case = match in_flight.remove(vacant.key()) {
                Some(case) => case,
                None => load(transaction, vacant.key())?,
            };
            vacant.insert(case);
        }
    }
    Ok(cases)
}

fn key_of(transaction: &Transaction<'_>, message: &MessageName) -> rusqlite::Result<Option<String>> {
    let select = match message {
        MessageName::Reference(_) => {
            "SELECT event_key FROM notification WHERE reference = ?1 AND by_reference"
        }
        MessageName::ProviderId { .. } => "SELECT event_key FROM notification WHERE receipt_id = ?1",
    };
    transaction.prepare_cached(select)?.query_row([receipt_key(message)], |row| row.get(0)).optional()
}

fn sweep(transaction: &Transaction<'_>, retention: Duration, now: i64) -> rusqlite::Result<u64> {
    let unseal = "UPDATE notification SET sealed = NULL, sealed_until = NULL WHERE (event_key, target) IN
                    (SELECT event_key, target FROM notification
                     WHERE sealed IS NOT NULL AND sealed_until < ?1 ORDER BY sealed_until LIMIT ?2)";
    let unsealed = transaction.prepare_cached(unseal)?.execute((now, SWEEP_STEP))? as u64;
    let before = before(now, retention);
    let old = "SELECT key FROM event WHERE first_seen < ?1 ORDER BY first_seen LIMIT ?2";
    let notifications = format!("DELETE FROM notification WHERE event_key IN ({old})");
    transaction.prepare_cached(&notifications)?.execute((before, SWEEP_STEP))?;
    let events = format!("DELETE FROM event WHERE key IN ({old})");
    let forgotten = transaction.prepare_cached(&events)?.execute((before, SWEEP_STEP))? as u64;
    Ok(unsealed + forgotten + memory::sweep(transaction, retention, now)?)
}

/// The oldest first; touched, so that whoever looks next leaves them to whoever has them now.
fn stranded(transaction: &Transaction<'_>, after: Duration, now: i64) -> rusqlite::Result<Vec<Reopened>> {
    let select = "UPDATE notification SET updated_at = ?1 WHERE (event_key, target) IN
                    (SELECT event_key, target FROM notification
                     WHERE state = 'undelivered' AND sealed IS NOT NULL AND updated_at < ?2 AND sealed_until >= ?1
                     ORDER BY updated_at LIMIT ?3)
                  RETURNING event_key, target, sealed";
    let mut statement = transaction.prepare_cached(select)?;
    let rows = statement.query_map((now, before(now, after), STRANDED_STEP), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (key, target, sealed) = row?;
        found.extend(read_event(transaction, &key)?.map(|event| event.reopened(target, sealed)));
    }
    Ok(found)
}

fn oldest(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Oldest>> {
    let select = "SELECT lane, min(time) FROM event WHERE state = 'open' GROUP BY lane";
    let mut statement = transaction.prepare_cached(select)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| row.map(|(lane, time)| Oldest { lane, time: super::time(time) })).collect()
}

/// Reads beside a worker that writes.
pub(super) struct SqliteView(Connection);

impl SqliteView {
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let place = shown(path);
        let failed = |error: rusqlite::Error| engine_error(&place, &error);
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        of_this_version(&connection, place)?;
        Ok(Self(connection))
    }
}

impl From<rusqlite::Error> for ViewError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl View for SqliteView {
    fn own_key(&mut self) -> Result<Option<Secret>, ViewError> {
        Ok(stored_key(&self.0)?)
    }

    fn by_id(&mut self, id: &str) -> Result<Vec<Case>, ViewError> {
        self.cases("SELECT key FROM event WHERE id = ?1 ORDER BY first_seen LIMIT ?2", id, i64::MAX)
    }

    fn by_recipient(&mut self, pseudonym: &str, limit: u32) -> Result<Vec<Case>, ViewError> {
        let select =
            "SELECT key FROM event WHERE key IN (SELECT event_key FROM notification WHERE recipient = ?1)
                      ORDER BY first_seen DESC LIMIT ?2";
        self.cases(select, pseudonym, limit.into())
    }
}

impl SqliteView {
    fn cases(&self, select: &str, what: &str, limit: i64) -> Result<Vec<Case>, ViewError> {
        let mut statement = self.0.prepare(select)?;
        let keys = statement.query_map((what, limit), |row| row.get(0))?;
        let keys = keys.collect::<rusqlite::Result<Vec<String>>>()?;
        let case = |key: &String| {
            let (event, notifications) = (read_event(&self.0, key)?, read_notifications(&self.0, key)?);
            let summary = memory::summary_of(&self.0, event.as_ref())?;
            Ok(Case { event, notifications, summary })
        };
        keys.iter().map(case).collect()
    }
}

//! SQLite as the ledger: one file, one process, every commit flushed to disk.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Answer, Claim, ClaimAnswer, Close, Engine, EngineError, Grant, Held, OpenError, Operation, Settle,
    TargetRecord,
};
use crate::config::Secret;

/// What `PRAGMA user_version` says of a file that this program made. Migrations are applied one by one.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// Events forgotten in one step: short enough not to hold up a commit that customers wait for.
const SWEEP_STEP: i64 = 500;

pub(super) struct Sqlite {
    connection: Connection,
    /// Random for each process. A claim by any other owner is a dead process's: the lock below sees to that.
    owner: String,
    /// Held as long as the engine lives.
    _lock: Option<File>,
}

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl Sqlite {
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        let lock = lock(path, &place)?;
        let connection = Connection::open(path).map_err(|error| engine_error(&place, &error))?;
        Self::prepare(connection, Some(lock), &place)
    }

    pub fn in_memory() -> Result<Self, OpenError> {
        let connection = Connection::open_in_memory().map_err(|error| engine_error("memory", &error))?;
        Self::prepare(connection, None, "memory")
    }

    fn prepare(mut connection: Connection, lock: Option<File>, place: &str) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| engine_error(place, &error);
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        // FULL flushes the log at every commit: what is claimed or settled survives a power cut.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;",
            )
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection, place)?;
        Ok(Self { connection, owner: random_hex(8), _lock: lock })
    }

    /// A key for pseudonyms that lives in the ledger itself, made at its first use.
    pub fn own_key(&self) -> Result<Secret, OpenError> {
        let failed = |error: rusqlite::Error| engine_error("recipient key", &error);
        self.connection
            .execute(
                "INSERT OR IGNORE INTO meta (name, value) VALUES ('recipient_key', ?1)",
                [random_hex(32)],
            )
            .map_err(failed)?;
        let key: String = self
            .connection
            .query_row("SELECT value FROM meta WHERE name = 'recipient_key'", [], |row| row.get(0))
            .map_err(failed)?;
        key.parse().map_err(|_| OpenError::Engine {
            place: "recipient key".to_owned(),
            detail: "is empty".to_owned(),
        })
    }
}

fn engine_error(place: &str, error: &rusqlite::Error) -> OpenError {
    OpenError::Engine { place: place.to_owned(), detail: error.to_string() }
}

/// An advisory lock beside the database, so that readers (`sqlite3`, later `trace`) can still look into it.
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

fn migrate(connection: &mut Connection, place: &str) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| engine_error(place, &error);
    let transaction = connection.transaction().map_err(failed)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(OpenError::Newer { place: place.to_owned(), found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).expect("the system has randomness");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Engine for Sqlite {
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError> {
        let transaction = self.connection.transaction()?;
        let writing = Writing { transaction: &transaction, owner: &self.owner };
        let answers = batch.iter().map(|operation| writing.apply(operation)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(answers)
    }
}

/// One transaction.
struct Writing<'a> {
    transaction: &'a Transaction<'a>,
    owner: &'a str,
}

impl Writing<'_> {
    fn apply(&self, operation: &Operation) -> rusqlite::Result<Answer> {
        match operation {
            Operation::Claim(claim) => self.claim(claim).map(Answer::Claim),
            Operation::Settle(settle) => self.settle(settle).map(Answer::Settled),
            Operation::Close(close) => self.close(close).map(Answer::Closed),
            Operation::Sweep { before } => self.sweep(*before).map(Answer::Swept),
        }
    }

    fn claim(&self, claim: &Claim) -> rusqlite::Result<ClaimAnswer> {
        let event = &claim.event;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO event (key, id, type, lane, fingerprint, state, first_seen, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?6) ON CONFLICT (key) DO NOTHING",
        )?;
        let now = claim.now.as_millisecond();
        let new = statement.execute(params![
            event.key,
            event.id,
            event.event_type,
            event.lane,
            event.fingerprint,
            now
        ])? == 1;
        if !new && !self.reopen(claim)? {
            return Ok(ClaimAnswer::Duplicate);
        }
        claim
            .targets
            .iter()
            .map(|target| self.claim_target(claim, target))
            .collect::<rusqlite::Result<_>>()
            .map(ClaimAnswer::Targets)
    }

    /// Whether an event that is known may be worked on: while it is open and the body is the same, or anew after it was
    /// dead-lettered.
    fn reopen(&self, claim: &Claim) -> rusqlite::Result<bool> {
        let mut statement =
            self.transaction.prepare_cached("SELECT state, fingerprint FROM event WHERE key = ?1")?;
        let (state, fingerprint): (String, String) =
            statement.query_row([&claim.event.key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if state == "dead" {
            let now = claim.now.as_millisecond();
            let update = "UPDATE event SET state = 'open', reason = NULL, fingerprint = ?2, updated_at = ?3 WHERE key = ?1";
            self.transaction.prepare_cached(update)?.execute(params![
                claim.event.key,
                claim.event.fingerprint,
                now
            ])?;
            let anew = "UPDATE notification SET attempt = 0, lease_until = 0, state = iif(state = 'failed', 'retry', state)
                        WHERE event_key = ?1 AND state <> 'accepted'";
            self.transaction.prepare_cached(anew)?.execute([&claim.event.key])?;
            return Ok(true);
        }
        Ok(state == "open" && fingerprint == claim.event.fingerprint)
    }

    fn claim_target(&self, claim: &Claim, target: &TargetRecord) -> rusqlite::Result<Held> {
        let key = &claim.event.key;
        let before = self.state(key, &target.target)?;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO notification
               (event_key, target, state, owner, epoch, attempt, lease_until, recipient, template_version, updated_at)
             VALUES (?1, ?2, 'in_flight', ?3, 1, 1, ?4, ?5, ?6, ?7)
             ON CONFLICT (event_key, target) DO UPDATE SET
               state = 'in_flight', owner = excluded.owner, epoch = epoch + 1, attempt = attempt + 1,
               lease_until = excluded.lease_until, recipient = excluded.recipient,
               template_version = excluded.template_version, updated_at = excluded.updated_at
             WHERE (state IN ('retry', 'unknown') AND (lease_until <= excluded.updated_at OR owner <> excluded.owner))
                OR (state = 'in_flight' AND (lease_until < excluded.updated_at OR owner <> excluded.owner))
             RETURNING epoch, attempt",
        )?;
        let (lease, now) = (claim.lease_until.as_millisecond(), claim.now.as_millisecond());
        let values =
            params![key, target.target, self.owner, lease, target.recipient, target.template_version, now];
        let granted = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((epoch, attempt)) = granted {
            let taken_over = before.is_some_and(|(state, _)| state == "in_flight");
            return Ok(Held::Granted(Grant { epoch, attempt, taken_over }));
        }
        Ok(match before {
            Some((state, _)) if state == "accepted" => Held::Accepted,
            Some((state, reason)) if state == "failed" => Held::Failed { reason: reason.unwrap_or_default() },
            _ => Held::Busy,
        })
    }

    fn state(&self, key: &str, target: &str) -> rusqlite::Result<Option<(String, Option<String>)>> {
        let mut statement = self
            .transaction
            .prepare_cached("SELECT state, reason FROM notification WHERE event_key = ?1 AND target = ?2")?;
        statement.query_row([key, target], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    fn settle(&self, settle: &Settle) -> rusqlite::Result<bool> {
        let mut statement = self.transaction.prepare_cached(
            "UPDATE notification
             SET state = ?1, gateway = ?2, provider_id = ?3, reason = ?4, updated_at = ?5, lease_until = ?10
             WHERE event_key = ?6 AND target = ?7 AND owner = ?8 AND epoch = ?9 AND state = 'in_flight'",
        )?;
        let now = settle.now.as_millisecond();
        let settled = statement.execute(params![
            settle.state.as_str(),
            settle.gateway,
            settle.provider_id,
            settle.reason,
            now,
            settle.event_key,
            settle.target,
            self.owner,
            settle.epoch,
            settle.not_before.as_millisecond()
        ])? == 1;
        if let Some(state) = settle.close.filter(|_| settled) {
            let update = "UPDATE event SET state = ?2, updated_at = ?3 WHERE key = ?1";
            self.transaction.prepare_cached(update)?.execute(params![
                settle.event_key,
                state.as_str(),
                now
            ])?;
        }
        Ok(settled)
    }

    /// A done or muted event stays so, and one that is on its way with another body goes on: what a duplicate would
    /// have come to does not count.
    fn close(&self, close: &Close) -> rusqlite::Result<bool> {
        let event = &close.event;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO event (key, id, type, lane, fingerprint, state, reason, first_seen, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
             ON CONFLICT (key) DO UPDATE SET state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at
             WHERE state = 'dead' OR (state = 'open' AND fingerprint = excluded.fingerprint)",
        )?;
        let (state, now) = (close.state.as_str(), close.now.as_millisecond());
        let written = statement.execute(params![
            event.key,
            event.id,
            event.event_type,
            event.lane,
            event.fingerprint,
            state,
            close.reason,
            now
        ])?;
        Ok(written == 1)
    }

    fn sweep(&self, before: Timestamp) -> rusqlite::Result<usize> {
        let before = before.as_millisecond();
        let old = "SELECT key FROM event WHERE first_seen < ?1 ORDER BY first_seen LIMIT ?2";
        let notifications = format!("DELETE FROM notification WHERE event_key IN ({old})");
        self.transaction.prepare_cached(&notifications)?.execute(params![before, SWEEP_STEP])?;
        let events = format!("DELETE FROM event WHERE key IN ({old})");
        self.transaction.prepare_cached(&events)?.execute(params![before, SWEEP_STEP])
    }
}

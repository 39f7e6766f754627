//! Drains in SQLite. Whoever writes them takes the engine's place for one short transaction: the advisory lock that makes
//! one worker the file's owner is about claims, and these rows have none.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::super::OpenError;
use super::super::drains::drain;
use super::{BUSY_TIMEOUT, engine_error, of_this_version, shown};
use crate::drain::{Drain, DrainRefusal};

pub(super) fn drains(connection: &Connection) -> rusqlite::Result<Vec<Drain>> {
    let select = "SELECT gateway, since, until, reason, drained_by FROM drain ORDER BY gateway";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        Ok(drain(row.get(0)?, (row.get(1)?, row.get(2)?), (row.get(3)?, row.get(4)?)))
    })?;
    rows.collect()
}

/// Drains a worker's gateways from beside it.
#[derive(Clone)]
pub(in crate::ledger) struct SqliteControls(Arc<PathBuf>);

impl SqliteControls {
    /// Sees that the file is there and of this version.
    pub fn open(path: PathBuf) -> Result<Self, OpenError> {
        let place = shown(&path);
        let controls = Self(Arc::new(path));
        let connection = controls.connect().map_err(|error| engine_error(&place, &error))?;
        of_this_version(&connection, place)?;
        Ok(controls)
    }

    pub fn drains(&self) -> rusqlite::Result<Vec<Drain>> {
        drains(&self.connect()?)
    }

    pub fn drain(
        &self,
        judge: impl FnOnce(&[Drain]) -> Result<Drain, DrainRefusal>,
    ) -> rusqlite::Result<Result<Drain, DrainRefusal>> {
        let mut connection = self.connect()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let drain = match judge(&drains(&transaction)?) {
            Ok(drain) => drain,
            refused => return Ok(refused),
        };
        let (since, until) = (drain.since.as_millisecond(), drain.until.as_millisecond());
        transaction.execute("DELETE FROM drain WHERE until <= ?1", [since])?;
        let upsert =
            "INSERT INTO drain (gateway, since, until, reason, drained_by) VALUES (?1, ?2, ?3, ?4, ?5)
                      ON CONFLICT (gateway) DO UPDATE SET since = excluded.since, until = excluded.until,
                        reason = excluded.reason, drained_by = excluded.drained_by";
        transaction.execute(upsert, params![drain.gateway, since, until, drain.reason, drain.by])?;
        transaction.commit()?;
        Ok(Ok(drain))
    }

    pub fn resume(&self, gateway: &str) -> rusqlite::Result<bool> {
        Ok(self.connect()?.execute("DELETE FROM drain WHERE gateway = ?1", [gateway])? > 0)
    }

    /// Never makes a file; only a worker does.
    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&*self.0, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A drain that was answered for survives a power cut, like all else in the file.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }
}

//! Drained gateways, shared by all workers through their ledger.

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::postgres::PostgresControls;
use super::sqlite::SqliteControls;
use super::{LedgerConfig, LedgerUrl, OpenError};
use crate::drain::{Drain, DrainRefusal, DrainRequest, Way};

/// A row of either engine: the columns gateway, since, until, reason, `drained_by`.
pub(super) fn drain(gateway: String, (since, until): (i64, i64), (reason, by): (String, String)) -> Drain {
    Drain { gateway, since: super::time(since), until: super::time(until), reason, by }
}

/// The ledger could not be asked, or not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(pub(super) String);

/// What people tell all workers of a ledger, beside these. Cheap to clone. Each question has a connection of its own: they
/// are rare, and one that is kept would have broken in between.
#[derive(Clone)]
pub struct Controls(Engine);

#[derive(Clone)]
enum Engine {
    Sqlite(SqliteControls),
    Postgres(PostgresControls),
}

impl Controls {
    /// Of the configured ledger, which a worker has to have made.
    ///
    /// # Errors
    /// [`OpenError`]; a ledger in memory is its worker's alone.
    pub async fn open(config: &LedgerConfig) -> Result<Self, OpenError> {
        let url = config.url.clone();
        let failed = |detail| OpenError::Engine { place: config.url.to_string(), detail };
        match url {
            LedgerUrl::File(path) => {
                let opened = spawn_blocking(move || SqliteControls::open(path)).await;
                opened.map_err(|error| failed(error.to_string()))?.map(Engine::Sqlite).map(Self)
            }
            LedgerUrl::Postgres(url) => {
                let opened = PostgresControls::open(*url).await;
                opened.map(Engine::Postgres).map(Self).map_err(|error| failed(error.to_string()))
            }
            LedgerUrl::Memory => Err(failed(
                "a ledger in memory is its worker's alone; set ledger.url to a file or a postgres:// database, \
                 so that a drain can reach the worker"
                    .to_owned(),
            )),
        }
    }

    /// Every drain that was not ended, by gateway; those that are over as long as nobody has written since.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn drains(&self) -> Result<Vec<Drain>, ControlError> {
        match &self.0 {
            Engine::Sqlite(engine) => blocking(engine, |engine| engine.drains()).await,
            Engine::Postgres(engine) => engine.drains().await,
        }
    }

    /// Drains a gateway, or changes its drain; durable when it returns, and followed by all workers within two seconds.
    /// Drains that were over when it began are forgotten. What is asked for is judged by the drains that there are when it is
    /// written: of two people who want the last two of `ways` at once, one is refused.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn drain(
        &self,
        request: DrainRequest,
        ways: Vec<Way>,
        now: Timestamp,
    ) -> Result<Result<Drain, DrainRefusal>, ControlError> {
        let judge = move |drains: &[Drain]| request.judge(&ways, drains, now);
        match &self.0 {
            Engine::Sqlite(engine) => blocking(engine, move |engine| engine.drain(judge)).await,
            Engine::Postgres(engine) => engine.drain(judge).await,
        }
    }

    /// Ends a gateway's drain. False: there was none.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn resume(&self, gateway: &str) -> Result<bool, ControlError> {
        match &self.0 {
            Engine::Sqlite(engine) => {
                let gateway = gateway.to_owned();
                blocking(engine, move |engine| engine.resume(&gateway)).await
            }
            Engine::Postgres(engine) => engine.resume(gateway).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    engine: &SqliteControls,
    question: impl FnOnce(&SqliteControls) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, ControlError> {
    let engine = engine.clone();
    let asked = spawn_blocking(move || question(&engine)).await;
    let answered = asked.map_err(|error| ControlError(error.to_string()))?;
    answered.map_err(|error| ControlError(error.to_string()))
}

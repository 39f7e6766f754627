//! Drains in PostgreSQL.

use std::sync::Arc;

use tokio_postgres::{Client, Row};

use super::super::drains::{ControlError, drain};
use super::connect::{Connected, PostgresUrl, Problem, Purpose, connect};
use super::in_time;
use crate::drain::Drain;

/// Every drain, as `Statements` asks for it.
pub(super) fn read(row: &Row) -> Result<Drain, Problem> {
    let times = (row.try_get(1)?, row.try_get(2)?);
    Ok(drain(row.try_get(0)?, times, (row.try_get(3)?, row.try_get(4)?)))
}

pub(super) async fn drains(at: &Connected) -> Result<Vec<Drain>, Problem> {
    at.client.query(&at.statements.drains, &[]).await?.iter().map(read).collect()
}

/// Drains the gateways of all workers from beside them.
#[derive(Clone)]
pub(in crate::ledger) struct PostgresControls(Arc<PostgresUrl>);

impl From<Problem> for ControlError {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}

impl PostgresControls {
    /// Sees that there is a ledger of this version.
    pub async fn open(url: PostgresUrl) -> Result<Self, ControlError> {
        let controls = Self(Arc::new(url));
        controls.connect().await?;
        Ok(controls)
    }

    pub async fn drains(&self) -> Result<Vec<Drain>, ControlError> {
        let at = self.connect().await?;
        Ok(in_time(drains(&at)).await?)
    }

    pub async fn drain(&self, drain: &Drain) -> Result<(), ControlError> {
        let at = self.connect().await?;
        Ok(in_time(write(&at.client, drain)).await?)
    }

    pub async fn resume(&self, gateway: &str) -> Result<bool, ControlError> {
        let at = self.connect().await?;
        let delete = "DELETE FROM shirase_drain WHERE gateway = $1";
        Ok(in_time(async { Ok(at.client.execute(delete, &[&gateway]).await? > 0) }).await?)
    }

    async fn connect(&self) -> Result<Connected, Problem> {
        connect(&self.0, Purpose::Beside).await
    }
}

/// One statement is one transaction.
async fn write(client: &Client, drain: &Drain) -> Result<(), Problem> {
    let (since, until) = (drain.since.as_millisecond(), drain.until.as_millisecond());
    let upsert = "WITH over AS (DELETE FROM shirase_drain WHERE until <= $2 AND gateway <> $1)
         INSERT INTO shirase_drain (gateway, since, until, reason, drained_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (gateway) DO UPDATE SET since = excluded.since, until = excluded.until,
           reason = excluded.reason, drained_by = excluded.drained_by";
    client.execute(upsert, &[&drain.gateway, &since, &until, &drain.reason, &drain.by]).await?;
    Ok(())
}

//! Drains in PostgreSQL.

use std::sync::Arc;

use tokio_postgres::{Row, Transaction};

use super::super::drains::{ControlError, drain};
use super::connect::{Connected, PostgresUrl, Problem, Purpose, connect};
use super::in_time;
use crate::drain::{Drain, DrainRefusal};

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

    pub async fn drain(
        &self,
        judge: impl FnOnce(&[Drain]) -> Result<Drain, DrainRefusal>,
    ) -> Result<Result<Drain, DrainRefusal>, ControlError> {
        let mut at = self.connect().await?;
        Ok(in_time(judge_and_write(&mut at, judge)).await?)
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

/// Whoever else drains waits for the end of this one; reading goes on.
async fn judge_and_write(
    at: &mut Connected,
    judge: impl FnOnce(&[Drain]) -> Result<Drain, DrainRefusal>,
) -> Result<Result<Drain, DrainRefusal>, Problem> {
    let transaction = at.client.transaction().await?;
    transaction.batch_execute("LOCK TABLE shirase_drain IN SHARE ROW EXCLUSIVE MODE").await?;
    let rows = transaction.query(&at.statements.drains, &[]).await?;
    let drains = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let drain = match judge(&drains) {
        Ok(drain) => drain,
        refused => return Ok(refused),
    };
    write(&transaction, &drain).await?;
    transaction.commit().await?;
    Ok(Ok(drain))
}

async fn write(transaction: &Transaction<'_>, drain: &Drain) -> Result<(), Problem> {
    let (since, until) = (drain.since.as_millisecond(), drain.until.as_millisecond());
    let upsert = "WITH over AS (DELETE FROM shirase_drain WHERE until <= $2 AND gateway <> $1)
         INSERT INTO shirase_drain (gateway, since, until, reason, drained_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (gateway) DO UPDATE SET since = excluded.since, until = excluded.until,
           reason = excluded.reason, drained_by = excluded.drained_by";
    transaction.execute(upsert, &[&drain.gateway, &since, &until, &drain.reason, &drain.by]).await?;
    Ok(())
}

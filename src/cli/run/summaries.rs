//! Summaries of what `collapse` held back, when their windows are over: brought to their lanes, where they are events as any
//! other.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::broker::{BringAgain, header};
use crate::crash::{self, Point};
use crate::dispatch::Dispatcher;
use crate::event::{Lane, RawEvent};
use crate::ledger::{DueSummary, LedgerClosed};
use crate::telemetry;

/// Between two looks, where a type of the catalog collapses.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where none does: what an earlier catalog held back has to be told all the same.
const LOOK_RARELY: Duration = Duration::from_secs(30);

/// Whoever looked and could not bring it within this time has ended.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Brings what is due, of whichever worker. Runs until the ledger is closed.
pub(super) async fn bring(dispatcher: Arc<Dispatcher>, bring: BringAgain) {
    let collapses = dispatcher.catalog.iter().any(|kind| kind.policy.collapse.is_some());
    let every = if collapses { LOOK_EVERY } else { LOOK_RARELY };
    while let Ok(due) = dispatcher.ledger.due_summaries(LOST_AFTER).await {
        for summary in due {
            if bring_one(&dispatcher, &bring, summary).await.is_err() {
                return;
            }
        }
        sleep(every).await;
    }
}

/// In the lane first, then noted here: a crash between brings it twice, which the ledger knows by its key.
async fn bring_one(
    dispatcher: &Dispatcher,
    bring: &BringAgain,
    summary: DueSummary,
) -> Result<(), LedgerClosed> {
    let pseudonyms = dispatcher.ledger.pseudonyms().await?;
    let packed = pseudonyms.unseal(&summary.sealed, &summary.event_key);
    let raw = packed.and_then(|packed| RawEvent::unpack(&packed));
    let lane = Lane::ALL.into_iter().find(|lane| lane.as_str() == summary.lane);
    let (Some(mut raw), Some(lane)) = (raw, lane) else {
        telemetry::summary_unreadable(&summary);
        return Ok(());
    };
    raw.headers.insert(header::OTHERS.to_owned(), summary.others.to_string());
    if !bring.bring(lane, raw, 0).await {
        return Err(LedgerClosed);
    }
    crash::point(Point::SummaryBrought);
    telemetry::summary_brought(&summary);
    dispatcher.ledger.summary_brought(summary).await
}

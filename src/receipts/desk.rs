//! What a receipt changes: the ledger is told, and an event whose message did not arrive is brought to its lane again, where
//! the pipeline finds the notification failed and lets the fallback channel take over.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::event::{Lane, RawEvent};
use crate::gateway::receipt::{Report, Status, Which};
use crate::ledger::{Fate, Ledger, LedgerClosed, MessageName, Receipt, ReceiptAnswer, Reopened};
use crate::telemetry;

/// Brings an event to its lane again; false when it may not be there. The number is how often it was given up.
pub type Bring = Arc<dyn Fn(Lane, RawEvent, u32) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A vendor may call back before its own answer has reached us, so its id of the message is asked for again.
const ASK_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// Ids that are asked for again at once. An account that others use too brings receipts that are never ours.
const MAX_ASKING: usize = 256;

/// Whoever took a receipt and could not bring its event within this time has ended.
pub const STRANDED_AFTER: Duration = Duration::from_secs(30);

/// Takes what receipts say. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    ledger: Ledger,
    bring: Bring,
    clock: Clock,
    asking: Arc<Semaphore>,
}

impl Desk {
    /// `ledger` remembers the messages, `bring` is the way back into the lanes, `clock` the wall clock.
    pub fn new(ledger: Ledger, bring: Bring, clock: Clock) -> Self {
        Self { ledger, bring, clock, asking: Arc::new(Semaphore::new(MAX_ASKING)) }
    }

    /// The current time by its clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes the reports of one callback. `gateway` is whose word it is; nothing for a bounce. False: not all of it is
    /// durable, and it has to be said again.
    pub async fn take(&self, gateway: Option<&str>, reports: Vec<Report>) -> bool {
        let taken = join_all(reports.into_iter().map(|report| self.take_one(gateway, report))).await;
        taken.into_iter().all(|taken| taken)
    }

    async fn take_one(&self, gateway: Option<&str>, report: Report) -> bool {
        let Some(receipt) = self.receipt(gateway, &report) else { return true };
        match self.write_down(gateway, &report, receipt.clone()).await {
            Ok(true) => true,
            Ok(false) => {
                self.ask_again(gateway.map(str::to_owned), report, receipt);
                true
            }
            Err(LedgerClosed) => false,
        }
    }

    fn receipt(&self, gateway: Option<&str>, report: &Report) -> Option<Receipt> {
        let gateway = gateway.map(str::to_owned);
        let message = match &report.message {
            Which::Reference(reference) => MessageName::Reference(reference.clone()),
            Which::ProviderId(id) => MessageName::ProviderId { gateway: gateway.clone()?, id: id.clone() },
        };
        let fate = match report.status {
            Status::Underway => Fate::Underway,
            Status::Delivered => Fate::Delivered,
            Status::Undelivered(loss) => Fate::Undelivered { reason: loss.as_str().into() },
        };
        let provider_id = match &report.message {
            Which::Reference(_) => report.provider_id.clone(),
            Which::ProviderId(id) => Some(id.clone()),
        };
        Some(Receipt { message, gateway, fate, provider_id, code: report.code.clone(), at: self.clock.now() })
    }

    /// False: nobody knows the message, and it may be too early to know it.
    async fn write_down(
        &self,
        gateway: Option<&str>,
        report: &Report,
        receipt: Receipt,
    ) -> Result<bool, LedgerClosed> {
        let by_their_id = matches!(receipt.message, MessageName::ProviderId { .. });
        let answer = self.ledger.receipt(receipt).await?;
        if by_their_id && answer == ReceiptAnswer::Stranger {
            return Ok(false);
        }
        telemetry::receipt_taken(gateway, report, &answer);
        match answer {
            ReceiptAnswer::Applied { reopened: Some(reopened), .. } => {
                self.bring_again(&reopened).await.map(|()| true)
            }
            ReceiptAnswer::Applied { reopened: None, .. }
            | ReceiptAnswer::Stale
            | ReceiptAnswer::Stranger => Ok(true),
        }
    }

    fn ask_again(&self, gateway: Option<String>, report: Report, receipt: Receipt) {
        let stranger = |gateway: Option<&str>, report: &Report| {
            telemetry::receipt_taken(gateway, report, &ReceiptAnswer::Stranger);
        };
        let Ok(permit) = Arc::clone(&self.asking).try_acquire_owned() else {
            return stranger(gateway.as_deref(), &report);
        };
        let desk = self.clone();
        tokio::spawn(async move {
            let _permit = permit;
            for wait in ASK_AGAIN_AFTER {
                sleep(wait).await;
                if desk.write_down(gateway.as_deref(), &report, receipt.clone()).await != Ok(false) {
                    return;
                }
            }
            stranger(gateway.as_deref(), &report);
        });
    }

    /// In the lane first, then forgotten here: a crash between brings it twice, which the ledger knows.
    async fn bring_again(&self, reopened: &Reopened) -> Result<(), LedgerClosed> {
        let pseudonyms = self.ledger.pseudonyms().await?;
        let packed = pseudonyms.unseal(&reopened.sealed, &reopened.event_key);
        let raw = packed.and_then(|packed| RawEvent::unpack(&packed));
        let lane = Lane::ALL.into_iter().find(|lane| lane.as_str() == reopened.lane);
        let (Some(raw), Some(lane)) = (raw, lane) else {
            telemetry::kept_event_unreadable(&reopened.target);
            return Ok(());
        };
        if !(self.bring)(lane, raw, reopened.deaths).await {
            return Err(LedgerClosed);
        }
        self.ledger.brought(reopened).await
    }

    /// Brings what another worker, or this one before it was started again, took a receipt for and could not bring any more.
    /// Runs until the ledger is closed.
    pub async fn look_after_stranded(self, after: Duration) {
        while let Ok(stranded) = self.ledger.stranded(after).await {
            for reopened in &stranded {
                if self.bring_again(reopened).await.is_err() {
                    return;
                }
            }
            sleep(after).await;
        }
    }
}

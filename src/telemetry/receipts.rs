//! What gateways and the mail system say later of a message.

use metrics::counter;
use tracing::{Level, debug, error, info, warn};

use super::trouble::{Trouble, say};
use crate::gateway::receipt::{CallbackError, Loss, Report, Status};
use crate::ledger::ReceiptAnswer;

/// In the place of a gateway's name: a bounce may come by any relay.
pub const BOUNCE: &str = "bounce";

fn receipt_counter(gateway: &str, status: &'static str) {
    counter!("shirase_receipts_total", "gateway" => gateway.to_owned(), "status" => status).increment(1);
}

/// Of a gateway that tells what became of its messages.
pub(super) fn series(gateway: &str) {
    let said = [Status::Underway, Status::Delivered, Status::Undelivered(Loss::Other)].map(Status::as_str);
    let unused = [CallbackError::Forged, CallbackError::Unreadable].map(CallbackError::as_str);
    for status in said.into_iter().chain(unused).chain(["stale", "stranger", "deferred"]) {
        counter!("shirase_receipts_total", "gateway" => gateway.to_owned(), "status" => status).absolute(0);
    }
    for loss in Loss::ALL {
        let labels = [("gateway", gateway.to_owned()), ("reason", loss.as_str().to_owned())];
        counter!("shirase_undelivered_total", &labels).absolute(0);
    }
}

/// A receipt is written down, or says nothing that is not known.
pub fn receipt_taken(gateway: Option<&str>, report: &Report, answer: &ReceiptAnswer) {
    let (gateway, code) = (gateway.unwrap_or(BOUNCE), report.code.as_deref());
    let event_id = match answer {
        ReceiptAnswer::Stale => return receipt_counter(gateway, "stale"),
        ReceiptAnswer::Stranger => return receipt_counter(gateway, "stranger"),
        ReceiptAnswer::Applied { event_id, .. } => event_id,
    };
    let status = report.status.as_str();
    receipt_counter(gateway, status);
    let Status::Undelivered(loss) = report.status else {
        return debug!(event_id, gateway, status, code, "receipt");
    };
    let reason = loss.as_str();
    counter!("shirase_undelivered_total", "gateway" => gateway.to_owned(), "reason" => reason).increment(1);
    let fallback = matches!(answer, ReceiptAnswer::Applied { reopened: Some(_), .. });
    if fallback && loss != Loss::Filtered {
        info!(event_id, gateway, status, reason, code, fallback, "receipt");
    } else {
        // Nobody else tells the customer; or a text is taken for spam, and the next ones will be.
        warn!(event_id, gateway, status, reason, code, fallback, "receipt");
    }
}

/// A callback was not used.
pub fn receipt_refused(gateway: &str, error: CallbackError) {
    receipt_counter(gateway, error.as_str());
    let trouble = Trouble {
        gateway: Some(gateway.to_owned()),
        reason: Some(error.as_str().into()),
        ..Trouble::new(Level::WARN, "callback refused")
    };
    say!(trouble, detail = %error);
}

/// A callback was answered before it could be written down: its sender is asked to bring it again.
pub fn receipts_deferred(gateway: Option<&str>) {
    receipt_counter(gateway.unwrap_or(BOUNCE), "deferred");
}

/// An event that was kept for a receipt cannot be opened, so that no other channel can take over.
pub fn kept_event_unreadable(target: &str) {
    error!(
        target_name = target,
        "an event kept for its receipt cannot be decrypted: ledger.recipient_key is not the one that it was kept with"
    );
}

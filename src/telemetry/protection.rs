//! What protects recipients: events and SMS that were held back, and the summaries that are made of them.

use metrics::counter;
use tracing::{error, info};

use crate::dispatch::{NotificationResult, Report};
use crate::event::{Catalog, NotifyWhen};
use crate::ledger::{DueSummary, HeldBack};

/// Counts what of an event was deliberately not sent, once it has ended.
pub(super) fn held_back(report: &Report) {
    match report.held_back {
        // Each of its SMS counts.
        Some(HeldBack::SmsDayLimit) | None => {}
        Some(reason) => count(&report.event_type, reason, 1),
    }
    let sms = report.notifications.iter().filter(|one| {
        let limited = one.reason.as_deref() == Some(HeldBack::SmsDayLimit.as_str());
        limited && matches!(one.result, NotificationResult::HeldBack | NotificationResult::Failed)
    });
    count(&report.event_type, HeldBack::SmsDayLimit, sms.count() as u64);
}

fn count(event_type: &str, reason: HeldBack, by: u64) {
    if by > 0 {
        let labels = [("type", event_type.to_owned()), ("reason", reason.as_str().to_owned())];
        counter!("shirase_held_back_total", &labels).increment(by);
    }
}

/// A summary is in its lane.
pub fn summary_brought(summary: &DueSummary) {
    let DueSummary { event_id, event_type, lane, others, .. } = summary;
    counter!("shirase_summaries_total", "type" => event_type.clone()).increment(1);
    info!(event_id, event_type, lane, others, "summary");
}

/// A summary cannot be opened, so that nobody is told of what was held back.
pub fn summary_unreadable(summary: &DueSummary) {
    let DueSummary { event_id, event_type, lane, others, .. } = summary;
    error!(
        event_id,
        event_type,
        lane,
        others,
        "a summary cannot be decrypted: ledger.recipient_key is not the one that it was kept with"
    );
}

/// The series of what a catalog holds back.
pub(super) fn series(catalog: &Catalog) {
    for kind in catalog.iter() {
        let policy = &kind.policy;
        let by_device = policy.notify_when == NotifyWhen::NewDevice;
        for (has, reason) in
            [(policy.collapse.is_some(), HeldBack::Collapsed), (by_device, HeldBack::KnownDevice)]
        {
            let labels = [("type", kind.name.clone()), ("reason", reason.as_str().to_owned())];
            if has {
                counter!("shirase_held_back_total", &labels).absolute(0);
            }
        }
        if policy.collapse.is_some() {
            counter!("shirase_summaries_total", "type" => kind.name.clone()).absolute(0);
        }
    }
}

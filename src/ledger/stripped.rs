//! A story without what a terminal might obey: ids and details are upstream's and gateways' words.

use super::{Attempt, NotificationStory, ReceiptStory, Story, SummaryStory};
use crate::printable::printable;

impl Story {
    /// The same story, safe to print.
    #[must_use]
    pub fn stripped(self) -> Self {
        Self {
            event_id: printable(&self.event_id),
            source: printable(&self.source),
            event_type: printable(&self.event_type),
            reason: self.reason.as_deref().map(printable),
            summary: self.summary.map(summary),
            notifications: self.notifications.into_iter().map(notification).collect(),
            ..self
        }
    }
}

fn summary(one: SummaryStory) -> SummaryStory {
    SummaryStory { event_id: printable(&one.event_id), ..one }
}

fn notification(one: NotificationStory) -> NotificationStory {
    NotificationStory {
        gateway: one.gateway.as_deref().map(printable),
        provider_id: one.provider_id.as_deref().map(printable),
        reason: one.reason.as_deref().map(printable),
        attempts: one.attempts.into_iter().map(attempt).collect(),
        receipts: one.receipts.into_iter().map(receipt).collect(),
        ..one
    }
}

fn attempt(one: Attempt) -> Attempt {
    Attempt {
        gateway: printable(&one.gateway),
        reason: one.reason.as_deref().map(|reason| printable(reason).into()),
        detail: one.detail.as_deref().map(printable),
        provider_id: one.provider_id.as_deref().map(printable),
        ..one
    }
}

fn receipt(one: ReceiptStory) -> ReceiptStory {
    ReceiptStory {
        gateway: printable(&one.gateway),
        status: printable(&one.status),
        reason: one.reason.as_deref().map(printable),
        code: one.code.as_deref().map(printable),
        ..one
    }
}

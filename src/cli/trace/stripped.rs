//! A story without what a terminal might obey: ids and details are upstream's and gateways' words.

use crate::cli::printable;
use crate::ledger::{Attempt, NotificationStory, ReceiptStory, Story};

/// The same story, safe to print.
pub(super) fn story(story: Story) -> Story {
    Story {
        event_id: printable(&story.event_id),
        source: printable(&story.source),
        event_type: printable(&story.event_type),
        reason: story.reason.as_deref().map(printable),
        notifications: story.notifications.into_iter().map(notification).collect(),
        ..story
    }
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

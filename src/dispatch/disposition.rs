//! What becomes of an event's delivery.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::deliver::Ending;
use super::verdict::Verdict;
use super::{DeadReason, NotificationResult};
use crate::ledger::{Close, EventRecord, EventState};

/// What whoever brought the event does with its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Acknowledge: told, deliberately not told, or told before.
    Done,
    /// Bring it again after this delay, then acknowledge.
    Retry {
        /// How long to wait.
        delay: Duration,
        /// How often it was tried by then.
        attempts: u32,
    },
    /// Put it into the dead-letter queue, then acknowledge.
    Dead {
        /// The label.
        reason: DeadReason,
        /// For a person; nothing personal.
        detail: String,
    },
    /// Do nothing: the program stops, and the broker will bring it again.
    Abandon,
}

/// What the ledger is told once a dead letter is where it belongs.
#[derive(Debug, Clone)]
pub struct Burial(Close);

impl Burial {
    pub(super) fn of(event: EventRecord, reason: DeadReason, deaths_before: u32) -> Self {
        let (state, reason) = (EventState::Dead, Some(reason.as_str()));
        Self(Close { event, state, reason, deaths: deaths_before.saturating_add(1) })
    }

    pub(super) fn into_close(self) -> Close {
        self.0
    }
}

/// Again as long as anything is to be tried again, dead when something was given up, done otherwise.
pub(super) fn of(endings: &[Ending], attempts: u32) -> Disposition {
    let verdicts = || endings.iter().map(|ending| ending.verdict);
    let laters = || {
        verdicts().filter_map(|verdict| match verdict {
            Verdict::Later { delay, counted } => Some((delay, counted)),
            Verdict::Told | Verdict::HeldBack | Verdict::GivenUp(_) => None,
        })
    };
    // The first that is due: the ledger says of the others how long they have to wait yet.
    if let Some(delay) = laters().map(|(delay, _)| delay).min() {
        let tried = laters().any(|(_, counted)| counted);
        return Disposition::Retry { delay, attempts: attempts.saturating_add(tried.into()) };
    }
    let given_up = verdicts().find_map(|verdict| match verdict {
        Verdict::GivenUp(reason) => Some(reason),
        Verdict::Told | Verdict::HeldBack | Verdict::Later { .. } => None,
    });
    match given_up {
        Some(reason) => Disposition::Dead { reason, detail: detail(endings) },
        None => Disposition::Done,
    }
}

/// Deliberately: all of it was held back.
pub(super) fn told_nobody(endings: &[Ending]) -> bool {
    !endings.is_empty() && endings.iter().all(|ending| ending.verdict == Verdict::HeldBack)
}

/// `current.sms: recipient (HTTP 422)` for each notification that was given up.
fn detail(endings: &[Ending]) -> String {
    let told = |ending: &&Ending| {
        matches!(ending.report.result, NotificationResult::Accepted | NotificationResult::Duplicate)
    };
    let failed = endings.iter().filter(|ending| !told(ending));
    let words = failed.map(|ending| {
        let report = &ending.report;
        let detail = report.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!(
            "{}.{}: {}{detail}",
            report.contact,
            report.channel,
            report.reason.as_deref().unwrap_or(report.result.as_str())
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

impl Disposition {
    pub(super) fn result(&self) -> Option<&'static str> {
        match self {
            Self::Done => Some("done"),
            Self::Retry { .. } => Some("retried"),
            Self::Dead { .. } => Some("dead"),
            Self::Abandon => None,
        }
    }
}

impl Serialize for Disposition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let (reason, detail) = match self {
            Self::Dead { reason, detail } => (Some(reason.as_str()), Some(detail)),
            _ => (None, None),
        };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("result", &self.result())?;
        map.serialize_entry("reason", &reason)?;
        map.serialize_entry("detail", &detail)?;
        map.end()
    }
}

//! The ledger: the durable memory of what was claimed, sent and accepted.
//!
//! Two tables. An *event* is open until everything about it is settled; then it is done, muted or dead, and a done or
//! muted one answers every later delivery with "duplicate", whatever that delivery's body says. A *notification* is
//! claimed before anything is sent and settled after, fenced by owner and epoch, so that whoever lost its claim can't
//! write over the one who took it.

mod group_commit;
mod sqlite;
mod url;

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::group_commit::{Ledger, LedgerClosed};
pub use self::url::LedgerUrl;
use crate::config::{Secret, Span};

/// `[ledger]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// `sqlite:PATH`, or `sqlite::memory:` for a try.
    pub url: LedgerUrl,
    /// How long a duplicate is recognised.
    pub retention: Span,
    /// HMAC key for recipients; without one the ledger keeps a key of its own.
    pub recipient_key: Option<Secret>,
}

/// The ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another worker has it.
    #[error(
        "{0} is in use by another worker; a SQLite ledger belongs to one process, give this one its own ledger.url"
    )]
    InUse(String),
    /// The engine says no.
    #[error("{place}: {detail}")]
    Engine {
        /// The database.
        place: String,
        /// What the engine says.
        detail: String,
    },
    /// Made by a newer version.
    #[error("{place} has schema version {found}, newer than this program's {known}; run the newer version")]
    Newer {
        /// The database.
        place: String,
        /// In the file.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// What the ledger keeps of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// `source` and `id`.
    pub key: String,
    /// CloudEvents `id`, to look it up by.
    pub id: String,
    /// CloudEvents `type`.
    pub event_type: String,
    /// Lane that it came through.
    pub lane: &'static str,
    /// HMAC of the body: tells a redelivery from another event that reuses the id.
    pub fingerprint: String,
}

/// What the ledger keeps of a notification when it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRecord {
    /// `current.sms` and the like: unique within the event.
    pub target: String,
    /// HMAC of the address.
    pub recipient: String,
    /// Which wording.
    pub template_version: String,
}

/// Asks for the right to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The event.
    pub event: EventRecord,
    /// Its notifications.
    pub targets: Vec<TargetRecord>,
    /// The current time.
    pub now: Timestamp,
    /// When the right ends; later than any attempt under it can take.
    pub lease_until: Timestamp,
}

/// What became of a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// The event is done, or is on its way with another body: nothing to send.
    Duplicate,
    /// Per target, in the order asked.
    Targets(Vec<Held>),
}

/// What became of one target of a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Send it.
    Granted(Grant),
    /// A gateway has it.
    Accepted,
    /// It failed for good before.
    Failed {
        /// Why.
        reason: String,
    },
    /// Another delivery of the event is at it.
    Busy,
}

/// The right to send one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Fences the settlement.
    pub epoch: i64,
    /// How many times it was claimed, this one included, since the event was last given up.
    pub attempt: i64,
    /// The claim before this one ended without a word (crash): it may have been sent.
    pub taken_over: bool,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationState {
    /// A gateway has it.
    Accepted,
    /// To be tried again; surely not accepted.
    Retry,
    /// To be tried again; may have been accepted.
    Unknown,
    /// Given up.
    Failed,
}

impl NotificationState {
    /// As the ledger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// Every notification was accepted.
    Done,
    /// The customer chose not to be told.
    Muted,
    /// Dead-lettered; another delivery may try anew.
    Dead,
}

impl EventState {
    /// As the ledger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Muted => "muted",
            Self::Dead => "dead",
        }
    }
}

/// Writes down how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The event's key.
    pub event_key: String,
    /// Which notification.
    pub target: String,
    /// From the [`Grant`].
    pub epoch: i64,
    /// How it ended.
    pub state: NotificationState,
    /// Through which gateway.
    pub gateway: Option<String>,
    /// The gateway's id.
    pub provider_id: Option<String>,
    /// Why it failed.
    pub reason: Option<Cow<'static, str>>,
    /// When it may be claimed again, for one to be tried again: a duplicate must not bring a retry forward, or thirty
    /// copies of an event would use its schedule up within seconds.
    pub not_before: Timestamp,
    /// Also closes the event, in the same transaction.
    pub close: Option<EventState>,
    /// The current time.
    pub now: Timestamp,
}

/// Writes down what became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The event; written anew when nothing of it was claimed.
    pub event: EventRecord,
    /// What became of it.
    pub state: EventState,
    /// Why, for a dead one.
    pub reason: Option<&'static str>,
    /// The current time.
    pub now: Timestamp,
}

/// One thing to write; a batch of them is one transaction.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Claim(Claim),
    Settle(Settle),
    Close(Close),
    /// Forget a few events first seen before this time.
    Sweep {
        before: Timestamp,
    },
}

/// The answer to an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Claim(ClaimAnswer),
    /// False: fenced out, someone else has the claim.
    Settled(bool),
    /// False: it was done, muted, or is on its way with another body.
    Closed(bool),
    /// How many events were forgotten.
    Swept(usize),
}

/// A database that can write a batch durably, all or nothing.
pub(crate) trait Engine: Send {
    /// Writes a batch and returns only when it is durable; one answer an operation.
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError>;
}

/// The engine could not write; nothing of the batch was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EngineError(pub String);

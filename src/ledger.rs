//! The ledger: the durable memory of what was claimed, sent and accepted.
//!
//! Two tables hold the work. An *event* is open until everything about it is settled; then it is done, muted, held back or
//! dead, and one that is not dead answers every later delivery with "duplicate", whatever that delivery's body says. A *notification* is
//! claimed before anything is sent and settled after, fenced by owner and epoch, so that whoever lost its claim can't
//! write over the one who took it.
//!
//! | file | |
//! |---|---|
//! | `operation` | what is asked and answered |
//! | `machine` | the states and their rules, pure; `rows` and `memory` are what it works on |
//! | `group_commit` | many callers, few writers: [`Ledger`] |
//! | `sqlite`, `postgres` | the engines: load rows, let the machine decide, write them |
//! | `story` | reading it back, for `trace` |
//! | `drains` | gateways that people have drained, for all workers: [`Controls`] |

mod drains;
mod engine;
mod group_commit;
mod machine;
mod memory;
mod operation;
mod postgres;
mod pseudonym;
mod rows;
mod sqlite;
mod story;
mod stripped;
mod url;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::drains::{ControlError, Controls};
pub use self::group_commit::{Ledger, LedgerClosed};
pub use self::operation::{
    Attempt, Claim, ClaimAnswer, Close, CollapseRule, DayLimit, DeviceRule, DueSummary, EventRecord,
    EventState, Fate, Grant, Held, HeldBack, Keep, MessageName, Oldest, Receipt, ReceiptAnswer, Renew,
    Reopened, Revive, Rules, Sealed, Settle, SettleAnswer, Settled, TargetRecord, UnknownAttempt,
};
pub use self::pseudonym::Pseudonyms;
use self::story::View;
pub use self::story::{NotificationStory, Reader, ReceiptStory, Story, SummaryStory, ViewError};
pub use self::url::LedgerUrl;
use crate::config::{Secret, Span};

/// `[ledger]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// `sqlite:PATH`, `sqlite::memory:` for a try, or `postgres://…`, shared by several workers.
    pub url: LedgerUrl,
    /// Connections to PostgreSQL; each commits a batch at a time.
    #[serde(default = "default_pool")]
    #[schemars(range(min = 1, max = 32))]
    pub pool: u32,
    /// How long a duplicate is recognised.
    pub retention: Span,
    /// How long the device of a customer's last login is remembered, where `notify_when = "new_device"`.
    #[serde(default = "default_device_retention")]
    pub device_retention: Span,
    /// HMAC key for recipients; without one the ledger keeps a key of its own.
    pub recipient_key: Option<Secret>,
}

fn default_pool() -> u32 {
    2
}

fn default_device_retention() -> Span {
    Span::seconds(400 * 24 * 3600)
}

/// The ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another worker has it.
    #[error(
        "{0} is in use by another worker; a SQLite ledger belongs to one process, give this one its own ledger.url or share a postgres:// one"
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
    /// Made by an older version; only a worker changes it.
    #[error(
        "{place} has schema version {found}, older than this program's {known}; a worker brings it up to date when it starts"
    )]
    Older {
        /// The database.
        place: String,
        /// In the file.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// A time as the ledger keeps it.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

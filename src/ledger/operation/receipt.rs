//! Receipts: what is kept for them, what they say, and what they change.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// An event that may have to be brought again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Its message, encrypted.
    pub sealed: Sealed,
    /// For so long.
    pub wait: Duration,
}

/// Something personal, encrypted with the house's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub(in crate::ledger) Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What a gateway says later of a message that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which message.
    pub message: MessageName,
    /// Whose word it is: a gateway's name; nothing for a bounce, which may come by any relay.
    pub gateway: Option<String>,
    /// What became of it.
    pub fate: Fate,
    /// The gateway's id.
    pub provider_id: Option<String>,
    /// The gateway's code, for a person.
    pub code: Option<String>,
    /// When it came, by the wall clock.
    pub at: Timestamp,
}

/// What a receipt names its message by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageName {
    /// Our idempotency key, as the gateway echoes it.
    Reference(String),
    /// The gateway's id.
    ProviderId {
        /// Ids of two gateways may be the same.
        gateway: String,
        /// As it answered.
        id: String,
    },
}

/// What a gateway says of a message that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It has it, which settles an attempt whose answer never came.
    Underway,
    /// On the handset, in the mailbox.
    Delivered,
    /// It never will be.
    Undelivered {
        /// Why.
        reason: Cow<'static, str>,
    },
}

/// What became of a [`Receipt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptAnswer {
    /// It is written down.
    Applied {
        /// CloudEvents `id`.
        event_id: String,
        /// The event is open again, and has to be brought to its lane for the fallback channel to take over.
        reopened: Option<Reopened>,
    },
    /// The message had its end already: states never go backwards.
    Stale,
    /// No such message.
    Stranger,
}

/// An event whose message was not delivered, and which another channel can still tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopened {
    /// The event's key.
    pub event_key: String,
    /// The notification that did not arrive.
    pub target: String,
    /// The lane that it came through.
    pub lane: String,
    /// How often it was given up.
    pub deaths: u32,
    /// Its message.
    pub sealed: Sealed,
}

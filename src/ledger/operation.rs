//! What the pipeline asks of the ledger, and what it is answered.

mod protection;
mod receipt;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::protection::{CollapseRule, DayLimit, DeviceRule, DueSummary, HeldBack, Rules};
pub use self::receipt::{Fate, Keep, MessageName, Receipt, ReceiptAnswer, Reopened, Sealed};
use crate::drain::Drain;

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
    /// Of the body, by [`Pseudonyms::fingerprint`](super::Pseudonyms::fingerprint): tells a redelivery from another event
    /// that reuses the id.
    pub fingerprint: String,
    /// When it happened.
    pub time: Timestamp,
}

/// What the ledger keeps of a notification when it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRecord {
    /// `current.sms` and the like: unique within the event.
    pub target: String,
    /// The idempotency key that gateways are given.
    pub reference: String,
    /// HMAC of the address.
    pub recipient: String,
    /// Why it goes there.
    pub why: String,
    /// Which wording.
    pub template_version: String,
    /// The gateway that is asked first: whoever takes over from a crash has to know who may have the message.
    pub gateway: Option<String>,
    /// Receipts may name it by its reference. Others are not indexed by it: an index of random values costs more than the rest.
    pub by_reference: bool,
    /// How many SMS its number gets a day; judged when the ledger hears of the notification for the first time.
    pub day_limit: Option<DayLimit>,
}

/// Whether a delivery of an event that was given up before begins anew.
///
/// A dead letter is counted. What was put back from the dead-letter queue carries the count that it died with, so it
/// begins anew once; a copy of it, or a delivery that comes again because its acknowledgement was lost, does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revive {
    /// Published anew by upstream.
    Always,
    /// Put back, having died this often.
    After(u32),
    /// The broker brings it again by itself.
    Never,
}

/// Asks for the right to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The event.
    pub event: EventRecord,
    /// Its notifications; none for an event that is about to be given up.
    pub targets: Vec<TargetRecord>,
    /// Whether it begins anew if it was given up before.
    pub revive: Revive,
    /// How long the right lasts; longer than any attempt under it can take.
    pub lease: Duration,
    /// What a new event is judged by; none costs nothing.
    pub rules: Option<Box<Rules>>,
}

/// What became of a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// The event is done or given up, or is on its way with another body: nothing to send.
    Duplicate,
    /// It is deliberately not told, which is written down.
    HeldBack {
        /// Why.
        reason: HeldBack,
        /// That was so before: this delivery changes nothing.
        again: bool,
    },
    /// Work on it.
    Open {
        /// One for each target, in the order asked.
        held: Vec<Held>,
        /// How often the event was given up so far.
        deaths: u32,
    },
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
    /// It is too early for so long: its retry is not due, or a receipt is waited for.
    Waiting(Duration),
}

/// The right to send one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which claim; with the epoch it fences renewal and settlement.
    pub token: u64,
    /// Grows with every claim of the notification.
    pub epoch: i64,
    /// How many times it was claimed, this one included, since the event was last given up.
    pub attempt: u32,
    /// Since the first of these claims.
    pub age: Duration,
    /// The claim before this one ended without a word (crash, lease over): it may have been sent.
    pub taken_over: bool,
    /// The last attempt whose answer never came.
    pub unknown: Option<UnknownAttempt>,
    /// The templates that the last claim before this one rendered from; this one's own when it is the first.
    pub earlier_version: String,
}

/// An attempt whose answer never came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAttempt {
    /// Through which gateway.
    pub gateway: Option<String>,
    /// How long ago.
    pub ago: Duration,
}

/// One try to hand a message to one gateway, as `trace` shows it. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// Through which gateway.
    pub gateway: String,
    /// `accepted`, `retryable`, `unknown`, …
    pub outcome: Cow<'static, str>,
    /// Why it was not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// Codes and stages for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The gateway's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Milliseconds until the answer.
    pub ms: u64,
}

impl Attempt {
    /// Outcome of an attempt whose answer never came.
    pub const UNKNOWN: &'static str = "unknown";
    /// Reason of one that a crash cut off, or that outlasted its claim.
    pub const LOST: &'static str = "lost";
    /// Before the outcome of a line that is no attempt but a receipt.
    const RECEIPT: &'static str = "receipt: ";

    /// The outcome of a receipt's line.
    pub(super) fn receipt(state: &str) -> Cow<'static, str> {
        format!("{}{state}", Self::RECEIPT).into()
    }

    /// What a receipt said, for a line that is one.
    pub(super) fn as_receipt(&self) -> Option<&str> {
        self.outcome.strip_prefix(Self::RECEIPT)
    }
}

/// Makes a claim last longer, and names the gateway that is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renew {
    /// The event's key.
    pub event_key: String,
    /// Which notification.
    pub target: String,
    /// From the [`Grant`].
    pub token: u64,
    /// From the [`Grant`].
    pub epoch: i64,
    /// From now on.
    pub lease: Duration,
    /// Asked next.
    pub gateway: String,
    /// Every attempt under this claim so far.
    pub attempts: Vec<Attempt>,
}

/// Writes down how a claim ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The event's key.
    pub event_key: String,
    /// Which notification.
    pub target: String,
    /// From the [`Grant`].
    pub token: u64,
    /// From the [`Grant`].
    pub epoch: i64,
    /// How it ended.
    pub ending: Settled,
    /// The gateway that decided.
    pub gateway: Option<String>,
    /// The gateway's id.
    pub provider_id: Option<String>,
    /// Why it was not accepted.
    pub reason: Option<Cow<'static, str>>,
    /// Every attempt under this claim.
    pub attempts: Vec<Attempt>,
    /// The templates of the last text that may have been sent: the [`Grant`]'s earlier ones, when nothing was tried.
    pub template_version: String,
    /// Not to be claimed before, for one to be tried again: a duplicate must not bring a retry forward, or thirty copies
    /// of an event would use its schedule up within seconds.
    pub pause: Duration,
    /// Nothing was tried: the claim does not count as one of the schedule's.
    pub uncounted: bool,
    /// Also closes the event, in the same transaction.
    pub close: Option<EventState>,
    /// Kept in case a receipt says that the message was not delivered.
    pub keep: Option<Box<Keep>>,
    /// Receipts may name the message by `provider_id`.
    pub found_by_provider_id: bool,
}

/// What became of a [`Settle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettleAnswer {
    /// It is written down.
    Written,
    /// Someone else has taken the claim over.
    FencedOut,
    /// A receipt was faster: the message was not delivered, whatever the gateway answered.
    Undelivered {
        /// Why.
        reason: String,
    },
}

impl SettleAnswer {
    /// The claim was still ours.
    pub fn is_written(&self) -> bool {
        *self == Self::Written
    }
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// A gateway has it.
    Accepted,
    /// To be tried again; surely not accepted.
    Retry,
    /// To be tried again, or settled by a receipt; may have been accepted.
    Unknown,
    /// Given up.
    Failed,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// Something is still to be done about it.
    Open,
    /// Every notification was accepted.
    Done,
    /// The customer chose not to be told.
    Muted,
    /// A rule that protects the customer kept it from being told.
    HeldBack,
    /// Dead-lettered.
    Dead,
}

/// Writes down what became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The event; written anew when nothing of it was claimed.
    pub event: EventRecord,
    /// What became of it.
    pub state: EventState,
    /// Why, for one that is dead or was held back.
    pub reason: Option<&'static str>,
    /// How often it was given up, this time included.
    pub deaths: u32,
}

/// The event that has been open for longest in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// The lane.
    pub lane: String,
    /// When it happened.
    pub time: Timestamp,
}

/// A step of the state machine of one event.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Claim {
        claim: Claim,
        token: u64,
    },
    Renew(Renew),
    Settle(Settle),
    Close(Close),
    Receipt(Receipt),
    /// A reopened event is in its lane.
    Brought {
        event_key: String,
        target: String,
    },
}

/// One thing to write; a batch of them is one transaction.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Step(Step),
    /// Forget a few events first seen longer ago than this.
    Sweep {
        retention: Duration,
    },
    /// Look for the oldest open event of each lane.
    Oldest,
    /// Look for reopened events that nobody has brought to their lane for so long.
    Stranded {
        after: Duration,
    },
    /// Look for drained gateways.
    Drains,
    /// Look for summaries that are due, and that nobody has looked at for so long.
    DueSummaries {
        after: Duration,
    },
    /// A summary is in its lane.
    SummaryBrought(DueSummary),
}

/// The answer to an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Claim(ClaimAnswer),
    /// False: fenced out, someone else has the claim.
    Held(bool),
    Settled(SettleAnswer),
    /// False: it was done or muted before, or is on its way with another body.
    Closed(bool),
    Receipt(ReceiptAnswer),
    /// How many events were forgotten.
    Swept(u64),
    Oldest(Vec<Oldest>),
    Brought,
    Stranded(Vec<Reopened>),
    Drains(Vec<Drain>),
    DueSummaries(Vec<DueSummary>),
}

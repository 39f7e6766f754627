//! The ledger's rows, as both engines keep them. Times are milliseconds since 1970 by the ledger's clock.

mod columns;

use std::collections::HashMap;
use std::time::Duration;

pub(super) use self::columns::{
    event_columns, event_row, notification_changes, notification_columns, notification_row,
};
use super::machine::Machine;
use super::memory::Memory;
use super::operation::{
    Answer, Attempt, EventRecord, EventState, HeldBack, Keep, MessageName, Reopened, Sealed, Step,
    TargetRecord,
};
use super::story::SummaryStory;
use crate::event::SUMMARY_SUFFIX;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventRow {
    pub key: String,
    pub id: String,
    pub event_type: String,
    pub lane: String,
    pub fingerprint: String,
    pub state: EventState,
    pub reason: Option<String>,
    /// When it happened, by its own word.
    pub time: i64,
    /// How often it was given up.
    pub deaths: i64,
    pub first_seen: i64,
    pub updated_at: i64,
    /// The summary that it is part of.
    pub summary: Option<String>,
    pub changed: bool,
    /// Made in this transaction, and not judged yet.
    pub fresh: bool,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotificationRow {
    pub target: String,
    pub state: State,
    /// Process and token of the last claim.
    pub owner: String,
    pub epoch: i64,
    pub attempt: i64,
    /// Not to be claimed before: the lease's end, a part of a retry's delay, or the end of waiting for a receipt.
    pub busy_until: i64,
    pub first_claimed: i64,
    /// How many attempts of the present claim are in `attempts`.
    pub written: i64,
    /// Attempts whose answer never came, and the last of them.
    pub unknowns: i64,
    pub unknown_since: Option<i64>,
    pub unknown_at: Option<String>,
    pub reference: String,
    pub recipient: String,
    pub why: String,
    pub template_version: String,
    pub gateway: Option<String>,
    pub provider_id: Option<String>,
    pub reason: Option<String>,
    /// One JSON object a line.
    pub attempts: String,
    pub updated_at: i64,
    /// The event's message, encrypted, as long as it may have to be brought again.
    pub sealed: Option<Vec<u8>>,
    pub sealed_until: Option<i64>,
    /// Gateway and its id of the message, where receipts may name it by that.
    pub receipt_id: Option<String>,
    /// Receipts may name it by its reference.
    pub by_reference: bool,
    pub changed: bool,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    InFlight,
    Accepted,
    Retry,
    Unknown,
    Failed,
    Delivered,
    Undelivered,
}

/// More than this is not kept of a notification's attempts: an event that is put back for ever must not grow for ever.
const MAX_ATTEMPTS_BYTES: usize = 32 * 1024;

impl EventRow {
    pub fn new(record: &EventRecord, now: i64) -> Self {
        Self {
            key: record.key.clone(),
            id: record.id.clone(),
            event_type: record.event_type.clone(),
            lane: record.lane.to_owned(),
            fingerprint: record.fingerprint.clone(),
            state: EventState::Open,
            reason: None,
            time: record.time.as_millisecond(),
            deaths: 0,
            first_seen: now,
            updated_at: now,
            summary: None,
            changed: true,
            fresh: true,
        }
    }

    /// What its summary is found by: the summary's id, or the key of the event that it is made of; an empty text for the
    /// other. Nothing when it has none.
    pub fn in_summary(&self) -> Option<(&str, &str)> {
        match (&self.summary, self.key.strip_suffix(SUMMARY_SUFFIX)) {
            (_, Some(event_key)) => Some(("", event_key)),
            (Some(id), None) => Some((id, "")),
            (None, None) => None,
        }
    }

    /// As whoever brings it to its lane again needs it.
    pub fn reopened(&self, target: String, sealed: Vec<u8>) -> Reopened {
        Reopened {
            event_key: self.key.clone(),
            target,
            lane: self.lane.clone(),
            deaths: u32::try_from(self.deaths).unwrap_or(u32::MAX),
            sealed: Sealed(sealed),
        }
    }

    pub fn end(&mut self, state: EventState, reason: Option<&str>, now: i64) {
        self.state = state;
        self.reason = reason.map(str::to_owned);
        self.updated_at = now;
        self.changed = true;
    }
}

impl NotificationRow {
    /// One that nobody has claimed yet.
    pub fn new(target: &TargetRecord, now: i64) -> Self {
        Self {
            target: target.target.clone(),
            state: State::Retry,
            owner: String::new(),
            epoch: 0,
            attempt: 0,
            busy_until: now,
            first_claimed: now,
            written: 0,
            unknowns: 0,
            unknown_since: None,
            unknown_at: None,
            reference: target.reference.clone(),
            recipient: target.recipient.clone(),
            why: target.why.clone(),
            template_version: target.template_version.clone(),
            gateway: None,
            provider_id: None,
            reason: None,
            attempts: String::new(),
            updated_at: now,
            sealed: None,
            sealed_until: None,
            receipt_id: None,
            by_reference: target.by_reference,
            changed: true,
        }
    }

    pub fn is_held_by(&self, owner: &str, epoch: i64) -> bool {
        self.owner == owner && self.epoch == epoch
    }

    pub fn touch(&mut self, now: i64) {
        self.updated_at = now;
        self.changed = true;
    }

    pub fn keep(&mut self, keep: &Keep, now: i64) {
        self.sealed = Some(keep.sealed.0.clone());
        self.sealed_until = Some(after(now, keep.wait));
    }

    pub fn unseal(&mut self) {
        (self.sealed, self.sealed_until) = (None, None);
    }

    pub fn add(&mut self, attempt: &Attempt, since: i64) {
        if attempt.outcome == Attempt::UNKNOWN {
            self.unknowns += 1;
            self.unknown_since = Some(since);
            self.unknown_at = Some(attempt.gateway.clone());
        }
        // Serialising a struct of texts cannot fail.
        let line = serde_json::to_string(attempt).unwrap_or_default();
        if self.attempts.len() + line.len() < MAX_ATTEMPTS_BYTES {
            self.attempts.push_str(&line);
            self.attempts.push('\n');
        }
    }

    /// The last that is known of it is an attempt that was cut off, and not by the present claim.
    pub fn ends_lost(&self) -> bool {
        let last = self.attempts.lines().last().and_then(|line| serde_json::from_str::<Attempt>(line).ok());
        self.written == 0 && last.is_some_and(|last| last.reason.as_deref() == Some(Attempt::LOST))
    }

    pub fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// All that the ledger knows of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Case {
    pub event: Option<EventRow>,
    pub notifications: Vec<NotificationRow>,
    /// The summary that it is part of or that is made of it; read for `trace` alone.
    pub summary: Option<SummaryStory>,
}

impl Case {
    pub fn notification(&mut self, target: &str) -> Option<&mut NotificationRow> {
        self.notifications.iter_mut().find(|row| row.target == target)
    }

    pub fn named(&mut self, message: &MessageName) -> Option<&mut NotificationRow> {
        let wanted = receipt_key(message);
        self.notifications.iter_mut().find(|row| match message {
            MessageName::Reference(reference) => row.reference == *reference,
            MessageName::ProviderId { .. } => row.receipt_id.as_deref() == Some(&wanted),
        })
    }

    /// Something of it is being sent.
    pub fn is_in_flight(&self) -> bool {
        self.notifications.iter().any(|row| row.state == State::InFlight)
    }

    /// All of it is as it is in the database.
    pub fn written(&mut self) {
        self.event.iter_mut().for_each(|row| row.changed = false);
        self.notifications.iter_mut().for_each(|row| row.changed = false);
    }

    pub fn deaths(&self) -> u32 {
        self.event.as_ref().map_or(0, |event| u32::try_from(event.deaths).unwrap_or(u32::MAX))
    }
}

/// A time after `now`, in the ledger's milliseconds.
pub(super) fn after(now: i64, span: Duration) -> i64 {
    now.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

/// A time before `now`, in the ledger's milliseconds.
pub(super) fn before(now: i64, span: Duration) -> i64 {
    now.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

/// What a message is looked up by: its reference, or gateway and id in one text.
pub(super) fn receipt_key(message: &MessageName) -> String {
    match message {
        MessageName::Reference(reference) => reference.clone(),
        MessageName::ProviderId { gateway, id } => format!("{gateway}\u{1f}{id}"),
    }
}

/// The cases of a batch, by the event's key; receipts name theirs by the message.
#[derive(Debug, Default)]
pub(super) struct Cases {
    pub by_key: HashMap<String, Case>,
    pub key_of: HashMap<MessageName, String>,
    pub memory: Memory,
}

impl Cases {
    /// Applies a step to its case, and to what is remembered of the recipient.
    pub fn apply(&mut self, machine: &Machine, step: &Step, now: i64) -> Answer {
        let mut memory = std::mem::take(&mut self.memory);
        let answer = machine.step(self.of(step), &mut memory, step, now);
        self.memory = memory;
        answer
    }

    /// The case that a step is about; a receipt for nothing that we know gets an empty one.
    fn of(&mut self, step: &Step) -> &mut Case {
        let key = match place(step) {
            Place::Key(key) => key,
            Place::Message(message) => self.key_of.get(message).map_or("", String::as_str),
        };
        self.by_key.entry(key.to_owned()).or_default()
    }
}

/// What a step names its event by.
pub(super) enum Place<'a> {
    Key(&'a str),
    Message(&'a MessageName),
}

pub(super) fn place(step: &Step) -> Place<'_> {
    match step {
        Step::Claim { claim, .. } => Place::Key(&claim.event.key),
        Step::Renew(renew) => Place::Key(&renew.event_key),
        Step::Settle(settle) => Place::Key(&settle.event_key),
        Step::Close(close) => Place::Key(&close.event.key),
        Step::Receipt(receipt) => Place::Message(&receipt.message),
        Step::Brought { event_key, .. } => Place::Key(event_key),
    }
}

/// Words of a closed list, as the ledger writes them.
macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// As the ledger writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What the ledger wrote; nothing for a word of a newer version.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(EventState { Open = "open", Done = "done", Muted = "muted", HeldBack = "held_back", Dead = "dead" });
words!(HeldBack { Collapsed = "collapsed", KnownDevice = "known_device", SmsDayLimit = "sms_day_limit" });
words!(State {
    InFlight = "in_flight",
    Accepted = "accepted",
    Retry = "retry",
    Unknown = "unknown",
    Failed = "failed",
    Delivered = "delivered",
    Undelivered = "undelivered",
});
